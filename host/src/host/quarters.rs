//! What the isolates of one kind have of their own: engines with their pools, the code that is compiled for it, and the
//! threads that run it.
//!
//! A host has [`Quarters`] for checked code from the start, and for trusted code from the first trusted module on. What
//! is trusted cannot be preempted, so it shares no thread with what can; and since nothing of an engine of one kind is of
//! use to the other, neither do they share a place in a pool, a compiled module, or an entry of the cache.

use std::borrow::Cow;
use std::path::Path;
use std::sync::OnceLock;

use super::floors::Floors;
use crate::cache::{Cache, EntryName, Vouched};
use crate::compile::{Artefact, Digest, Workshop};
use crate::engine::{Kind, Shape, Trial};
use crate::error::{BuildError, LoadError, SpawnError};
use crate::event::Recorder;
use crate::exit::Exit;
use crate::isolate::{Module, Undertaker};
use crate::limits::Limits;
use crate::module::{Code, Compiler, Equipment, Known};
use crate::scheduler::{CutShort, Hooks, Outcome, Preemption, Scheduler, Seeded, Ticker, TwoQueues, Workers};
use crate::sync::{Arc, Mutex};

/// Engines, their code, and their threads.
pub(super) struct Quarters {
    compiler: Compiler,
    floors: Arc<Floors>,
    pub(super) scheduler: Arc<dyn Scheduler>,
    pub(super) hooks: Arc<Hooks>,
}

/// What quarters of a host are made from.
pub(super) struct Ground {
    pub(super) shape: Shape,
    pub(super) cache: Option<Arc<Cache>>,
    pub(super) workshop: Arc<Workshop>,
    pub(super) undertaker: Arc<Undertaker>,
    pub(super) recorder: Arc<Recorder>,
}

impl Ground {
    /// For tasks that nothing interrupts.
    fn hooks(&self) -> Hooks {
        let (cut_short, recorder) = (cut_short(&self.undertaker), Arc::clone(&self.recorder));
        Hooks { cut_short, recorder, interrupt: Box::new(|| {}) }
    }
}

/// Who runs checked isolates.
pub(super) enum Threads {
    Many(Workers),
    Seeded(u64),
}

impl Quarters {
    /// For code with epoch checks, which the ticker makes give way.
    pub(super) fn checked(
        floors: Arc<Floors>,
        ground: &Ground,
        threads: &Threads,
        ticker: &Arc<Ticker>,
    ) -> Result<Quarters, BuildError> {
        let interrupted = Arc::clone(&floors);
        let interrupt = move || interrupted.interrupt();
        let hooks = Hooks { interrupt: Box::new(interrupt.clone()), ..ground.hooks() };
        let interrupt = Box::new(interrupt);
        let scheduler: Arc<dyn Scheduler> = match *threads {
            Threads::Seeded(seed) => Seeded::start(seed, ticker, interrupt).map_err(failed)?,
            Threads::Many(threads) => {
                let preemption = Preemption { ticker: Arc::clone(ticker), interrupt };
                TwoQueues::named("insula-worker", threads, Some(preemption))
            }
        };
        Ok(Quarters::new(floors, ground, scheduler, hooks))
    }

    /// For code without.
    fn trusted(ground: &Ground, threads: usize) -> Result<Quarters, BuildError> {
        let floors = Floors::new(Trial { kind: Kind::Trusted, shape: ground.shape })?;
        let scheduler = TwoQueues::named("insula-trusted", Workers::Exactly(threads), None);
        let hooks = ground.hooks();
        Ok(Quarters::new(floors, ground, scheduler, hooks))
    }

    fn new(floors: Arc<Floors>, ground: &Ground, scheduler: Arc<dyn Scheduler>, hooks: Hooks) -> Quarters {
        let equipment = Equipment {
            folder: ground.cache.clone(),
            workshop: Arc::clone(&ground.workshop),
            trial: floors.trial(),
            places: Arc::clone(floors.places()),
        };
        let compiler = Compiler::new(equipment);
        Quarters { compiler, floors, scheduler, hooks: Arc::new(hooks) }
    }

    pub(super) fn load(&self, name: &str, bytes: Cow<'_, [u8]>, known: Option<Known>) -> Result<Module, LoadError> {
        let code = self.compiler.compile(self.floors.current(), name, bytes, known)?;
        self.link(code)
    }

    /// A module that was compiled elsewhere.
    pub(super) fn adopt(&self, name: &str, artefact: &Artefact<'_>, code: Vouched<'_>) -> Result<Module, LoadError> {
        let code = self.compiler.adopt(self.floors.current(), name, artefact, code)?;
        self.link(code)
    }

    /// Of code that was known, the engine may be the first one still: it is loaded into the second here, and not when the
    /// first isolate of it is born.
    fn link(&self, code: Arc<Code>) -> Result<Module, LoadError> {
        let module = Module::link(code)?;
        module.load_into(self.floors.current())?;
        Ok(module)
    }

    /// Whether this folder is the one that keeps its code.
    pub(super) fn is_kept_in(&self, folder: Option<&Path>) -> bool {
        self.compiler.is_kept_in(folder)
    }

    /// What the cache calls the code of bytes of this digest.
    pub(super) fn entry(&self, digest: &Digest) -> EntryName {
        self.compiler.entry(digest)
    }

    /// What its engines are made for.
    pub(super) fn shape(&self) -> &Shape {
        self.compiler.shape()
    }

    /// Lowers limits to what there is room for.
    pub(super) fn bound(&self, limits: &mut Limits) {
        let Shape { memory_bytes_max, table_elements_max, .. } = self.shape();
        limits.memory_bytes_max = limits.memory_bytes_max.min(*memory_bytes_max);
        limits.table_elements_max = limits.table_elements_max.min(*table_elements_max as u64);
    }

    /// Whether a module was loaded here.
    pub(super) fn has(&self, module: &Module) -> bool {
        self.floors.has(module)
    }

    /// The module where the next isolate of it is born.
    pub(super) fn place(&self, module: &Module) -> Result<Module, SpawnError> {
        self.floors.place(module)
    }
}

/// Quarters of trusted isolates, made when they are first needed.
pub(super) struct Trusted {
    ground: Ground,
    /// None in a host with a seed.
    threads: Option<usize>,
    made: OnceLock<Quarters>,
    making: Mutex<()>,
}

impl Trusted {
    pub(super) fn new(ground: Ground, threads: Option<usize>) -> Trusted {
        Trusted { ground, threads, made: OnceLock::new(), making: Mutex::new(()) }
    }

    /// The quarters, if a trusted module was ever loaded.
    pub(super) fn made(&self) -> Option<&Quarters> {
        self.made.get()
    }

    /// The quarters, made now if they are not there.
    pub(super) fn needed(&self) -> Result<&Quarters, BuildError> {
        let _making = self.making.lock();
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        let Some(threads) = self.threads else {
            return Err(BuildError::Invalid(
                "a host with a seed runs all isolates on one thread, which a trusted one could hold for good \
                 (HostBuilder::seed)",
            ));
        };
        let quarters = Quarters::trusted(&self.ground, threads)?;
        Ok(self.made.get_or_init(|| quarters))
    }
}

pub(super) fn failed(error: std::io::Error) -> BuildError {
    BuildError::Engine(error.to_string())
}

/// The death of an isolate whose future does not get to its own end.
fn cut_short(undertaker: &Arc<Undertaker>) -> CutShort {
    let bury = Arc::clone(undertaker);
    Box::new(move |control, outcome| {
        let exit = match outcome {
            Outcome::Ended => control.ending().unwrap_or(Exit::HostClosed),
            Outcome::Panicked(message) => Exit::HostFault { message },
        };
        bury(control, exit, None);
    })
}
