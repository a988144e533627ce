//! Tries everything that needs a grant, and says of each what came of it.

use std::collections::hash_map::RandomState;
use std::error::Error;
use std::fmt::Display;
use std::hash::BuildHasher as _;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use insula_guest::{Grant, Isolate, ReceivePort, SendPort, names};

type Reports = SendPort<(String, String)>;

fn said<T, E: Display>(outcome: Result<T, E>) -> String {
    outcome.map_or_else(|refused| refused.to_string(), |_| "yes".to_owned())
}

/// Whether a clock ever shows a part of a millisecond.
fn is_fine() -> bool {
    let start = Instant::now();
    (0..1_000).any(|_| !start.elapsed().as_nanos().is_multiple_of(1_000_000))
}

fn tries(report: Reports) -> Result<(), Box<dyn Error>> {
    let say = |what: &str, came: String| report.send((what.to_owned(), came));
    say("read", said(std::fs::read("/data/file.txt")))?;
    say("write", said(std::fs::write("/data/new.txt", "new")))?;
    say("environment", said(std::env::var("NAME")))?;
    say(
        "config",
        insula_guest::config("NAME").map_or_else(|| "none".to_owned(), |value| format!("configured: {value}")),
    )?;
    say("fine clock", is_fine().to_string())?;
    say("names", said(names::register("a name", &ReceivePort::<()>::new().send_port())))?;
    say("module", said(Isolate::build().spawn_module("other_module", &[], ())))?;
    Ok(())
}

fn tells_the_time(told: SendPort<(u64, u64)>) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
    told.send((now.as_millis() as u64, RandomState::new().hash_one(0))).ok();
}

/// Time of day and a random number: its own, of two children like it, and of one that has no grant. All that once time has
/// passed.
fn world(told: SendPort<(u64, u64)>) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    while start.elapsed().is_zero() {}
    tells_the_time(told.clone());
    for grants in [true, true, false] {
        let gone = ReceivePort::<()>::new();
        let child = Isolate::build().inherit_grants(grants).on_exit(&gone.send_port(), ());
        child.spawn(tells_the_time, told.clone())?;
        gone.recv()?;
    }
    Ok(())
}

fn reads_and_writes(told: SendPort<(String, String)>) {
    let read = std::fs::read_to_string("/part/file.txt").unwrap_or_else(|error| error.kind().to_string());
    let beside = std::fs::read_to_string("/part/../beside.txt").unwrap_or_else(|error| error.kind().to_string());
    told.send(("read".to_owned(), read)).ok();
    told.send(("beside".to_owned(), beside)).ok();
    told.send(("write".to_owned(), std::fs::write("/part/new.txt", "new").is_ok().to_string())).ok();
}

/// Hands parts of its folder on, by the paths that it sees them at.
fn parts(report: Reports) -> Result<(), Box<dyn Error>> {
    let read = |seen: &str| Grant::ReadOnlyFolder { host: seen.to_owned(), guest: "/part".to_owned() };
    let write = |seen: &str| Grant::ReadWriteFolder { host: seen.to_owned(), guest: "/part".to_owned() };
    let try_one = |what: &str, grant: Grant| -> Result<(), Box<dyn Error>> {
        let gone = ReceivePort::<()>::new();
        let child = Isolate::build().inherit_grants(false).grant(grant).on_exit(&gone.send_port(), ());
        let born = child.spawn(reads_and_writes, report.clone());
        report.send((what.to_owned(), said(born.as_ref())))?;
        if born.is_ok() {
            gone.recv()?;
        }
        Ok(())
    };
    try_one("a part to read", read("/data/part"))?;
    try_one("a part to write", write("/data/part"))?;
    try_one("by its name on the host", read(&std::env::var("HOST")?))?;
    try_one("by the way up", read("/data/part/../.."))?;
    try_one("a link that leads out", read("/data/out"))?;
    try_one("what is not there", read("/data/missing"))?;
    try_one("to write what is read-only", write("/read/part"))?;
    Ok(())
}

insula_guest::export!(tries as "tries");
insula_guest::export!(world as "world");
insula_guest::export!(parts as "parts");

fn main() {}
