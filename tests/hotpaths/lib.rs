//! Six hot paths of the host, from a mailbox to a whole isolate: what is walked for every message and every spawn.
//!
//! A test counts their instructions, by the program `hotpaths` under callgrind; `cargo bench` takes their time. Layer 2
//! is private to the host, so its files are compiled here once more from where they are, as for loom, over the host's
//! own [`sync`].

#![allow(dead_code, unreachable_pub, unused_imports)] // Only a part of the host is here to use the rest.

#[path = "../../host/src/account.rs"]
mod account;
#[path = "../../host/src/exit.rs"]
mod exit;
#[path = "../../host/src/port/mod.rs"]
mod port;
#[path = "../../host/src/sync/mod.rs"]
mod sync;

pub mod codec;
pub mod isolates;
pub mod layer2;

/// A path that can be walked again and again.
pub struct HotPath {
    /// What it is called on the command line and in the table of instructions.
    pub name: &'static str,
    /// Walks it so often, after whatever has to be there first.
    pub walk: fn(u32) -> anyhow::Result<()>,
}

/// All of them, from the innermost to the outermost.
pub const ALL: [HotPath; 6] = [
    HotPath { name: "mailbox", walk: |times| layer2::mailbox().and_then(|step| repeat(times, step)) },
    HotPath { name: "table", walk: |times| layer2::table().and_then(|step| repeat(times, step)) },
    HotPath { name: "codec", walk: |times| repeat(times, codec::record()) },
    HotPath {
        name: "port",
        walk: |times| {
            let host = isolates::host()?;
            repeat(times, isolates::port(&host))
        },
    },
    HotPath { name: "round-trip", walk: |times| isolates::Guests::new(isolates::host()?)?.round_trips(times) },
    HotPath {
        name: "spawn",
        walk: |times| {
            let guests = isolates::Guests::new(isolates::host()?)?;
            repeat(times, || guests.spawn())
        },
    },
];

/// Takes a step so often.
fn repeat(times: u32, mut step: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<()> {
    (0..times).try_for_each(|_| step())
}
