//! Many that live at once, and what each takes that waits.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use insula::{BuildError, Host, HostBuilder, SendPort, Spawn};

use crate::guest::{Ours, Wasm, lives};
use crate::measure::Effort;
use crate::table::Row;

const ISOLATES: u32 = 10_000;

/// Isolates that are not idle themselves.
const OTHERS: u32 = 1;

/// KiB of this process, by `/proc`: what it shares counted in part, what it shares counted in full, page tables.
type Kibibytes = [f64; 3];

/// Memory of each of many that wait, in a process of their own, so that nothing else is measured.
pub(super) fn memory(wasm: &Wasm, effort: Effort) -> anyhow::Result<Vec<Row>> {
    let count = effort.of(ISOLATES);
    let output = Command::new(std::env::current_exe()?)
        .arg("--idle")
        .arg(lives(wasm))
        .arg(count.to_string())
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("this program cannot be started again")?;
    anyhow::ensure!(output.status.success(), "the process of the idle ended with {}", output.status);
    let [pss, rss, tables]: Kibibytes = serde_json::from_slice(&output.stdout)?;
    Ok(vec![
        Row::at_most("idle, PSS", pss, 32.0, "KiB each (stretch 24)"),
        Row::at_most("idle, RSS", rss, 48.0, "KiB each"),
        Row::told("idle, page tables", tables, None, "KiB each"),
    ])
}

/// The process of [`memory`]: prints what each of so many took.
pub(crate) fn measure_here(wasm: &Wasm, count: &str) -> anyhow::Result<()> {
    let count: u32 = count.parse()?;
    let ours = Ours::new(wasm, count + OTHERS)?;
    let ready = ours.host.receive_port::<SendPort<()>>();
    let before = kibibytes()?;
    let spawn = Spawn::entry("idle").message(&(count, ready.send_port()));
    let isolate = ours.host.spawn(&ours.module, spawn)?;
    let _alive = ready.recv().with_context(|| format!("the idle are not ready: {:?}", isolate.exit()))?;
    let after = kibibytes()?;
    anyhow::ensure!(ours.host.live() == count as usize + 1, "some of the idle have ended");
    let each: Kibibytes = std::array::from_fn(|which| (after[which] - before[which]) / f64::from(count));
    print!("{}", serde_json::to_string(&each)?);
    Ok(())
}

fn kibibytes() -> anyhow::Result<Kibibytes> {
    let (rollup, status) = (Path::new("/proc/self/smaps_rollup"), Path::new("/proc/self/status"));
    Ok([field(rollup, "Pss:")?, field(rollup, "Rss:")?, field(status, "VmPTE:")?])
}

/// What a file of `/proc` says, in KiB.
fn field(path: &Path, name: &str) -> anyhow::Result<f64> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok());
    value.with_context(|| format!("{} has no number at {name}", path.display()))
}

/// How many are tried under stock settings; a kernel that allows more maps may not have the address space for them.
const STOCK_MAX: u32 = 10_240;

/// Where the kernel allows more memory maps.
const MANY: u32 = 30_000;

/// Linear memory of each of [`MANY`].
const MANY_MEMORY_BYTES: u64 = 64 << 20;

/// As many as live and answer at once.
pub(super) fn alive(wasm: &Wasm, _: Effort) -> anyhow::Result<Vec<Row>> {
    let wasm = &lives(wasm);
    let budget = budget()?;
    let stock: u32 = largest(wasm, budget.min(STOCK_MAX))?.ask("alive", &STOCK_MAX)?;
    let mut rows = vec![Row::at_least("alive at once", stock.into(), ISOLATES.into(), "isolates")];
    if budget > MANY + STEP {
        let ours = Ours::with(wasm, builder(MANY).memory_max(MANY_MEMORY_BYTES))?;
        let many: u32 = ours.ask("alive", &MANY)?;
        rows.push(Row::at_least("alive at once, of 64 MiB", many.into(), MANY.into(), "isolates"));
    } else {
        eprint!(" no {MANY} at once: vm.max_map_count allows {budget} ..");
    }
    Ok(rows)
}

fn builder(isolates: u32) -> HostBuilder {
    Host::builder().isolates(isolates).threads(2)
}

/// How many isolates the kernel's memory maps allow.
fn budget() -> anyhow::Result<u32> {
    match builder(u32::MAX / 2).build() {
        Err(BuildError::TooManyIsolates { budget, taken, .. }) => Ok(budget - taken),
        Err(error) => Err(error.into()),
        Ok(_) => anyhow::bail!("a host has room for any number of isolates"),
    }
}

/// Places that a host is asked for less and less.
const STEP: u32 = 10;

/// A host with room for as many as there is room for: some of the budget is no isolate's.
fn largest(wasm: &Wasm, budget: u32) -> anyhow::Result<Ours> {
    let mut isolates = budget;
    loop {
        match Ours::with(wasm, builder(isolates)) {
            Err(error) if is_too_many(&error) && isolates > STEP => isolates -= STEP,
            made => return made,
        }
    }
}

fn is_too_many(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(BuildError::TooManyIsolates { .. }))
}
