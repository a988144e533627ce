//! The life of an isolate, from its birth to exactly one exit. The only place that enters guest code.
//!
//! A life is one future. It may be dropped wherever it waits: whoever drops it has run the death step before.

use std::future::poll_fn;
use std::task::{Wake, Waker};
use std::time::Duration;

use wasmtime::{AsContext, Store, UpdateDeadline, WasmCoreDump};

use super::ending::exit_of;
use super::{EntryPoint, Module};
use crate::abi::{Ended, Place, State, Until, answer_in_code, frames, wait};
use crate::control::{Control, Flags};
use crate::event::Happened;
use crate::exit::{Exit, Phase};
use crate::scheduler::{Estate, Scheduler, YieldSlice, last_poll, poll_began, slice_is_over};
use crate::sync::{Arc, Mutex};
use crate::warning::{Alarm, Watched};
use crate::world::{NEVER, Nanos, Timer, World};

/// What a life needs beside its state.
pub(crate) struct Life {
    pub(crate) state: State,
    pub(crate) module: Module,
    pub(crate) entry: EntryPoint,
    pub(crate) scheduler: std::sync::Weak<dyn Scheduler>,
    pub(crate) undertaker: Arc<Undertaker>,
}

/// The death step, as the host completes it; the place tells errors with the module's lines. Runs on whatever thread
/// ends the isolate. Answers whether it died here, and not before.
pub(crate) type Undertaker = dyn Fn(&Arc<Control>, Exit, Option<&Place>) -> bool + Send + Sync;

/// Bytes that WASI may allocate for one call of a guest.
const WASI_CALL_BYTES_MAX: usize = 16 << 20;

/// Lives: waits while it is paused, instantiates, calls the entry, and dies of how that ended.
///
/// What it begins with is boxed: a future keeps its room for it to the end, and an isolate that waits is mostly future.
pub(crate) async fn live(mut life: Box<Life>) -> Estate {
    let state = &life.state;
    let (control, world, ends) = (Arc::clone(&state.control), Arc::clone(&state.place.world), state.ends);
    let _deadline =
        (ends != NEVER).then(|| world.timer(ends, Waker::from(Arc::new(DeadlineBell(Arc::clone(&control))))));
    let _warning = warned_of_deadline(state, &control, &world);
    let _run_deadline = RunDeadline::arm(state, &control, &world);
    let no_end = state.has_no_end();
    let until = Until { deadline: NEVER, ports_only: no_end, no_end, call: 0 };
    if let Err(error) = wait(&mut life.state, until, |_: &mut &mut State, _: &Waker| Some(())).await {
        let exit = error.downcast_ref::<Ended>().map_or(Exit::HostClosed, |Ended(exit)| exit.clone());
        last_poll(&control, &life.state.place.links);
        (life.undertaker)(&control, exit, None);
        return None;
    }
    let Life { state, module, entry, scheduler, undertaker } = unboxed(life);
    let place = Arc::clone(&state.place);
    let mut store = store(&module, state, scheduler);
    let result = enter(&mut store, &module, entry).await;
    let exit = exit_of(&result, module.code(), store.data_mut());
    dump(&result, &exit, &mut store, &module);
    let by_itself = matches!(exit, Exit::Returned | Exit::Exited | Exit::ProcExit { .. });
    if let Some(finish) = store.data().wasi.finish(by_itself) {
        finish.await;
    }
    // Without epoch checks, what was to end it in the middle of its code acts here at the latest.
    let exit = control.ending().filter(|_| module.is_trusted()).unwrap_or(exit);
    last_poll(&control, &place.links);
    undertaker(&control, exit, Some(&place));
    Some(Box::new(store))
}

/// Has the core dump of who trapped taken, if it is wanted.
fn dump(result: &wasmtime::Result<()>, exit: &Exit, store: &mut Store<State>, module: &Module) {
    if !matches!(exit, Exit::Trapped { .. } | Exit::Panicked { .. } | Exit::StartFailed { .. }) {
        return;
    }
    let place = Arc::clone(&store.data().place);
    let dump = result.as_ref().err().and_then(|error| error.downcast_ref::<WasmCoreDump>());
    if let (Some(take), Some(dump)) = (&place.dump, dump) {
        let control = Arc::clone(&store.data().control);
        take(&control, &mut || dump.serialize(&mut *store, module.name()));
    }
}

/// The box is given back here, and not when the future ends whose variable it is.
fn unboxed(life: Box<Life>) -> Life {
    *life
}

fn store(module: &Module, state: State, scheduler: std::sync::Weak<dyn Scheduler>) -> Store<State> {
    let mut store = Store::new(module.engine(), state);
    store.limiter(|state| state);
    store.set_hostcall_fuel(WASI_CALL_BYTES_MAX);
    if module.is_trusted() {
        return store;
    }
    if module.counts_fuel() {
        let fuel = store.data().limits.fuel_max.unwrap_or(u64::MAX);
        store.set_fuel(fuel).expect("its engine counts");
    }
    // Due at once, here and after every yield: an epoch that was bumped before the deadline is set is a kill that nobody
    // would see before the next tick.
    store.set_epoch_deadline(0);
    store.epoch_deadline_callback(move |cx| {
        look_up(cx.data())?;
        answer_in_code(&cx);
        sample(&cx);
        let over = scheduler.upgrade().is_some_and(|scheduler| slice_is_over(&*scheduler));
        Ok(if over { UpdateDeadline::YieldCustom(0, Box::pin(YieldSlice::new())) } else { UpdateDeadline::Continue(1) })
    });
    store
}

/// What an isolate looks at in the middle of its code: the epoch means nothing but "look at your own flags".
fn look_up(state: &State) -> wasmtime::Result<()> {
    if let Some(exit) = state.control.ending() {
        return Err(Ended::error(exit));
    }
    let limit = state.limits.cpu_time_max;
    match limit.and_then(|limit| beyond_cpu_time(limit, &state.control, &state.place.world)) {
        Some(exit) => Err(Ended::error(exit)),
        None => Ok(()),
    }
}

/// Puts down where it is, if a sample is due.
fn sample(store: impl AsContext<Data = State>) {
    let State { control, place, .. } = store.as_context().data();
    let Some(nanos) = place.links.recorder.sample_nanos(poll_began()) else { return };
    let (frames, module) = (frames(&store), Arc::clone(&place.module));
    let shown = move || {
        let module = Module::of_any(module);
        let frames = module.as_ref().map(|module| module.shown_frames(&frames)).unwrap_or(frames);
        let name = module.as_ref().map_or("", Module::name).to_owned();
        Happened::Sampled { took: Duration::from_nanos(nanos), module: name, frames }
    };
    place.links.recorder.sampled(place.world.now(), control.id, Box::new(shown));
}

/// The end of an isolate that had more CPU time than this, the poll that this thread is in counted.
fn beyond_cpu_time(limit: Duration, control: &Control, world: &World) -> Option<Exit> {
    let this_poll = world.now().saturating_sub(poll_began());
    let used = control.meter.cpu_nanos().saturating_add(this_poll);
    let value = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
    if let Some(alarm) = &control.alarm {
        alarm.look(Watched::CpuTime, used, value);
    }
    (u128::from(used) > limit.as_nanos()).then(|| Exit::Limit { which: "cpu-time".to_owned(), value })
}

/// Lives without epoch checks: where it waits, its CPU time is looked at.
pub(crate) async fn live_trusted(life: Box<Life>) -> Estate {
    let (control, world) = (Arc::clone(&life.state.control), Arc::clone(&life.state.place.world));
    let limit = life.state.limits.cpu_time_max;
    let mut life = std::pin::pin!(live(life));
    poll_fn(|cx| {
        let polled = life.as_mut().poll(cx);
        let beyond = limit.filter(|_| polled.is_pending()).and_then(|limit| beyond_cpu_time(limit, &control, &world));
        // What is to end and waits is ended by whoever polls it.
        beyond.into_iter().for_each(|exit| control.end_now(exit));
        polled
    })
    .await
}

/// Guest code runs from here on.
async fn enter(store: &mut Store<State>, module: &Module, entry: EntryPoint) -> wasmtime::Result<()> {
    // Boxed for the same reason as a life: it is a thousand bytes, and over soon.
    let instance = Box::pin(module.instance().instantiate_async(&mut *store)).await?;
    let memory = module.memory().and_then(|export| instance.get_module_export(&mut *store, export));
    store.data_mut().memory = memory.and_then(wasmtime::Extern::into_memory);
    if let Some(initialize) = module.initialize().filter(|_| !entry.is_main) {
        call(store, &instance, initialize).await?;
    }
    match entry.index {
        Some(index) => {
            let function = function(store, &instance, &entry.export)?.typed::<u32, ()>(&mut *store)?;
            function.call_async(&mut *store, index).await
        }
        None => {
            store.data().control.flags.set(Flags::ENTERED);
            call(store, &instance, &entry.export).await?;
            match module.event_loop() {
                Some(event_loop) => call(store, &instance, event_loop).await,
                None => Ok(()),
            }
        }
    }
}

fn function(
    store: &mut Store<State>,
    instance: &wasmtime::Instance,
    export: &wasmtime::ModuleExport,
) -> wasmtime::Result<wasmtime::Func> {
    let function = instance.get_module_export(store, export).and_then(wasmtime::Extern::into_func);
    function.ok_or_else(|| wasmtime::Error::msg("an export that was there at load is gone"))
}

async fn call(
    store: &mut Store<State>,
    instance: &wasmtime::Instance,
    export: &wasmtime::ModuleExport,
) -> wasmtime::Result<()> {
    let function = function(store, instance, export)?.typed::<(), ()>(&mut *store)?;
    function.call_async(store, ()).await
}

/// Rings when the isolate's deadline comes, wherever it is then.
struct DeadlineBell(Arc<Control>);

impl Wake for DeadlineBell {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.end_now(Exit::Deadline { phase: phase(&self.0) });
    }
}

/// Rings when the embedder is to be warned of the isolate's deadline.
struct WarningBell {
    alarm: Arc<Alarm>,
    limit: u64,
}

impl Wake for WarningBell {
    fn wake(self: std::sync::Arc<Self>) {
        self.alarm.look(Watched::Deadline, self.alarm.from(self.limit), self.limit);
    }
}

/// What warns of the isolate's deadline, where somebody is to be warned.
fn warned_of_deadline(state: &State, control: &Control, world: &Arc<World>) -> Option<Timer> {
    let alarm = control.alarm.as_ref().filter(|_| state.ends != NEVER)?;
    let limit = state.ends.saturating_sub(state.admitted);
    let due = state.admitted.saturating_add(alarm.from(limit));
    Some(world.timer(due, Waker::from(Arc::new(WarningBell { alarm: Arc::clone(alarm), limit }))))
}

/// What an isolate is doing.
fn phase(control: &Control) -> Phase {
    match control.flags.call() {
        _ if !control.flags.any(Flags::ENTERED) => Phase::Start,
        Some(call) => Phase::Waiting { call: call.name().to_owned() },
        None => Phase::Guest,
    }
}

/// A deadline that leaves out the time queued or paused (semantics 9.1): it rings when it would come if nothing more were
/// left out, looks how much was, and rings again when that is made up.
struct RunDeadline {
    control: Arc<Control>,
    world: Arc<World>,
    admitted: Nanos,
    nanos: u64,
    timer: Mutex<Option<Timer>>,
}

/// Rings of a run deadline are at least so far apart: somebody who is paused has no time to make up.
const RING_NANOS_MIN: u64 = 1_000_000;

/// Takes the bell down when the life is over.
struct Armed(Arc<RunDeadline>);

impl RunDeadline {
    fn arm(state: &State, control: &Arc<Control>, world: &Arc<World>) -> Option<Armed> {
        let nanos = u64::try_from(state.limits.run_deadline?.as_nanos()).unwrap_or(NEVER);
        let (control, world) = (Arc::clone(control), Arc::clone(world));
        let admitted = state.admitted;
        let bell = Arc::new(RunDeadline { control, world, admitted, nanos, timer: Mutex::new(None) });
        bell.ring_at(admitted.saturating_add(bell.goal(0)));
        Some(Armed(bell))
    }

    /// How much time is to have counted when it rings next.
    fn goal(&self, counted: u64) -> u64 {
        let warns_at = self.control.alarm.as_ref().map(|alarm| alarm.from(self.nanos));
        warns_at.filter(|at| counted < *at).unwrap_or(self.nanos)
    }

    fn ring_at(self: &Arc<RunDeadline>, due: Nanos) {
        let timer = self.world.timer(due, Waker::from(Arc::clone(self)));
        let before = self.timer.lock().replace(timer);
        drop(before);
    }
}

impl Wake for RunDeadline {
    fn wake(self: std::sync::Arc<Self>) {
        if self.control.exit().is_some() {
            return;
        }
        let now = self.world.now();
        let counted = self.control.meter.counted_nanos(self.admitted, now);
        if let Some(alarm) = &self.control.alarm {
            alarm.look(Watched::RunDeadline, counted, self.nanos);
        }
        if counted >= self.nanos {
            return self.control.end_now(Exit::Deadline { phase: phase(&self.control) });
        }
        let left = self.goal(counted) - counted;
        self.ring_at(now.saturating_add(left.max(RING_NANOS_MIN)));
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        let timer = self.0.timer.lock().take();
        drop(timer);
    }
}
