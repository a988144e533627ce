//! An engine of rules, which are a plugin, and are replaced while it works.
//!
//! ```sh
//! cargo run --release --example rules
//! ```
//!
//! Orders are decided about without a break, by several threads. In the middle the rules get their second version: no
//! order is lost and none is an error, those under way are decided by the old rules, and whoever asks after the upgrade
//! has an answer of the new ones. Then somebody installs something that is no rules at all, and nothing changes.

#[path = "../plugins/orders.rs"]
mod orders;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use insula::{Host, Limits, Module, Plugin, Restart, Spawn};
use insula_embedding::Plugins;

use orders::{Decision, Order, Verdict};

/// Decides about orders, by rules that change meanwhile.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    plugins: Plugins,
    /// How many orders there are before the upgrade begins, and again after it
    #[arg(long, default_value_t = 1_000)]
    orders: u64,
    /// How many of them are under way at a time
    #[arg(long, default_value_t = 4)]
    at_once: u64,
}

/// The time that a decision has.
const TIME: Duration = Duration::from_secs(10);

/// The time that the old rules have for what they were asked before they were replaced.
const GRACE: Duration = Duration::from_secs(10);

type Rules = Plugin<Order, Decision>;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = arguments.plugins.folder()?;
    let host = Host::builder().isolates(16).build()?;
    let load = |file: &str| host.load_file(Path::new(&folder).join(file));
    let (first, second, other) = (load("rules_v1.wasm")?, load("rules_v2.wasm")?, load("pages.wasm")?);

    let rules = host.supervise::<Order, Decision>(&first, spawn(), Restart::on_failure())?;
    println!("order 4: {:?}", rules.call(&order(4), TIME)?);
    for (version, verdicts) in decide_all(&rules, &second, &arguments)? {
        println!("rules {version}: {verdicts:?}");
    }
    match rules.upgrade(&other, spawn(), GRACE) {
        Ok(exit) => println!("there are no rules now: {exit}"),
        Err(error) => println!("no upgrade: {error}"),
    }
    println!("order 4: {:?}", rules.call(&order(4), TIME)?);
    Ok(())
}

/// How rules are spawned, of whatever version: with little memory, and no child.
fn spawn() -> Spawn {
    Spawn::entry("decide").limits(Limits::default().memory(16 << 20).descendants(0))
}

/// How many orders got which verdict, by the version of the rules.
type Counts = BTreeMap<u32, BTreeMap<&'static str, u64>>;

/// Has all orders decided about, by the first rules and then by the second.
fn decide_all(rules: &Rules, second: &Module, arguments: &Arguments) -> Result<Counts> {
    let progress = Progress { half: arguments.orders, ..Progress::default() };
    let decided = thread::scope(|scope| {
        let desks: Vec<_> = (0..arguments.at_once).map(|_| scope.spawn(|| progress.decide(rules))).collect();
        while progress.begun.load(Ordering::Relaxed) < arguments.orders && !desks.iter().all(|desk| desk.is_finished())
        {
            thread::yield_now();
        }
        let upgraded = rules.upgrade(second, spawn(), GRACE).context("the second rules do not begin");
        progress.upgraded.store(true, Ordering::SeqCst);
        println!("upgraded; the first rules are done: {}", upgraded?);
        let desks = desks.into_iter().map(|desk| desk.join().expect("no desk panics"));
        desks.collect::<Result<Vec<Counts>>>()
    })?;
    let mut counts = Counts::new();
    for (version, verdicts) in decided.into_iter().flatten() {
        for (verdict, count) in verdicts {
            *counts.entry(version).or_default().entry(verdict).or_default() += count;
        }
    }
    Ok(counts)
}

/// How far it is.
#[derive(Default)]
struct Progress {
    /// So many orders before the upgrade begins, and after it.
    half: u64,
    begun: AtomicU64,
    upgraded: AtomicBool,
    begun_after: AtomicU64,
}

impl Progress {
    /// Decides about one order after another, until there were enough of them after the upgrade.
    fn decide(&self, rules: &Rules) -> Result<Counts> {
        let mut counts = Counts::new();
        let mut newest = 1;
        loop {
            let number = 1 + self.begun.fetch_add(1, Ordering::Relaxed);
            let upgraded = self.upgraded.load(Ordering::SeqCst);
            if upgraded && self.begun_after.fetch_add(1, Ordering::Relaxed) >= self.half {
                return Ok(counts);
            }
            let Decision { rules: version, verdict } = rules.call(&order(number), TIME)?;
            ensure!(version >= newest, "order {number}: rules {version} after rules {newest}");
            ensure!(version == 2 || !upgraded, "order {number}: rules {version} after the upgrade");
            newest = version;
            *counts.entry(version).or_default().entry(word(&verdict)).or_default() += 1;
        }
    }
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Accept => "accepted",
        Verdict::Review(_) => "to be looked at",
        Verdict::Refuse(_) => "refused",
    }
}

/// The order of this number: the same in every run.
fn order(number: u64) -> Order {
    let countries = ["Italy", "Norway", "Atlantis", "Kenya", "Peru"];
    let country = countries[(number % 5) as usize].to_owned();
    Order { number, cents: number * 7_919 % 130_000, earlier: (number * 31 % 4) as u32, country }
}
