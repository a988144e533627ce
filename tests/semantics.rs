//! What isolates do, told by guest programs: each of them reports lines through a port, and a test knows the lines.
//!
//! A guest has an entry `run` that takes a `SendPort<String>`. Every program runs under both schedulers, worker
//! threads and seeds, and must tell the same under each.

use insula::{Exit, Grant, Host, Spawn};

use crate::harness;

mod control;
mod death;
mod life;
mod limits;
mod messages;
mod pool;
mod port_kinds;
mod ports;
mod tasks;
mod turns;

/// The seeds that a program runs under besides worker threads.
const SEEDS: [u64; 2] = [1, 2];

/// Runs the guest program under each scheduler and compares what it tells with `lines`.
pub(crate) fn tells(name: &str, lines: &[&str]) {
    tells_at(name, "run", lines);
}

/// As [`tells`], for a guest with several entries.
pub(crate) fn tells_at(name: &str, entry: &str, lines: &[&str]) {
    let path = harness::guest(name);
    for seed in SEEDS.iter().copied().map(Some).chain([None]) {
        let builder = Host::builder().isolates(64).cache_folder(harness::cache());
        let builder = match seed {
            Some(seed) => builder.seed(seed),
            None => builder.threads(2),
        };
        let host = builder.build().expect("there is room for a small host");
        host.offer_file("other_module", harness::guest("other_module"));
        let module = host.load_file(&path).expect("the guest is a module");
        let port = host.receive_port::<String>();
        let spawn = Spawn::entry(entry).message(&port.send_port()).grant(Grant::names("tests")).grant(Grant::modules());
        let isolate = host.spawn(&module, spawn).expect("the guest has the entry");
        let mut told = Vec::new();
        // Until nobody can send to the port any more: the program and what it started are over.
        while let Ok(line) = port.recv() {
            told.push(line);
        }
        let exit = isolate.join();
        assert_eq!(told, lines, "{name} {entry} under {seed:?}, which ended: {exit}");
        assert_eq!(exit, Exit::Returned, "{name} under {seed:?}");
    }
}
