//! Six hot paths of the host, from a mailbox to a whole isolate: what is walked for every message and every spawn.
//!
//! A test counts their instructions, by the program `hotpaths` under callgrind; `cargo bench` takes their time. Layer 2
//! is private to the host, so its files are compiled here once more from where they are, as for loom, over the host's
//! own [`sync`].

#![allow(dead_code, unreachable_pub, unused_imports)] // Only a part of the host is here to use the rest.

#[path = "../../host/src/account.rs"]
mod account;
#[allow(clippy::enum_variant_names)] // Where it is public, it is fine.
#[path = "../../host/src/exit.rs"]
mod exit;
#[path = "../../host/src/hash.rs"]
mod hash;
#[path = "../../host/src/port/mod.rs"]
mod port;
#[path = "../../host/src/printable.rs"]
mod printable;
#[path = "../../host/src/sync/mod.rs"]
mod sync;
#[path = "../../host/src/trace_context.rs"]
mod trace_context;
#[path = "../../host/src/warning.rs"]
mod warning;

pub mod codec;
pub mod isolates;
pub mod layer2;

/// Walks a path so often.
type Walk = Box<dyn FnMut(u32) -> anyhow::Result<()>>;

/// A path that can be walked again and again.
pub struct HotPath {
    /// What it is called on the command line and in the table of instructions.
    pub name: &'static str,
    /// Makes whatever has to be there first.
    prepare: fn() -> anyhow::Result<Walk>,
}

/// All of them, from the innermost to the outermost.
pub const ALL: [HotPath; 6] = [
    HotPath { name: "mailbox", prepare: || Ok(repeated(layer2::mailbox()?)) },
    HotPath { name: "table", prepare: || Ok(repeated(layer2::table()?)) },
    HotPath { name: "codec", prepare: || Ok(repeated(codec::record())) },
    HotPath { name: "port", prepare: || Ok(repeated(isolates::port(isolates::host()?))) },
    HotPath {
        name: "round-trip",
        prepare: || {
            let guests = isolates::Guests::new(isolates::host()?)?;
            Ok(Box::new(move |times| guests.round_trips(times)))
        },
    },
    HotPath {
        name: "spawn",
        prepare: || {
            let guests = isolates::Guests::new(isolates::host()?)?;
            Ok(repeated(move || guests.spawn()))
        },
    },
];

impl HotPath {
    /// Walks it a few times, a few times again, and many times, with a [`mark`] after each.
    ///
    /// The first walks are for whatever is done once. What the many take more than the few before them, the walks that
    /// they are more took.
    ///
    /// # Errors
    /// The walk's.
    pub fn measure(&self, few: u32, many: u32) -> anyhow::Result<()> {
        let mut walk = (self.prepare)()?;
        for times in [few, few, many] {
            walk(times)?;
            mark();
        }
        Ok(())
    }
}

/// Ends a part of what is counted: callgrind is told to write down the part when this function returns.
#[inline(never)]
pub fn mark() {
    std::hint::black_box(());
}

/// A step as a path.
fn repeated(mut step: impl FnMut() -> anyhow::Result<()> + 'static) -> Walk {
    Box::new(move |times| (0..times).try_for_each(|_| step()))
}
