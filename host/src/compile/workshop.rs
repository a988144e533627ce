//! Where a host compiles: so many modules at once, each on threads of its own, and the same bytes once.
//!
//! - [`Workshop`]: places, and how many of them are held by compiles that take too long. One for each host.
//! - [`Flights`]: what is being compiled for one engine, by digest. Whoever asks first leads the [`Flight`], and sees to
//!   it that it lands; others wait for that. Nobody who gives up ends it for anybody else.
//! - [`Order`]: all that the threads of a compile need, since they may outlive who gave it.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use rayon_core::{ThreadPool, ThreadPoolBuilder};
use wasmtime::{Engine, Module};

use super::child::{CompileChild, Group};
use super::{CompileLimits, Counts, Digest, Refusal, validate};
use crate::cache::{Authentic, Cache, EntryName, Vouched, deserialize, loaded_again};
use crate::engine::{Places, Trial};
use crate::log;
use crate::sync::{Arc, Doorbell, Mutex, Weak};
use crate::world::{Nanos, World};

/// Bytes of a module that are worth a further thread.
const BYTES_PER_THREAD: usize = 8 << 10;

/// Bytes of the stack of a thread that compiles.
const STACK_BYTES: usize = 8 << 20;

/// The limits of a host's compiles, and the places that they take.
pub(crate) struct Workshop {
    pub(crate) limits: CompileLimits,
    child: Option<CompileChild>,
    taken: Mutex<Taken>,
    freed: Doorbell,
    counts: Mutex<Counts>,
    world: Arc<World>,
}

#[derive(Debug, Default)]
struct Taken {
    places: u32,
    /// Of them, those of compiles that take longer than they may.
    left_behind: u32,
}

impl Workshop {
    pub(crate) fn new(limits: CompileLimits, child: Option<CompileChild>, world: &Arc<World>) -> Arc<Workshop> {
        let (taken, freed, counts) = (Mutex::default(), Doorbell::default(), Mutex::default());
        Arc::new(Workshop { limits, child, taken, freed, counts, world: Arc::clone(world) })
    }

    /// Compiles that are under way, those that were left behind among them.
    #[cfg(feature = "metrics")]
    pub(crate) fn under_way(&self) -> u32 {
        self.taken.lock().places
    }

    /// What was counted until now.
    #[cfg(feature = "metrics")]
    pub(crate) fn counts(&self) -> Counts {
        self.counts.lock().clone()
    }

    /// The time since `began`, as the machine has it.
    fn since(&self, began: Nanos) -> Duration {
        Duration::from_nanos(self.world.real().saturating_sub(began))
    }

    /// Compiles that take longer than they may, and go on.
    pub(crate) fn left_behind(&self) -> u32 {
        self.taken.lock().left_behind
    }

    /// Waits for a place, as long as a compile may take; not where none can be expected.
    fn place(self: &Arc<Workshop>) -> Result<WorkPlace, Refusal> {
        let at_once = self.limits.at_once_max;
        let mut found = Err(Refusal::Busy { at_once, left_behind: 0 });
        self.freed.wait_timeout(self.limits.wall_max, || {
            let mut taken = self.taken.lock();
            if taken.places < at_once {
                taken.places += 1;
                found = Ok(WorkPlace(Arc::clone(self)));
                return true;
            }
            found = Err(Refusal::Busy { at_once, left_behind: taken.left_behind });
            taken.left_behind >= at_once
        });
        found
    }

    /// One more is left behind, or one less.
    fn count_left_behind(&self, count: impl FnOnce(u32) -> u32) {
        let mut taken = self.taken.lock();
        taken.left_behind = count(taken.left_behind);
        drop(taken);
        // Whoever waits for a place may have to wait no longer.
        self.freed.ring();
    }
}

/// A place in a workshop, free again when it is dropped.
struct WorkPlace(Arc<Workshop>);

impl Drop for WorkPlace {
    fn drop(&mut self) {
        self.0.taken.lock().places -= 1;
        self.0.freed.ring();
    }
}

/// What is being compiled, by the digest of its bytes.
#[derive(Default)]
pub(crate) struct Flights(Mutex<HashMap<Digest, Weak<Flight>>>);

/// One compile, and who waits for it.
pub(crate) struct Flight {
    state: Mutex<State>,
    /// Rung at each change of the stage.
    bell: Doorbell,
    workshop: Arc<Workshop>,
}

struct State {
    stage: Stage,
    /// Whether somebody waited for it as long as it may take.
    overdue: bool,
    child: Option<Group>,
}

enum Stage {
    /// Waits for a place.
    Queued,
    Compiling,
    Landed(Result<Module, Refusal>),
}

/// The one who leads a flight. It lands when this is dropped, whatever else happens.
struct Lead(Arc<Flight>);

impl Flights {
    /// The code of these bytes: that which `known` has, or what a flight brings. It is asked again under the lock, so that
    /// it sees what a flight brought that is over. Whoever keeps the code does so before it lets the flight go.
    pub(crate) fn bring(
        &self,
        order: Order,
        known: impl FnOnce() -> Option<Module>,
    ) -> Result<(Module, Option<Arc<Flight>>), Refusal> {
        let mut flights = self.0.lock();
        if let Some(flight) = flights.get(&order.digest).and_then(Weak::upgrade) {
            drop(flights);
            return Ok((flight.wait()?, Some(flight)));
        }
        if let Some(known) = known() {
            return Ok((known, None));
        }
        flights.retain(|_, flight| flight.strong_count() > 0);
        let state = State { stage: Stage::Queued, overdue: false, child: None };
        let workshop = Arc::clone(&order.workshop);
        let flight = Arc::new(Flight { state: Mutex::new(state), bell: Doorbell::default(), workshop });
        flights.insert(order.digest, Arc::downgrade(&flight));
        drop(flights);
        order.lead(Lead(Arc::clone(&flight)));
        Ok((flight.wait()?, Some(flight)))
    }
}

impl Flight {
    /// Waits until it lands, as long as it may take from when it began or from now.
    fn wait(&self) -> Result<Module, Refusal> {
        self.bell.wait_until(|| (!matches!(self.state.lock().stage, Stage::Queued)).then_some(()));
        let wall = self.workshop.limits.wall_max;
        self.bell.wait_timeout(wall, || matches!(self.state.lock().stage, Stage::Landed(_)));
        let mut state = self.state.lock();
        match &state.stage {
            Stage::Landed(outcome) => outcome.clone(),
            Stage::Queued | Stage::Compiling => {
                if !std::mem::replace(&mut state.overdue, true) {
                    self.workshop.count_left_behind(|count| count + 1);
                }
                if let Some(child) = &state.child {
                    child.kill();
                }
                Err(Refusal::TimedOut(wall))
            }
        }
    }

    fn begin(&self) {
        self.state.lock().stage = Stage::Compiling;
        self.bell.ring();
    }

    /// Its compile is in the hands of this child, which is killed when it takes too long; or in nobody's any more.
    pub(super) fn in_hands_of(&self, child: Option<Group>) {
        let mut state = self.state.lock();
        if let Some(child) = child.as_ref().filter(|_| state.overdue) {
            child.kill();
        }
        state.child = child;
    }

    /// Ends its child, if that is alive.
    pub(super) fn dismiss(&self) {
        if let Some(child) = self.state.lock().child.take() {
            child.kill();
        }
    }

    fn land(&self, outcome: Result<Module, Refusal>) {
        let mut state = self.state.lock();
        if matches!(state.stage, Stage::Landed(_)) {
            return;
        }
        let outcome = match outcome {
            // It was killed for that.
            Err(Refusal::Child { .. }) if state.overdue => Err(Refusal::TimedOut(self.workshop.limits.wall_max)),
            outcome => outcome,
        };
        state.stage = Stage::Landed(outcome);
        let overdue = state.overdue;
        drop(state);
        if overdue {
            self.workshop.count_left_behind(|count| count - 1);
        }
        self.bell.ring();
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.0.land(Err(Refusal::Compile("the compile was lost".to_owned())));
    }
}

/// What is to be compiled, and for whom.
pub(crate) struct Order {
    /// What the module is called by who loads it.
    pub(crate) name: String,
    pub(crate) workshop: Arc<Workshop>,
    pub(crate) engine: Engine,
    pub(crate) trial: Trial,
    pub(crate) folder: Option<Arc<Cache>>,
    pub(crate) digest: Digest,
    pub(crate) bytes: Arc<Vec<u8>>,
    /// Its code, where that was looked for before.
    pub(crate) found: Option<Authentic>,
    /// The engine's pool stays mapped for as long as a compile of it goes on.
    pub(crate) _places: Arc<Places>,
}

impl Order {
    /// Sees to it that the flight lands: here and now where the cache has the code or nothing can be done, else on threads
    /// of its own.
    fn lead(self, lead: Lead) {
        if let Some(kept) = self.kept() {
            return lead.0.land(Ok(kept));
        }
        let begun = self.workshop.place().and_then(|place| Ok((place, self.threads()?)));
        match begun {
            Err(refusal) => lead.0.land(Err(refusal)),
            Ok((place, threads)) => {
                lead.0.begin();
                threads.spawn(move || {
                    let began = self.workshop.world.real();
                    let outcome = catch_unwind(AssertUnwindSafe(|| self.compile(&lead.0)));
                    let outcome = outcome.unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
                    self.note(began, &outcome);
                    // Given back first: who sees the flight landed finds the place free.
                    drop(place);
                    lead.0.land(outcome);
                });
            }
        }
    }

    /// What the cache has.
    fn kept(&self) -> Option<Module> {
        let folder = self.folder.as_ref()?;
        let began = self.workshop.world.real();
        let found = self.found.as_ref().and_then(|found| found.load(&self.engine));
        let kept = found.or_else(|| folder.load(&self.engine, &self.entry()));
        // One that the pool refuses was compiled for another host. Here that is found out when it is compiled.
        let kept = kept.filter(|module| self.trial.is_passed_by(module));
        self.workshop.counts.lock().looked(kept.is_some());
        if kept.is_some() {
            log::code(&self.name, &self.bytes, self.workshop.since(began), log::Source::Cache);
        }
        kept
    }

    /// What the cache calls its code.
    fn entry(&self) -> EntryName {
        EntryName::of(&self.trial, &self.digest)
    }

    /// Counts a compile that is over, and logs it.
    fn note(&self, began: Nanos, outcome: &Result<Module, Refusal>) {
        let took = self.workshop.since(began);
        self.workshop.counts.lock().compiled(took, outcome.is_err());
        match outcome {
            Ok(_) => log::code(&self.name, &self.bytes, took, log::Source::Compiler),
            Err(refusal) => log::refused(&self.name, &self.bytes, took, &refusal.clone().of(&self.name)),
        }
    }

    /// As many as the module is worth. They end when what was spawned on them does, and no compile waits for the threads
    /// of another one.
    fn threads(&self) -> Result<ThreadPool, Refusal> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let worth = if self.workshop.child.is_some() { 1 } else { 1 + self.bytes.len() / BYTES_PER_THREAD };
        threads(cores.min(worth))
    }

    fn compile(&self, flight: &Flight) -> Result<Module, Refusal> {
        let compiled = match &self.workshop.child {
            Some(child) => {
                let code = child.compile(self, flight)?;
                deserialize(&self.engine, Vouched::by_child(&code)).map_err(|error| Refusal::by_wasmtime(&error))?
            }
            None => {
                validate(&self.bytes)?;
                Module::new(&self.engine, self.bytes.as_slice()).map_err(|error| Refusal::by_wasmtime(&error))?
            }
        };
        let compiled = tried(compiled, &self.trial)?;
        if let Some(folder) = &self.folder {
            folder.store(&self.entry(), &compiled);
        }
        Ok(compiled)
    }
}

/// The module, unless the pool that its host will make has no room for such.
pub(crate) fn tried(module: Module, trial: &Trial) -> Result<Module, Refusal> {
    // Only a pool has such numbers; what is in it already was not refused.
    if module.engine().pooling_allocator_metrics().is_some() {
        return Ok(module);
    }
    let engine = trial.engine().map_err(|error| Refusal::NoRoom(error.to_string()))?;
    match loaded_again(&engine, &module) {
        Err(error) => Err(Refusal::by_wasmtime(&error)),
        Ok(_) => Ok(module),
    }
}

/// Threads for one compile.
pub(super) fn threads(count: usize) -> Result<ThreadPool, Refusal> {
    let threads = ThreadPoolBuilder::new().num_threads(count).stack_size(STACK_BYTES);
    let threads = threads.thread_name(|_| "insula-compile".to_owned()).build();
    threads.map_err(|error| Refusal::Compile(format!("there is no thread for it: {error}")))
}

/// A fault of the compiler's.
pub(super) fn panicked(panic: &(dyn std::any::Any + Send)) -> Refusal {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    Refusal::Compile(format!("the compiler panicked: {}", text.unwrap_or("no text")))
}

#[cfg(test)]
mod tests;
