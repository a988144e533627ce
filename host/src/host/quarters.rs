//! What the isolates of one kind have of their own: an engine with its pool, the code that is compiled for it, and the
//! threads that run it.
//!
//! A host has [`Quarters`] for checked code from the start, and for trusted code from the first trusted module on. What
//! is trusted cannot be preempted, so it shares no thread with what can; and since nothing of either engine is of use to
//! the other, neither do they share a place in a pool, a compiled module, or an entry of the cache.

use std::borrow::Cow;
use std::sync::OnceLock;

use wasmtime::Engine;

use crate::abi::{self, Definer};
use crate::cache::{Cache, Vouched};
use crate::compile::{Artefact, Workshop};
use crate::engine::{Kind, Places, Shape, engine};
use crate::error::{BuildError, LoadError};
use crate::event::Recorder;
use crate::exit::Exit;
use crate::isolate::{Module, Undertaker};
use crate::module::{Compiler, Equipment};
use crate::scheduler::{CutShort, Hooks, Outcome, Preemption, Scheduler, Seeded, Ticker, TwoQueues};
use crate::sync::{Arc, Mutex};
use crate::wasi;

/// An engine, its code, and its threads.
pub(super) struct Quarters {
    compiler: Compiler,
    linker: Definer,
    pub(super) scheduler: Arc<dyn Scheduler>,
    pub(super) hooks: Arc<Hooks>,
}

/// What quarters of a host are made from.
pub(super) struct Ground {
    pub(super) shape: Shape,
    pub(super) cache: Option<Arc<Cache>>,
    pub(super) workshop: Arc<Workshop>,
    pub(super) io: tokio::runtime::Handle,
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
    Many(usize),
    Seeded(u64),
}

impl Quarters {
    /// For code with epoch checks, which the ticker makes give way.
    pub(super) fn checked(ground: &Ground, threads: &Threads, ticker: &Arc<Ticker>) -> Result<Quarters, BuildError> {
        let places = Places::take(ground.shape.isolates)?;
        let engine = engine(Kind::Checked, &ground.shape)?;
        let bump = engine.clone();
        let interrupt = move || bump.increment_epoch();
        let hooks = Hooks { interrupt: Box::new(interrupt.clone()), ..ground.hooks() };
        let interrupt = Box::new(interrupt);
        let scheduler: Arc<dyn Scheduler> = match *threads {
            Threads::Seeded(seed) => Seeded::start(seed, &ground.io, ticker, interrupt).map_err(failed)?,
            Threads::Many(threads) => {
                let preemption = Preemption { ticker: Arc::clone(ticker), interrupt };
                TwoQueues::start("insula-worker", threads, &ground.io, Some(preemption)).map_err(failed)?
            }
        };
        Quarters::new(Kind::Checked, engine, places, ground, scheduler, hooks)
    }

    /// For code without.
    fn trusted(ground: &Ground, threads: usize) -> Result<Quarters, BuildError> {
        let places = Places::take(ground.shape.isolates)?;
        let engine = engine(Kind::Trusted, &ground.shape)?;
        let scheduler = TwoQueues::start("insula-trusted", threads, &ground.io, None).map_err(failed)?;
        let hooks = ground.hooks();
        Quarters::new(Kind::Trusted, engine, places, ground, scheduler, hooks)
    }

    fn new(
        kind: Kind,
        engine: Engine,
        places: Places,
        ground: &Ground,
        scheduler: Arc<dyn Scheduler>,
        hooks: Hooks,
    ) -> Result<Quarters, BuildError> {
        let linker = linker(&engine).map_err(|error| BuildError::Engine(format!("{error:#}")))?;
        let equipment = Equipment {
            folder: ground.cache.clone(),
            workshop: Arc::clone(&ground.workshop),
            memory_reservation_bytes: ground.shape.memory_reservation_bytes,
        };
        let compiler = Compiler::new(kind, engine, places, equipment);
        Ok(Quarters { compiler, linker, scheduler, hooks: Arc::new(hooks) })
    }

    pub(super) fn load(&self, name: &str, bytes: Cow<'_, [u8]>) -> Result<Module, LoadError> {
        let code = self.compiler.compile(name, bytes)?;
        Module::link(&self.linker, code)
    }

    /// A module that was compiled elsewhere.
    pub(super) fn adopt(&self, name: &str, artefact: &Artefact<'_>, code: Vouched<'_>) -> Result<Module, LoadError> {
        let code = self.compiler.adopt(name, artefact, code)?;
        Module::link(&self.linker, code)
    }

    /// The module, with imports at which its isolates meet faults.
    #[cfg(feature = "testing")]
    pub(super) fn gated(&self, module: &Module) -> Module {
        let linked = abi::link_gated(module.code().compiled.engine()).and_then(|mut linker| {
            wasi::link(&mut linker)?;
            Ok(Module::link(&linker, Arc::clone(module.code())))
        });
        linked.ok().and_then(Result::ok).expect("what was linked once has imports of the same names and types")
    }

    /// Whether a module was loaded here.
    pub(super) fn has(&self, module: &Module) -> bool {
        self.compiler.made(module.code())
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

/// Every import: ours, and WASI's.
fn linker(engine: &Engine) -> wasmtime::Result<Definer> {
    let mut linker = abi::link(engine)?;
    wasi::link(&mut linker)?;
    Ok(linker)
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
