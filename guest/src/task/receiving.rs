//! How tasks wait for messages: the event loop listens to their ports too, and takes for them what comes.
//!
//! A message that was taken off the host's queue lies in `held` until the task takes it, in the same turn as a rule. If
//! the task's future was dropped meanwhile the message stays there, and any receive of the port finds it first: dropping
//! the future of a receive loses nothing.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use insula_wire::Status;

use crate::call::Source;
use crate::event_loop::Left;
use crate::message::Incoming;
use crate::{event_loop, sys, time};

/// A port that tasks wait for.
struct Awaited {
    port: u32,
    /// Whether the host was told.
    listened: bool,
    waiters: Vec<Rc<Waiter>>,
}

struct Waiter {
    waker: RefCell<Waker>,
    look: Cell<Look>,
}

/// Why a waiter was woken, if it was.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Look {
    #[default]
    Asleep,
    /// Something is there, or the port is closed.
    There,
    /// Nothing else can run: a port that nobody can send to is not waited for any longer.
    Alone,
}

struct Ports {
    /// By number.
    awaited: Vec<Awaited>,
    /// Those whose waiters came or went, since the host was told last.
    changed: Vec<u32>,
    /// In the order of their arrival.
    held: Vec<Incoming>,
}

thread_local! {
    static PORTS: RefCell<Ports> =
        const { RefCell::new(Ports { awaited: Vec::new(), changed: Vec::new(), held: Vec::new() }) };
}

/// A receive that a task waits for; also one after another. Dropping it loses no message.
#[derive(Debug)]
pub(crate) struct Receiving {
    port: u32,
    waiter: Option<Rc<Waiter>>,
}

impl Receiving {
    pub(crate) fn new(port: u32) -> Receiving {
        Receiving { port, waiter: None }
    }

    /// Waits no longer.
    pub(crate) fn cancel(&mut self) {
        if let Some(waiter) = self.waiter.take() {
            PORTS.with_borrow_mut(|ports| ports.remove(self.port, &waiter));
        }
    }

    /// The message that came. The first poll always waits: a receive ends the turn (semantics 1.2).
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Incoming, Status>> {
        let Some(waiter) = &self.waiter else {
            let waiter = Rc::new(Waiter { waker: RefCell::new(context.waker().clone()), look: Cell::default() });
            if PORTS.with_borrow_mut(|ports| ports.add(self.port, &waiter)) {
                waiter.wake(Look::There);
            }
            self.waiter = Some(waiter);
            return Poll::Pending;
        };
        waiter.waker.borrow_mut().clone_from(context.waker());
        let taken = match waiter.look.take() {
            Look::Asleep => return Poll::Pending,
            Look::There => Incoming::take(Source::Try(self.port)),
            Look::Alone => Incoming::take(Source::Port(self.port, 0)),
        };
        if let Err(Status::WouldWait | Status::TimedOut) = taken {
            return Poll::Pending;
        }
        self.cancel();
        Poll::Ready(taken)
    }
}

impl Future for Receiving {
    type Output = Result<Incoming, Status>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Receiving::poll(self.get_mut(), context)
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl Waiter {
    fn wake(&self, look: Look) {
        self.look.set(look);
        let waker = self.waker.borrow().clone();
        waker.wake();
    }
}

impl std::fmt::Debug for Waiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Waiter")
    }
}

/// Has the host listen to the ports that tasks wait for, and to no others. Says whether there are any.
pub(super) fn listen_where_awaited() -> bool {
    let closed = PORTS.with_borrow_mut(Ports::listen);
    closed.into_iter().for_each(|port| {
        look(port);
    });
    PORTS.with_borrow(|ports| !ports.awaited.is_empty())
}

/// Keeps a message that was taken for a task.
pub(super) fn hold(message: Incoming) {
    let port = message.port;
    PORTS.with_borrow_mut(|ports| ports.held.push(message));
    look(port);
}

/// The kept message that such a receive finds. Where a receive may wait, it ends the turn here too.
pub(super) fn held(from: Source<'_>) -> Option<Incoming> {
    let wanted = |port| match from {
        Source::Port(0, _) => event_loop::is_listened(port),
        Source::Try(wanted) | Source::Ready(wanted) | Source::Port(wanted, _) => wanted == port,
        Source::Any(wanted, _) => wanted.contains(&port),
        Source::Birth => false,
    };
    let at = PORTS.with_borrow(|ports| ports.held.iter().position(|message| wanted(message.port)))?;
    if !matches!(from, Source::Try(_)) {
        time::sleep_until(0);
    }
    Some(PORTS.with_borrow_mut(|ports| ports.held.remove(at)))
}

/// Wakes those that wait for the port; says whether there are any.
pub(super) fn look(port: u32) -> bool {
    let waiters = PORTS.with_borrow(|ports| match ports.place_of(port) {
        Ok(at) => ports.awaited[at].waiters.clone(),
        Err(_) => Vec::new(),
    });
    waiters.iter().for_each(|waiter| waiter.wake(Look::There));
    !waiters.is_empty()
}

/// Drops what was kept for the port, and wakes those that wait for it.
pub(super) fn closed(port: u32) {
    while held(Source::Try(port)).is_some() {}
    look(port);
}

/// Nobody can send to a port that keeps the isolate alive. Those that wait for ports are told; where none does, what is
/// left for an unfinished task is a listener that by itself keeps nobody alive.
pub(super) fn go_on(left: Left) -> bool {
    let waiters = |ports: &Ports| ports.awaited.iter().flat_map(|awaited| awaited.waiters.clone()).collect();
    let waiters: Vec<Rc<Waiter>> = PORTS.with_borrow(waiters);
    waiters.iter().for_each(|waiter| waiter.wake(Look::Alone));
    if waiters.is_empty() && left.unfinished {
        let ports = event_loop::listened();
        return !ports.is_empty() && event_loop::message(Source::Any(&ports, time::NEVER));
    }
    !waiters.is_empty()
}

impl Ports {
    fn place_of(&self, port: u32) -> Result<usize, usize> {
        self.awaited.binary_search_by_key(&port, |awaited| awaited.port)
    }

    /// Adds a waiter; says whether a kept message is there for it.
    fn add(&mut self, port: u32, waiter: &Rc<Waiter>) -> bool {
        let at = self.place_of(port).unwrap_or_else(|at| {
            self.awaited.insert(at, Awaited { port, listened: false, waiters: Vec::new() });
            at
        });
        self.awaited[at].waiters.push(Rc::clone(waiter));
        self.changed.push(port);
        self.held.iter().any(|message| message.port == port)
    }

    fn remove(&mut self, port: u32, waiter: &Rc<Waiter>) {
        if let Ok(at) = self.place_of(port) {
            self.awaited[at].waiters.retain(|other| !Rc::ptr_eq(other, waiter));
            self.changed.push(port);
        }
    }

    /// Tells the host what changed; returns the ports that turn out to be closed.
    fn listen(&mut self) -> Vec<u32> {
        let mut closed = Vec::new();
        for port in std::mem::take(&mut self.changed) {
            let Ok(at) = self.place_of(port) else { continue };
            let awaited = &mut self.awaited[at];
            let wanted = !awaited.waiters.is_empty();
            if wanted != std::mem::replace(&mut awaited.listened, wanted) {
                let told = sys::check(sys::ports_listen(port, wanted.into()));
                closed.extend((wanted && told.is_err()).then_some(port));
            }
            if !wanted {
                self.awaited.remove(at);
            }
        }
        closed
    }
}
