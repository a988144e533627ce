//! The event loop: what runs after an isolate's entry returned, until nothing keeps the isolate alive (semantics 5.3).
//!
//! It holds the listeners and the timers. Each round waits on the host for a message of any port that is listened to, or
//! for the next timer, and runs one handler, then the tasks that became ready: that is a turn. No handler runs with the
//! state borrowed, so handlers may listen, close, schedule and cancel as they like.
//!
//! It knows of tasks only what [`Tasks`] says, and that from the first one on: a program without tasks has none of
//! their code.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Duration;

use insula_wire::Status;
use insula_wire::layout::Received;

use crate::call::Source;
use crate::message::Incoming;
use crate::receive_port::OpenPort;
use crate::sys;
use crate::{report, time};

/// How a handler ended: with whether to go on, or with an uncaught error.
type Turn = Result<ControlFlow<()>, String>;

struct Listening {
    port: OpenPort,
    keeps_alive: bool,
    /// A message that cannot be taken is its sender's mistake.
    forgives: bool,
    handler: Rc<RefCell<dyn FnMut(Incoming) -> Turn>>,
}

struct Scheduled {
    at: u64,
    id: TimerId,
    period: Option<u64>,
    handler: Box<dyn FnMut() -> Turn>,
}

/// Timers are told apart by the order in which they were made, which is also that of those due at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TimerId(u64);

/// Sorted vectors: a map's code would be a sixth of a small program.
struct EventLoop {
    /// By number of the port.
    listeners: Vec<Listening>,
    /// By time, the next one last.
    timers: Vec<Scheduled>,
    timers_made: u64,
    /// The timer whose handler runs, unless that cancelled it.
    firing: Option<TimerId>,
    /// Whether turns are under way.
    running: bool,
}

/// What tasks are to the event loop, and to receives.
pub(crate) struct Tasks {
    /// Polls those that are ready, each once.
    pub(crate) run: fn() -> Left,
    /// Keeps a message for the task that waits for it.
    pub(crate) hold: fn(Incoming),
    /// The kept message that such a receive is to find.
    pub(crate) held: fn(Source<'_>) -> Option<Incoming>,
    /// Learns that the port is closed, or its owner gone.
    pub(crate) closed: fn(u32),
    /// Has those that wait for this port look at its message, which cannot be taken; says whether there are any.
    pub(crate) look: fn(u32) -> bool,
    /// Nobody can send to a port that keeps the isolate alive: goes on with what is left, if it can.
    pub(crate) go_on: fn(Left) -> bool,
}

/// What tasks are after they had their turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Left {
    /// What was run for is done; others may go on later.
    pub(crate) done: bool,
    /// Some want to go on at once.
    pub(crate) ready: bool,
    /// Some are not finished.
    pub(crate) unfinished: bool,
    /// Some wait for ports, which are listened to.
    pub(crate) listens: bool,
}

thread_local! {
    static TASKS: Cell<Option<&'static Tasks>> = const { Cell::new(None) };
    static LOOP: RefCell<EventLoop> = const {
        RefCell::new(EventLoop {
            listeners: Vec::new(),
            timers: Vec::new(),
            timers_made: 0,
            firing: None,
            running: false,
        })
    };
}

/// Turns until nothing keeps the isolate alive.
pub(crate) fn run() {
    report::flush();
    turns(&mut || tasks().map_or_else(Left::default, |tasks| (tasks.run)()));
    report::flush();
}

/// Turns until what the tasks are run for is done, or nothing more can happen.
pub(crate) fn turns(run_tasks: &mut dyn FnMut() -> Left) {
    LOOP.with_borrow_mut(|state| state.running = true);
    let mut after_message = false;
    loop {
        let left = run_tasks();
        let next = LOOP.with_borrow(|state| state.next_wait(left)).filter(|_| !left.done);
        let Some((timer_at, listens)) = next else { break };
        let until = if left.ready { 0 } else { timer_at };
        // A timer that is due goes before the next message, or a port that is never empty would hold it up for good.
        let timer_first = after_message && timer_at != time::NEVER && timer_at <= time::now();
        after_message = listens && !timer_first && message(Source::Port(0, until));
        if after_message {
            continue;
        }
        if until != time::NEVER {
            time::sleep_until(until);
            if !left.ready || timer_at <= time::now() {
                fire();
            }
        } else if !tasks().is_some_and(|tasks| (tasks.go_on)(left)) {
            break; // only ports were waited for, and nobody can send to them
        }
    }
    LOOP.with_borrow_mut(|state| state.running = false);
}

/// Waits for a message and handles it; false where none came.
pub(crate) fn message(from: Source<'_>) -> bool {
    let mut found = Received::default();
    match Incoming::take_noting(from, &mut found) {
        Ok(message) => handle(message),
        Err(Status::TooMany) => too_many(found.port),
        Err(_) => return false,
    }
    true
}

#[cold]
fn too_many(port: u32) {
    if !tasks().is_some_and(|tasks| (tasks.look)(port)) {
        let forgives = |state: &EventLoop| state.place_of(port).is_ok_and(|at| state.listeners[at].forgives);
        let _ = sys::ports_discard(port);
        if !LOOP.with_borrow(forgives) {
            report::uncaught(NO_ROOM);
        }
    }
}

/// What is said of a message that cannot be taken and is waited for by a handler.
pub(crate) const NO_ROOM: &str = "a message was dropped: the handle table has no room for what it holds";

fn handle(message: Incoming) {
    let port = message.port;
    let handler = LOOP.with_borrow(|state| {
        let at = state.place_of(port).ok()?;
        Some(Rc::clone(&state.listeners[at].handler))
    });
    let Some(handler) = handler else {
        if let Some(tasks) = tasks() {
            (tasks.hold)(message);
        }
        return;
    };
    let turn = (handler.borrow_mut())(message);
    match turn {
        Ok(ControlFlow::Continue(())) => {}
        Ok(ControlFlow::Break(())) => Listener { port }.close(),
        Err(error) => report::uncaught(&error),
    }
}

/// Runs the next timer, whose time has come.
fn fire() {
    let next = LOOP.with_borrow_mut(|state| {
        let timer = state.timers.pop()?;
        state.firing = Some(timer.id);
        Some(timer)
    });
    let Some(mut timer) = next else { return };
    let turn = (timer.handler)();
    let ended = turn == Ok(ControlFlow::Break(()));
    let active = LOOP.with_borrow_mut(|state| state.firing.take()).is_some();
    if let (Some(period), true, false) = (timer.period, active, ended) {
        let missed = time::now().saturating_sub(timer.at) / period;
        timer.at = timer.at.saturating_add(period.saturating_mul(missed + 1));
        LOOP.with_borrow_mut(|state| state.insert(timer));
    }
    if let Err(error) = turn {
        report::uncaught(&error);
    }
}

impl EventLoop {
    /// When the next timer is due, and whether any port is listened to; nothing where nothing keeps the isolate alive.
    fn next_wait(&self, left: Left) -> Option<(u64, bool)> {
        let timer = self.timers.last().map(|timer| timer.at);
        let alive = timer.is_some() || self.listeners.iter().any(|listening| listening.keeps_alive);
        let wait = (timer.unwrap_or(time::NEVER), left.listens || !self.listeners.is_empty());
        (alive || left.unfinished).then_some(wait)
    }

    /// Where the listener of a port is, or would be.
    fn place_of(&self, port: u32) -> Result<usize, usize> {
        self.listeners.binary_search_by_key(&port, |listening| listening.port.number())
    }

    fn insert(&mut self, timer: Scheduled) {
        let later = |other: &Scheduled| (other.at, other.id) > (timer.at, timer.id);
        let place = self.timers.partition_point(later);
        self.timers.insert(place, timer);
    }
}

/// A port that the event loop listens to; see [`ReceivePort::listen`](crate::ReceivePort::listen).
///
/// Dropping this value changes nothing.
///
/// ```no_run
/// # let port = insula_guest::ReceivePort::<String>::new();
/// let listener = port.listen(|line| println!("{line}"));
/// listener.keep_alive(false);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Listener {
    port: u32,
}

impl Listener {
    /// Closes the port: its handler is not called again. Closing twice is fine.
    pub fn close(self) {
        let listening = LOOP.with_borrow_mut(|state| {
            let place = state.place_of(self.port).ok()?;
            Some(state.listeners.remove(place))
        });
        if let Some(Listening { port, .. }) = &listening {
            port.close();
        }
    }

    /// Whether the open port keeps its isolate alive; it does at first.
    pub fn keep_alive(self, on: bool) {
        let known = LOOP.with_borrow_mut(|state| {
            let place = state.place_of(self.port);
            place.map(|at| state.listeners[at].keeps_alive = on).is_ok()
        });
        if known {
            let _ = sys::ports_keep_alive(self.port, on.into());
        }
    }
}

pub(crate) fn listen(port: OpenPort, handler: impl FnMut(Incoming) -> Turn + 'static) -> Listener {
    let number = port.number();
    let _ = sys::ports_listen(number, 1);
    let listening = Listening { port, keeps_alive: true, forgives: false, handler: Rc::new(RefCell::new(handler)) };
    LOOP.with_borrow_mut(|state| {
        let place = state.place_of(number).unwrap_or_else(|place| place);
        state.listeners.insert(place, listening);
    });
    Listener { port: number }
}

/// A message that this listener has no room for is no error from here on.
pub(crate) fn forgive(listener: &Listener) {
    LOOP.with_borrow_mut(|state| {
        if let Ok(at) = state.place_of(listener.port) {
            state.listeners[at].forgives = true;
        }
    });
}

/// Ends [`listen`] and leaves the port open: what arrives stays queued.
pub(crate) fn unlisten(port: &OpenPort) {
    let _ = sys::ports_listen(port.number(), 0);
    let listening = LOOP.with_borrow_mut(|state| {
        let place = state.place_of(port.number()).ok()?;
        Some(state.listeners.remove(place))
    });
    drop(listening); // its handler may own things whose drop comes back here
}

pub(crate) fn schedule(delay: Duration, period: Option<Duration>, handler: impl FnMut() -> Turn + 'static) -> TimerId {
    report::install_hook();
    let at = time::deadline_in(delay).min(time::NEVER - 1);
    let period = period.map(|period| time::nanoseconds(period).max(1));
    let handler = Box::new(handler);
    LOOP.with_borrow_mut(|state| {
        state.timers_made += 1;
        let id = TimerId(state.timers_made);
        state.insert(Scheduled { at, id, period, handler });
        id
    })
}

pub(crate) fn cancel(timer: TimerId) {
    let cancelled = LOOP.with_borrow_mut(|state| {
        if state.firing == Some(timer) {
            state.firing = None;
        }
        let place = state.timers.iter().position(|other| other.id == timer)?;
        Some(state.timers.remove(place))
    });
    drop(cancelled); // its handler may own things whose drop comes back here
}

pub(crate) fn is_scheduled(timer: TimerId) -> bool {
    LOOP.with_borrow(|state| state.timers.iter().any(|other| other.id == timer))
}

/// Whether turns are under way: a handler or a task is what runs.
pub(crate) fn is_running() -> bool {
    LOOP.with_borrow(|state| state.running)
}

/// Whether nothing keeps the isolate alive. False where there may be tasks, also if there are none.
pub(crate) fn is_over() -> bool {
    tasks().is_none() && LOOP.with_borrow(|state| state.next_wait(Left::default()).is_none())
}

/// The ports that have listeners.
pub(crate) fn listened() -> Vec<u32> {
    LOOP.with_borrow(|state| state.listeners.iter().map(|listening| listening.port.number()).collect())
}

/// Whether a listener has the port.
pub(crate) fn is_listened(port: u32) -> bool {
    LOOP.with_borrow(|state| state.place_of(port).is_ok())
}

/// From now on there may be tasks.
pub(crate) fn set_tasks(tasks: &'static Tasks) {
    report::install_hook();
    TASKS.set(Some(tasks));
}

fn tasks() -> Option<&'static Tasks> {
    TASKS.get()
}

/// The message that a task did not take after it was received for it, where such a receive is to find it first.
pub(crate) fn held(from: Source<'_>) -> Option<Incoming> {
    (tasks()?.held)(from)
}

/// A port is closed, or its owner gone.
pub(crate) fn closed(port: u32) {
    if let Some(tasks) = tasks() {
        (tasks.closed)(port);
    }
}
