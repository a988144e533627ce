//! What a guest has of the world through WASI, and the context that gives it.
//!
//! A guest has what its [`Outfit`] says and nothing else. The context is made when a guest first calls WASI: many never
//! do.

use std::time::Duration;

use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{FsPerms, HostMonotonicClock, HostWallClock, WasiCtxBuilder};

use crate::grant::{Authority, Grant};
use crate::spawn::{Data, HostFunction, Stdin};
use crate::stdio::{Input, Sink, Tail};
use crate::sync::Arc;
use crate::world::World;

/// Bytes of randomness in one call.
const RANDOM_BYTES_MAX: u64 = 1 << 20;

/// What a guest has of the world, by grants.
#[derive(Clone)]
pub(crate) struct Outfit {
    pub(crate) arguments: Vec<String>,
    pub(crate) grants: Vec<Grant>,
    /// What it may call of the embedder's, if that is anything.
    pub(crate) functions: Option<Arc<[HostFunction]>>,
    /// What those find of it.
    pub(crate) data: Option<Data>,
    pub(crate) stdin: Stdin,
    pub(crate) stdout: Sink,
    pub(crate) stderr: Sink,
    pub(crate) world: Arc<World>,
}

impl Outfit {
    /// Nothing at all.
    pub(crate) fn bare(world: &Arc<World>) -> Outfit {
        Outfit {
            arguments: Vec::new(),
            grants: Vec::new(),
            functions: None,
            data: None,
            stdin: Stdin::Empty,
            stdout: Sink::null(),
            stderr: Sink::null(),
            world: Arc::clone(world),
        }
    }

    /// The namespace of the name server, if there is a grant for one.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.grants.iter().find_map(|grant| match &grant.0 {
            Authority::Names { namespace } => Some(namespace.as_str()),
            Authority::Folder { .. }
            | Authority::Environment { .. }
            | Authority::FineClock
            | Authority::Module { .. } => None,
        })
    }

    /// Whether the clocks are fine.
    pub(crate) fn has_fine_clock(&self) -> bool {
        self.grants.iter().any(|grant| matches!(grant.0, Authority::FineClock))
    }
}

/// The WASI side of one isolate.
pub(crate) struct Wasi {
    pub(crate) outfit: Arc<Outfit>,
    tail: Arc<Tail>,
    context: Option<Box<WasiP1Ctx>>,
    stripped: bool,
}

impl Wasi {
    /// Nothing is made before the first call.
    pub(crate) fn new(outfit: Arc<Outfit>, tail: Arc<Tail>) -> Wasi {
        Wasi { outfit, tail, context: None, stripped: false }
    }

    /// wasmtime-wasi's own context, made now if it is not there yet.
    pub(crate) fn context(&mut self) -> &mut WasiP1Ctx {
        let Wasi { outfit, tail, context, .. } = self;
        context.get_or_insert_with(|| Box::new(build(outfit, tail)))
    }

    /// Takes all of it away, open files too: what the guest does from here on reaches nobody.
    pub(crate) fn strip(&mut self) {
        if !self.stripped {
            let bare = Arc::new(Outfit::bare(&self.outfit.world));
            *self = Wasi { stripped: true, ..Wasi::new(bare, Arc::new(Tail::new(0))) };
        }
    }
}

fn build(outfit: &Outfit, tail: &Arc<Tail>) -> WasiP1Ctx {
    let mut builder = WasiCtxBuilder::new();
    builder.args(&outfit.arguments);
    builder.stdout(outfit.stdout.clone());
    builder.stderr(outfit.stderr.clone().with_tail(Arc::clone(tail)));
    if outfit.stdin == Stdin::Inherit {
        builder.stdin(Input::inherit());
    }
    for grant in &outfit.grants {
        match &grant.0 {
            Authority::Folder { host, guest, writes } => {
                let permissions = if *writes { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
                // The folder was there at spawn; if it is gone, the guest finds it missing.
                drop(builder.preopened_dir(host, guest, permissions));
            }
            Authority::Environment { name, value } => {
                builder.env(name, value);
            }
            Authority::FineClock | Authority::Names { .. } | Authority::Module { .. } => {}
        }
    }
    let step = if outfit.has_fine_clock() { 1 } else { 1_000_000 };
    let clock = Clock { world: Arc::clone(&outfit.world), step };
    builder.monotonic_clock(clock.clone()).wall_clock(clock).max_random_size(RANDOM_BYTES_MAX);
    builder.build_p1()
}

/// The world's clock, in steps.
#[derive(Clone)]
struct Clock {
    world: Arc<World>,
    step: u64,
}

impl HostMonotonicClock for Clock {
    fn resolution(&self) -> u64 {
        self.step
    }

    fn now(&self) -> u64 {
        let now = self.world.now();
        now - now % self.step
    }
}

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(self.step)
    }

    fn now(&self) -> Duration {
        let now = self.world.wall();
        let beyond = u64::from(now.subsec_nanos()) % self.step;
        now - Duration::from_nanos(beyond)
    }
}
