//! What a guest has of the world through WASI, and the context that gives it.
//!
//! A guest has what its [`Outfit`] says and nothing else. The context is made when a guest first calls WASI: many never
//! do.

mod folder;

use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use rand_core::TryRng;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{FsPerms, HostMonotonicClock, HostWallClock, WasiCtxBuilder};

use crate::control::Control;
use crate::files::FileWork;
use crate::grant::{Authority, Grant};
use crate::spawn::{Data, HostFunction, Stdin};
use crate::stdio::{Input, Sink, Tail};
use crate::sync::{Arc, atomic};
use crate::world::{Chance, World};
pub(crate) use folder::check_part;

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
    /// The time of day, where that stands still.
    pub(crate) fixed_clock: Option<Duration>,
    pub(crate) seed: Option<Arc<Seed>>,
    /// What its file operations run on, and those of all that descend from the same isolate; none where nobody has files.
    pub(crate) files: Option<Arc<FileWork>>,
    pub(crate) world: Arc<World>,
}

/// What the random numbers of an isolate are drawn by, and those of its children.
pub(crate) struct Seed {
    value: u64,
    children: atomic::AtomicU64,
}

impl Seed {
    pub(crate) fn new(value: u64) -> Arc<Seed> {
        Arc::new(Seed { value, children: atomic::AtomicU64::new(0) })
    }

    /// That of the next child.
    pub(crate) fn of_next_child(&self) -> Arc<Seed> {
        let before = self.children.fetch_add(1, atomic::Ordering::Relaxed);
        // Another stream than the isolate's own numbers.
        Seed::new(Chance::new(!self.value).later(before).next())
    }
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
            fixed_clock: None,
            seed: None,
            files: None,
            world: Arc::clone(world),
        }
    }

    /// The namespace of the name server, if there is a grant for one.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.grants.iter().find_map(|grant| match &grant.0 {
            Authority::Names { namespace } => Some(namespace.as_str()),
            _ => None,
        })
    }

    /// The value that it is configured with under this name.
    pub(crate) fn config(&self, name: &str) -> Option<&str> {
        self.grants.iter().find_map(|grant| match &grant.0 {
            Authority::Config { name: held, value } if held == name => Some(value.as_str()),
            _ => None,
        })
    }

    /// The time of day, as this isolate may know it.
    pub(crate) fn wall(&self) -> Duration {
        self.fixed_clock.unwrap_or_else(|| self.world.wall())
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
    context: Option<Box<Context>>,
    /// Whether descriptors 0 to 2 are still those that it began with.
    stdio: [bool; 3],
    stripped: bool,
}

struct Context {
    wasi: WasiP1Ctx,
    /// Standard output and error, which are in there too.
    outputs: [Sink; 2],
}

impl Wasi {
    /// Nothing is made before the first call.
    pub(crate) fn new(outfit: Arc<Outfit>, tail: Arc<Tail>) -> Wasi {
        Wasi { outfit, tail, context: None, stdio: [true; 3], stripped: false }
    }

    /// wasmtime-wasi's own context, made now if it is not there yet.
    pub(crate) fn context(&mut self, isolate: &Control) -> &mut WasiP1Ctx {
        let Wasi { outfit, tail, context, .. } = self;
        &mut context.get_or_insert_with(|| Box::new(build(outfit, tail, isolate))).wasi
    }

    /// What an operation at this descriptor runs on; none where nothing can block: at its standard streams, which are the
    /// host's own and no files, and where it has no folder.
    pub(crate) fn files(&self, descriptor: i32) -> Option<&Arc<FileWork>> {
        let is_stdio = usize::try_from(descriptor).is_ok_and(|at| self.stdio.get(at) == Some(&true));
        self.outfit.files.as_ref().filter(|_| !is_stdio)
    }

    /// Files may have these descriptors from now on.
    pub(crate) fn moved(&mut self, descriptors: &[i32]) {
        for at in descriptors.iter().filter_map(|descriptor| usize::try_from(*descriptor).ok()) {
            if let Some(stdio) = self.stdio.get_mut(at) {
                *stdio = false;
            }
        }
    }

    /// Writes what was printed and still waits for the end of its line. It waits for room only if the isolate ended by
    /// itself: nobody's end is to wait for a reader that stalls.
    pub(crate) fn finish(&self, by_itself: bool) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        let outputs = &self.context.as_ref()?.outputs;
        let unfinished: Vec<_> = outputs.iter().filter_map(Sink::unfinished).collect();
        if unfinished.is_empty() {
            return None;
        }
        if !by_itself {
            unfinished.iter().for_each(|lines| lines.try_finish());
            return None;
        }
        Some(Box::pin(async move {
            for lines in unfinished {
                lines.finish().await;
            }
        }))
    }

    /// Takes all of it away, open files too: what the guest does from here on reaches nobody.
    pub(crate) fn strip(&mut self) {
        if !self.stripped {
            let bare = Arc::new(Outfit::bare(&self.outfit.world));
            *self = Wasi { stripped: true, ..Wasi::new(bare, Arc::new(Tail::new(0))) };
        }
    }
}

fn build(outfit: &Outfit, tail: &Arc<Tail>, isolate: &Control) -> Context {
    let outputs = [&outfit.stdout, &outfit.stderr].map(|sink| sink.of_isolate(isolate));
    let mut builder = WasiCtxBuilder::new();
    builder.args(&outfit.arguments);
    builder.stdout(outputs[0].clone());
    builder.stderr(outputs[1].clone().with_tail(Arc::clone(tail)));
    match &outfit.stdin {
        Stdin::Empty => {}
        Stdin::Inherit => {
            builder.stdin(Input::inherit());
        }
        Stdin::Bytes(bytes) => {
            builder.stdin(MemoryInputPipe::new(bytes.clone()));
        }
    }
    for grant in &outfit.grants {
        match &grant.0 {
            Authority::Folder { host, below, guest, writes } => {
                let access = if *writes { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
                folder::give(&mut builder, (host, below), guest, access);
            }
            Authority::Environment { name, value } => {
                builder.env(name, value);
            }
            Authority::Config { .. } | Authority::FineClock | Authority::Names { .. } | Authority::Module { .. } => {}
        }
    }
    let step = if outfit.has_fine_clock() { 1 } else { 1_000_000 };
    let clock = Clock { world: Arc::clone(&outfit.world), step, fixed: outfit.fixed_clock };
    builder.monotonic_clock(clock.clone()).wall_clock(clock).max_random_size(RANDOM_BYTES_MAX);
    if let Some(seed) = &outfit.seed {
        builder.secure_random(Seeded(Chance::new(seed.value)));
    }
    Context { wasi: builder.build_p1(), outputs }
}

/// Random numbers of a seed, as WASI asks for them.
struct Seeded(Chance);

impl TryRng for Seeded {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.0.next() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.next())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for part in bytes.chunks_mut(size_of::<u64>()) {
            part.copy_from_slice(&self.0.next().to_le_bytes()[..part.len()]);
        }
        Ok(())
    }
}

/// The world's clock, in steps.
#[derive(Clone)]
struct Clock {
    world: Arc<World>,
    step: u64,
    /// The time of day, where that stands still.
    fixed: Option<Duration>,
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
        let now = self.fixed.unwrap_or_else(|| self.world.wall());
        let beyond = u64::from(now.subsec_nanos()) % self.step;
        now - Duration::from_nanos(beyond)
    }
}
