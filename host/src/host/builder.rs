//! How a host is made.

use std::path::{Path, PathBuf};

use super::catalog::Catalog;
use super::closing::Bells;
use super::core_dump::{CoreDump, Dumps, OnCoreDump};
use super::crew::{self, Crew};
use super::floors::Floors;
use super::loading::Loads;
use super::quarters::{Ground, Quarters, Threads, Trusted};
use super::tasks::Tasks;
use super::uncaught::{Reporter, Uncaught, print};
use super::undertaker::undertaker;
use super::{Door, Host, Inner};
use crate::account::{Account, Bounds};
use crate::cache::Cache;
use crate::compile::{CompileChild, CompileLimits, Workshop};
use crate::control::{Aside, Links, Registry};
use crate::engine::{Kind, Shape, Trial};
use crate::error::BuildError;
use crate::files::Desks;
use crate::scheduler::{Ticker, Workers};
use crate::stdio::Sink;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Arc, Mutex};
use crate::until;
use crate::warning::{Alarm, Warning, Watch};
use crate::world::World;
#[cfg(feature = "testing")]
use crate::world::stage::Stage;

/// Settings of a host. Plain data: clone it and build twice.
///
/// | setting | default |
/// |---|---|
/// | isolates | 1,000 |
/// | threads | as many as the machine has cores |
/// | trusted isolates | 64, from the first trusted module on |
/// | threads of trusted isolates | 2 |
/// | threads of host functions that block | 16, from the first function on |
/// | memory ceiling | 4 GiB; each isolate's limit is lower |
/// | address space for each memory | 4 GiB |
/// | total memory | none: what the machine has |
/// | table ceiling | 100,000 elements |
/// | module folder | none: isolates can spawn what [`Host::offer`] names |
/// | cache folder | none: compiled code is kept in memory only |
/// | limits of compiling | 64 MiB, 100,000 functions of 512 KiB, 60 s, 8 at once: [`CompileLimits`] |
/// | who compiles | this process: a child has limits of memory and CPU time too |
/// | warnings | none |
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::Host;
/// let builder = Host::builder().isolates(10).on_uncaught(|uncaught| eprintln!("{uncaught}"));
/// let (one, two) = (builder.clone().threads(1).build()?, builder.seed(7).build()?);
/// assert_eq!(one.isolates_max() + two.isolates_max(), 20);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct HostBuilder {
    isolates: u32,
    threads: Option<usize>,
    seed: Option<u64>,
    trusted_isolates: u32,
    trusted_threads: Option<usize>,
    function_threads: usize,
    memory_bytes_max: u64,
    memory_reservation_bytes: u64,
    table_elements_max: u32,
    total_memory_bytes_max: Option<u64>,
    cache: Option<PathBuf>,
    compile_limits: CompileLimits,
    compile_child: Option<CompileChild>,
    module_folder: Option<PathBuf>,
    on_uncaught: Option<Arc<OnUncaught>>,
    spawn_frames: bool,
    counts_fuel: bool,
    on_core_dump: Option<(usize, Arc<OnCoreDump>)>,
    on_warning: Option<(u8, Arc<OnWarning>)>,
    #[cfg(feature = "testing")]
    stage: Option<Arc<Stage>>,
}

type OnUncaught = dyn Fn(&Uncaught) + Send + Sync;
type OnWarning = dyn Fn(&Warning) + Send + Sync;

impl Default for HostBuilder {
    fn default() -> HostBuilder {
        HostBuilder {
            isolates: 1_000,
            threads: None,
            seed: None,
            trusted_isolates: 64,
            trusted_threads: None,
            function_threads: crew::THREADS,
            memory_bytes_max: 4 << 30,
            memory_reservation_bytes: 4 << 30,
            table_elements_max: 100_000,
            total_memory_bytes_max: None,
            cache: None,
            compile_limits: CompileLimits::default(),
            compile_child: None,
            module_folder: None,
            on_uncaught: None,
            spawn_frames: false,
            counts_fuel: false,
            on_core_dump: None,
            on_warning: None,
            #[cfg(feature = "testing")]
            stage: None,
        }
    }
}

impl std::fmt::Debug for HostBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostBuilder").field("isolates", &self.isolates).finish_non_exhaustive()
    }
}

impl HostBuilder {
    /// How many isolates may live at once. All hosts of a process share what the kernel allows: about 10,000 on a
    /// stock Linux.
    ///
    /// A host of 2,000 or less begins without room of its own, so that it is there at once, and makes room for all when the
    /// 17th isolate is born, which takes some milliseconds then.
    pub fn isolates(mut self, isolates: u32) -> HostBuilder {
        self.isolates = isolates;
        self
    }

    /// How many threads run guest code.
    pub fn threads(mut self, threads: usize) -> HostBuilder {
        self.threads = Some(threads);
        self
    }

    /// Runs all isolates on one thread, and draws the next one by this seed. There are no trusted modules then.
    pub fn seed(mut self, seed: u64) -> HostBuilder {
        self.seed = Some(seed);
        self
    }

    /// How many isolates of trusted modules may live at once; they are not counted among [`HostBuilder::isolates`].
    ///
    /// Their places come out of what all hosts of the process share, when [`Host::load_trusted`] is first called.
    pub fn trusted_isolates(mut self, isolates: u32) -> HostBuilder {
        self.trusted_isolates = isolates;
        self
    }

    /// How many threads run isolates of trusted modules, and nothing else. One that loops holds one of them for good.
    pub fn trusted_threads(mut self, threads: usize) -> HostBuilder {
        self.trusted_threads = Some(threads);
        self
    }

    /// How many threads run host functions that block ([`Host::function`]), all functions together. A call that finds
    /// none free waits for one. Calls of one plugin have at most a quarter of them at a time, and one at least: of an
    /// isolate that the embedder spawned, and all that descend from it.
    pub fn function_threads(mut self, threads: usize) -> HostBuilder {
        self.function_threads = threads;
        self
    }

    /// The most linear memory that any isolate can be given, in bytes; at least 64 KiB, at most 4 GiB.
    pub fn memory_max(mut self, bytes: u64) -> HostBuilder {
        self.memory_bytes_max = bytes;
        self
    }

    /// How much address space is set aside for each isolate's memory, in bytes; at least [`HostBuilder::memory_max`].
    ///
    /// With less than the default of 4 GiB more isolates find room, and code must check the bounds of its accesses:
    /// tight loops take up to 1.6 times as long.
    pub fn memory_reservation(mut self, bytes: u64) -> HostBuilder {
        self.memory_reservation_bytes = bytes;
        self
    }

    /// The most linear memory, and blobs, that all isolates can have together, in bytes.
    pub fn total_memory_max(mut self, bytes: u64) -> HostBuilder {
        self.total_memory_bytes_max = Some(bytes);
        self
    }

    /// The most elements that any table can have.
    pub fn table_elements_max(mut self, elements: u32) -> HostBuilder {
        self.table_elements_max = elements;
        self
    }

    /// A folder that keeps compiled modules for the next time. It must be the user's own.
    pub fn cache_folder(mut self, folder: impl Into<PathBuf>) -> HostBuilder {
        self.cache = Some(folder.into());
        self
    }

    /// What bounds the compiling of modules.
    pub fn compile_limits(mut self, limits: CompileLimits) -> HostBuilder {
        self.compile_limits = limits;
        self
    }

    /// Compiles each module in a child process, whose memory and CPU time are limited, and which is killed when it takes
    /// longer than [`CompileLimits::wall`]: the way to load modules of strangers, since a module of some kilobytes can make
    /// the compiler take gigabytes, and the compiler in this process cannot be interrupted.
    ///
    /// What was compiled before, and is in the cache, needs no child. A child takes some milliseconds to start. The host
    /// trusts the program that is named here as it trusts itself: it runs the code that the child writes.
    pub fn compile_in_child(mut self, child: CompileChild) -> HostBuilder {
        self.compile_child = Some(child);
        self
    }

    /// A folder whose `.wasm` and `.wat` files are offered to isolates, each by its name without the ending; see
    /// [`Host::offer`]. A file is read when it is first asked for.
    pub fn module_folder(mut self, folder: impl Into<PathBuf>) -> HostBuilder {
        self.module_folder = Some(folder.into());
        self
    }

    /// What is told of errors that no listener hears; by default one block on standard error.
    ///
    /// It is called on a thread of the host's own, one error after another.
    pub fn on_uncaught(mut self, told: impl Fn(&Uncaught) + Send + Sync + 'static) -> HostBuilder {
        self.on_uncaught = Some(Arc::new(told));
        self
    }

    /// Keeps, of each isolate that a guest spawns, where in the guest's code that was, for [`Origin::frames`](crate::Origin::frames):
    /// a walk of the stack for each spawn, some 6 microseconds, half of what a spawn takes. Not kept by default.
    pub fn spawn_frames(mut self, kept: bool) -> HostBuilder {
        self.spawn_frames = kept;
        self
    }

    /// What takes the core dumps of isolates that trap or panic, heard of or not, of so many at most; the last of these is
    /// for one that the embedder spawned. None is made by default.
    ///
    /// One is made where the isolate ran, which takes twice the room of its memory meanwhile and about a second for 256 MiB,
    /// and taken on the thread of [`HostBuilder::on_uncaught`]. While two wait to be taken no other one is made, but for one
    /// that the embedder spawned. Those that are not made are [counted](crate::Host::skipped_core_dumps).
    pub fn on_core_dump(mut self, at_most: usize, taken: impl Fn(&CoreDump) + Send + Sync + 'static) -> HostBuilder {
        self.on_core_dump = Some((at_most, Arc::new(taken)));
        self
    }

    /// Counts what isolates do, so that [`Limits::fuel`](crate::Limits::fuel) bounds it: about one for each instruction of
    /// WebAssembly, the same on every machine. Code takes up to a third more time for it. Not counted by default; of trusted
    /// modules never.
    pub fn count_fuel(mut self, counted: bool) -> HostBuilder {
        self.counts_fuel = counted;
        self
    }

    /// What is told when an isolate has so many percent of one of its [`Limits`](crate::Limits): of memory, CPU time, either
    /// deadline, messages or bytes in its mailbox, handles, blobs or open ports, or, with all that descend from it, of those
    /// of its tree; and when the host has so many of its own, of live isolates or of memory. Nobody by default.
    ///
    /// It is told once of each limit of each isolate and of the host, on the thread of [`HostBuilder::on_uncaught`], and not under way of
    /// what the isolate does: by then there may be more, or less, or the isolate may be gone. Where 1,000 warnings and
    /// errors wait to be told, further ones are dropped.
    pub fn on_warning(mut self, percent: u8, told: impl Fn(&Warning) + Send + Sync + 'static) -> HostBuilder {
        self.on_warning = Some((percent, Arc::new(told)));
        self
    }

    /// Makes the host: its engine, and room for its isolates. Threads it has from when it needs them.
    ///
    /// # Errors
    /// [`BuildError`] where a setting has no meaning, or the machine does not have what is asked for.
    pub fn build(self) -> Result<Host, BuildError> {
        self.check()?;
        let world = self.world();
        let ticker = Ticker::new(&world);
        let (stdout, stderr) = (Sink::stdout(), Sink::stderr());
        let reporter = self.reporter(&world, [stdout.clone(), stderr.clone()]);
        let (watch, alarm) = self.watched(&reporter);
        let links = self.links(&world, &reporter, alarm.clone());
        let (undertaker, last_words) = undertaker(&links, &reporter);
        let cache = self.cache.clone().map(|folder| Arc::new(Cache::open(folder)));
        let workshop = Workshop::new(self.compile_limits.clone(), self.compile_child.clone(), &world);
        let ground = |isolates| Ground {
            shape: self.shape(isolates),
            cache: cache.clone(),
            workshop: Arc::clone(&workshop),
            undertaker: Arc::clone(&undertaker),
            recorder: Arc::clone(&links.recorder),
        };
        let trial = self.trial();
        let floors = Floors::new(trial)?;
        let checked = Quarters::checked(floors, &ground(self.isolates), &self.workers(), &ticker)?;
        ticker.serve(&checked.scheduler);
        let inner = Arc::new(Inner {
            trusted: Trusted::new(ground(self.trusted_isolates), self.threads_of_trusted()),
            dumps: self.on_core_dump.map(|(at_most, told)| Arc::new(Dumps::new(at_most, told, &reporter))),
            links,
            checked,
            catalog: Catalog::new(self.module_folder),
            loads: Loads::new(workshop.limits.at_once_max),
            workshop,
            world,
            ticker,
            undertaker,
            reporter,
            last_words,
            tasks: Tasks::new(),
            bells: Bells::default(),
            crew: Crew::new(self.function_threads),
            desks: Desks::new(),
            observers: Arc::default(),
            stdout,
            stderr,
            left_behind: Mutex::default(),
            isolates_max: self.isolates,
            spawn_frames: self.spawn_frames,
            watch,
            account: Account::below(None, of_all(self.total_memory_bytes_max), alarm.as_ref()),
            #[cfg(feature = "metrics")]
            total_memory_bytes_max: self.total_memory_bytes_max,
        });
        Ok(Host { _door: Arc::new(Door(Arc::clone(&inner))), inner })
    }

    /// Puts the host on a test's stage: its clock, and one thread.
    #[cfg(feature = "testing")]
    pub(crate) fn on_stage(mut self, stage: impl FnOnce(u64) -> Arc<Stage>) -> HostBuilder {
        let seed = *self.seed.get_or_insert(0);
        self.stage = Some(stage(seed));
        self.on_uncaught.get_or_insert_with(|| Arc::new(|_: &Uncaught| ()));
        self
    }

    fn world(&self) -> Arc<World> {
        #[cfg(feature = "testing")]
        if let Some(stage) = &self.stage {
            return World::staged(Arc::clone(stage));
        }
        World::new()
    }

    fn links(&self, world: &Arc<World>, reporter: &Arc<Reporter>, alarm: Option<Arc<Alarm>>) -> Arc<Links> {
        let registry = Registry::new(self.isolates, self.trusted_isolates).watched_by(alarm);
        Links::new(next_number(), registry, world, aside(world, reporter))
    }

    /// Who calls what the embedder is to be told by.
    fn reporter(&self, world: &World, sinks: [Sink; 2]) -> Arc<Reporter> {
        let told = self.on_uncaught.clone().unwrap_or_else(|| Arc::new(print));
        let reporter = Reporter::new(told, sinks);
        #[cfg(feature = "testing")]
        reporter.note_on(world.stage());
        let _ = world;
        reporter
    }

    /// What checked code is made for.
    pub(super) fn trial(&self) -> Trial {
        Trial { kind: self.kind(), shape: self.shape(self.isolates) }
    }

    /// Bytes that a module may have.
    pub(super) fn compile_bytes_max(&self) -> u64 {
        self.compile_limits.bytes_max
    }

    /// Where compiled code is kept.
    pub(super) fn cache(&self) -> Option<&Path> {
        self.cache.as_deref()
    }

    fn kind(&self) -> Kind {
        if self.counts_fuel { Kind::Counted } else { Kind::Checked }
    }

    /// Who is warned, and of what of the host's.
    fn watched(&self, reporter: &Arc<Reporter>) -> (Option<Watch>, Option<Arc<Alarm>>) {
        let watch = self.on_warning.clone().map(|(percent, told)| watch(percent, told, reporter));
        let alarm = watch.as_ref().map(Alarm::of_host);
        (watch, alarm)
    }

    fn workers(&self) -> Threads {
        let many = || Threads::Many(self.threads.map_or(Workers::OfMachine, Workers::Exactly));
        self.seed.map_or_else(many, Threads::Seeded)
    }

    /// None where there are no trusted modules.
    fn threads_of_trusted(&self) -> Option<usize> {
        self.seed.is_none().then(|| self.trusted_threads.unwrap_or(TRUSTED_THREADS))
    }

    fn shape(&self, isolates: u32) -> Shape {
        Shape {
            isolates,
            memory_bytes_max: self.memory_bytes_max,
            memory_reservation_bytes: self.memory_reservation_bytes,
            table_elements_max: self.table_elements_max as usize,
            core_dumps: self.on_core_dump.is_some(),
        }
    }

    fn check(&self) -> Result<(), BuildError> {
        let invalid = |reason| Err(BuildError::Invalid(reason));
        if self.isolates == 0 {
            return invalid("a host needs room for one isolate at least (HostBuilder::isolates)");
        }
        if self.trusted_isolates == 0 {
            return invalid("trusted modules need room for one isolate at least (HostBuilder::trusted_isolates)");
        }
        if self.on_warning.as_ref().is_some_and(|(percent, _)| !(1..=100).contains(percent)) {
            return invalid("a warning comes at 1 to 100 percent of a limit (HostBuilder::on_warning)");
        }
        if self.threads == Some(0) || self.trusted_threads == Some(0) {
            return invalid("a host needs one thread at least (HostBuilder::threads, HostBuilder::trusted_threads)");
        }
        if self.compile_limits.at_once_max == 0 || self.compile_limits.wall_max.is_zero() {
            return invalid("compiling needs a place and some time (CompileLimits::at_once, CompileLimits::wall)");
        }
        if self.compile_child.as_ref().is_some_and(|child| !child.is_absolute()) {
            return invalid("a program that compiles is named by its absolute path (CompileChild::program)");
        }
        if self.function_threads == 0 {
            return invalid("host functions need one thread at least (HostBuilder::function_threads)");
        }
        if self.seed.is_some() && (self.threads.is_some() || self.trusted_threads.is_some()) {
            return invalid("a host with a seed has one thread (HostBuilder::seed, threads, trusted_threads)");
        }
        if !(64 << 10..=4 << 30).contains(&self.memory_bytes_max) {
            return invalid("the memory ceiling is between 64 KiB and 4 GiB (HostBuilder::memory_max)");
        }
        if !(self.memory_bytes_max..=4 << 30).contains(&self.memory_reservation_bytes) {
            return invalid(
                "the address space of a memory is between its ceiling and 4 GiB (HostBuilder::memory_reservation, \
                 memory_max)",
            );
        }
        Ok(())
    }
}

/// What runs the embedder's own, later, and at work until it is over.
fn aside(world: &Arc<World>, reporter: &Arc<Reporter>) -> Box<Aside> {
    let (world, reporter) = (Arc::clone(world), Arc::clone(reporter));
    Box::new(move |job| {
        let (at_work, world) = (world.at_work(), Arc::clone(&world));
        reporter.run(Box::new(move || {
            let _at_work = at_work;
            until::working(&world, job);
        }));
    })
}

/// Who hands warnings on to the embedder.
fn watch(percent: u8, told: Arc<OnWarning>, reporter: &Arc<Reporter>) -> Watch {
    let reporter = Arc::clone(reporter);
    let tell = move |warning: Warning| {
        let told = Arc::clone(&told);
        reporter.warn(Box::new(move || told(&warning)));
    };
    Watch { percent, tell: Arc::new(tell) }
}

/// The bounds of all isolates together.
fn of_all(memory_bytes_max: Option<u64>) -> Bounds {
    Bounds { memory: memory_bytes_max, ..Bounds::default() }
}

/// Threads of trusted isolates: with one, a single loop would hold up all others.
const TRUSTED_THREADS: usize = 2;

/// Numbers that tell the hosts of a process apart.
fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
