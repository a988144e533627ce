//! The engines of one kind of isolates: one without a pool that a host begins with, and one with a pool for all that may
//! live.
//!
//! wasmtime makes a pool whole, with a call of the system for each place, and the kernel takes each down again: for a
//! program that prints a line that is most of its time. So a host begins with an engine that asks the system at each
//! birth, and makes the other one after some of them. From then on all are born in that, and what was loaded before is
//! loaded into it once more. Which of the two an isolate lives in means nothing to anybody but its Store.

use std::sync::OnceLock;
use std::thread::Builder;

use wasmtime::Engine;

#[cfg(feature = "testing")]
use crate::abi;
use crate::engine::{FIRST_BIRTHS, Places, Trial, engine, first_engine};
use crate::error::{BuildError, SpawnError};
use crate::isolate::Module;
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::{Arc, Mutex};

/// The engines of one kind.
pub(super) struct Floors {
    trial: Trial,
    first: Engine,
    /// Births that the first one is for still; none where it is for all.
    further: Option<AtomicU32>,
    second: OnceLock<Engine>,
    growing: Mutex<()>,
    places: Arc<Places>,
}

impl Floors {
    /// Makes the first engine, where the process has room for all that may live.
    pub(super) fn new(trial: Trial) -> Result<Arc<Floors>, BuildError> {
        let Trial { kind, shape } = trial;
        let places = Arc::new(Places::take(shape.isolates)?);
        let grows = shape.grows();
        let first = if grows { first_engine(kind, &shape) } else { engine(kind, &shape) };
        let further = grows.then(|| AtomicU32::new(FIRST_BIRTHS));
        let (second, growing) = (OnceLock::new(), Mutex::new(()));
        Ok(Arc::new(Floors { trial, first: first?, further, second, growing, places }))
    }

    /// What a compiler for them makes code for.
    pub(super) fn trial(&self) -> Trial {
        self.trial
    }

    /// The room of the process that they take.
    pub(super) fn places(&self) -> &Arc<Places> {
        &self.places
    }

    /// Where modules are loaded now.
    pub(super) fn current(&self) -> &Engine {
        self.second.get().unwrap_or(&self.first)
    }

    /// Whether a module was loaded here.
    pub(super) fn has(&self, module: &Module) -> bool {
        let engines = [Some(&self.first), self.second.get()];
        engines.into_iter().flatten().any(|engine| Engine::same(engine, module.engine()))
    }

    /// The module where the next isolate is born. Makes the second engine when the first is for no more.
    ///
    /// # Errors
    /// [`SpawnError::NoRoom`] where the system has no room for it; the next birth asks again.
    pub(super) fn place(&self, module: &Module) -> Result<Module, SpawnError> {
        match self.of_next_birth().and_then(|engine| module.in_engine(engine)) {
            Some(module) => Ok(module),
            None => self.grow(module).map_err(|reason| SpawnError::NoRoom { max: self.trial.shape.isolates, reason }),
        }
    }

    /// Makes every running isolate look at its flags.
    pub(super) fn interrupt(&self) {
        self.first.increment_epoch();
        if let Some(second) = self.second.get() {
            second.increment_epoch();
        }
    }

    /// The engine for one more, if there is one yet.
    fn of_next_birth(&self) -> Option<&Engine> {
        let Some(further) = &self.further else { return Some(&self.first) };
        if let Some(second) = self.second.get() {
            return Some(second);
        }
        let taken = further.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |further| further.checked_sub(1));
        taken.is_ok().then_some(&self.first)
    }

    /// Makes the second engine, if that is not there, and loads the module into it: on a thread of its own, since a guest
    /// that spawns may have left little of the stack that it calls us on.
    fn grow(&self, module: &Module) -> Result<Module, String> {
        let make = || module.load_into(self.second()?).map_err(|error| error.to_string());
        std::thread::scope(|scope| {
            let thread = Builder::new().name("insula-growth".to_owned()).spawn_scoped(scope, make);
            let made = thread.map_err(|error| error.to_string())?.join();
            made.unwrap_or_else(|_| Err("wasmtime panicked".to_owned()))
        })
    }

    fn second(&self) -> Result<&Engine, String> {
        let _growing = self.growing.lock();
        if let Some(second) = self.second.get() {
            return Ok(second);
        }
        let second = engine(self.trial.kind, &self.trial.shape).map_err(|error| error.to_string())?;
        Ok(self.second.get_or_init(|| second))
    }
}

/// The module, with imports at which its isolates meet faults.
#[cfg(feature = "testing")]
pub(super) fn gated(module: &Module) -> Module {
    module.linked_anew(abi::link_gated).expect("what was linked once has imports of the same names and types")
}
