//! The event loop: what runs after an isolate's entry returned, until nothing keeps the isolate alive (semantics 5.3).
//!
//! It holds the listeners and the timers. Each round waits on the host for a message of any port that is listened to, or
//! for the next timer, and runs one handler: that is a turn. No handler runs with the state borrowed, so handlers may
//! listen, close, schedule and cancel as they like.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Duration;

use insula_wire::Status;
use insula_wire::layout::Received;

use crate::call::Source;
use crate::handle::Handle;
use crate::message::Incoming;
use crate::sys;
use crate::{report, time};

/// How a handler ended: with whether to go on, or with an uncaught error.
type Turn = Result<ControlFlow<()>, String>;

struct Listening {
    port: Handle,
    keeps_alive: bool,
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
}

thread_local! {
    static LOOP: RefCell<EventLoop> = const {
        RefCell::new(EventLoop {
            listeners: Vec::new(),
            timers: Vec::new(),
            timers_made: 0,
            firing: None,
        })
    };
}

/// Turns until nothing keeps the isolate alive.
pub(crate) fn run() {
    report::flush();
    let mut after_message = false;
    while let Some((timer_at, listens)) = LOOP.with_borrow(EventLoop::next_wait) {
        // A timer that is due goes before the next message, or a port that is never empty would hold it up for good.
        let timer_first = after_message && timer_at != time::NEVER && timer_at <= time::now();
        after_message = listens && !timer_first && message_until(timer_at);
        if !after_message {
            if timer_at == time::NEVER {
                break; // only ports were waited for, and nobody can send to them
            }
            time::sleep_until(timer_at);
            fire();
        }
    }
    report::flush();
}

/// Waits for a message and handles it, or says that the timers' time has come.
fn message_until(deadline: u64) -> bool {
    let mut found = Received::default();
    match Incoming::take_noting(Source::Port(0, deadline), &mut found) {
        Ok(message) => handle(message),
        Err(Status::TooMany) => {
            let _ = sys::ports_discard(found.port);
            report::uncaught("a message was dropped: the handle table has no room for what it holds");
        }
        Err(_) => return false,
    }
    true
}

fn handle(message: Incoming) {
    let port = message.port;
    let handler = LOOP.with_borrow(|state| {
        let at = state.place_of(port).ok()?;
        Some(Rc::clone(&state.listeners[at].handler))
    });
    let Some(handler) = handler else { return };
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
    fn next_wait(&self) -> Option<(u64, bool)> {
        let timer = self.timers.last().map(|timer| timer.at);
        let alive = timer.is_some() || self.listeners.iter().any(|listening| listening.keeps_alive);
        alive.then(|| (timer.unwrap_or(time::NEVER), !self.listeners.is_empty()))
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
            let _ = sys::ports_close(port.number());
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

pub(crate) fn listen(port: Handle, handler: impl FnMut(Incoming) -> Turn + 'static) -> Listener {
    let number = port.number();
    let _ = sys::ports_listen(number, 1);
    let listening = Listening { port, keeps_alive: true, handler: Rc::new(RefCell::new(handler)) };
    LOOP.with_borrow_mut(|state| {
        let place = state.place_of(number).unwrap_or_else(|place| place);
        state.listeners.insert(place, listening);
    });
    Listener { port: number }
}

/// Ends [`listen`] and leaves the port open: what arrives stays queued.
pub(crate) fn unlisten(port: &Handle) {
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
