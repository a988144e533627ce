//! One port, several listeners.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::error::{RecvError, RecvTimeoutError};
use crate::event_loop;
use crate::message::Incoming;
use crate::outcome::Outcome;
use crate::receive_port::ReceivePort;
use crate::report;
use crate::send_port::SendPort;

type Turn = Result<ControlFlow<()>, String>;

/// A port with any number of listeners, at one time or in turn. Dart's broadcast stream (semantics 6.2).
///
/// What arrives while nobody listens stays queued, where Dart drops it: that is the handshake, then listen, without losing
/// what comes between. From there on,
/// - each message that comes to its turn in the event loop goes to all who listen at that moment, in the order in which
///   they began; a later listener does not get it;
/// - [`recv`](Broadcast::recv) takes the next message for its caller alone.
///
/// The port is closed by [`close`](Broadcast::close), or when all clones of this value are dropped and nobody listens.
///
/// ```no_run
/// use insula_guest::{Isolate, ReceivePort, SendPort};
///
/// fn counter(to_main: SendPort<u32>) {
///     for n in 0..10 {
///         to_main.send(n).ok();
///     }
/// }
///
/// let numbers = ReceivePort::new().broadcast();
/// Isolate::spawn(counter, numbers.send_port())?;
/// println!("the first is {}", numbers.recv()?);
/// let sum = numbers.listen(|n| println!("one more is {n}")); // the other nine
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Broadcast<T> {
    shared: Rc<Shared<T>>,
}

/// One who listens to a [`Broadcast`]. Dropping this value changes nothing.
///
/// ```no_run
/// # let port = insula_guest::ReceivePort::<String>::new().broadcast();
/// let subscription = port.listen(|line| println!("{line}"));
/// subscription.cancel();
/// ```
pub struct Subscription<T> {
    shared: Rc<Shared<T>>,
    id: u64,
}

struct Shared<T> {
    port: ReceivePort<T>,
    subscribers: RefCell<Vec<Subscriber<T>>>,
    subscribed: Cell<u64>,
}

struct Subscriber<T> {
    id: u64,
    handler: Rc<RefCell<dyn FnMut(T) -> Turn>>,
}

impl<T> ReceivePort<T> {
    /// The same port, for several listeners. Dart's `asBroadcastStream`.
    #[must_use]
    pub fn broadcast(self) -> Broadcast<T> {
        let (subscribers, subscribed) = (RefCell::default(), Cell::default());
        Broadcast { shared: Rc::new(Shared { port: self, subscribers, subscribed }) }
    }
}

impl<T> Broadcast<T> {
    /// The right to send to this port.
    ///
    /// # Panics
    /// When this isolate may hold no more handles.
    #[must_use]
    pub fn send_port(&self) -> SendPort<T> {
        self.shared.port.send_port()
    }

    /// Drops what is queued and ends the port, for all who listen. Closing twice is fine.
    pub fn close(&self) {
        let subscribers = self.shared.subscribers.take();
        if !subscribers.is_empty() {
            event_loop::unlisten(&self.shared.port.handle);
        }
        self.shared.port.close();
    }
}

impl<T: DeserializeOwned> Broadcast<T> {
    /// The next message, for the caller alone; waits for it.
    ///
    /// # Errors
    /// As [`ReceivePort::recv`].
    pub fn recv(&self) -> Result<T, RecvError> {
        self.shared.port.recv()
    }

    /// As [`recv`](Broadcast::recv); waits for so long at most.
    ///
    /// # Errors
    /// As [`ReceivePort::recv_timeout`].
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.shared.port.recv_timeout(timeout)
    }
}

impl<T: DeserializeOwned + Clone + 'static> Broadcast<T> {
    /// Has `handler` called in the event loop for each message, beside all others who listen.
    ///
    /// What it may return is as for [`ReceivePort::listen`], but that
    /// [`ControlFlow::Break`](std::ops::ControlFlow::Break) cancels this subscription only.
    pub fn listen<H, O>(&self, mut handler: H) -> Subscription<T>
    where
        H: FnMut(T) -> O + 'static,
        O: Outcome,
    {
        let id = self.shared.subscribed.get();
        self.shared.subscribed.set(id + 1);
        let handler = Rc::new(RefCell::new(move |message| handler(message).outcome()));
        let first = self.shared.subscribers.borrow().is_empty();
        self.shared.subscribers.borrow_mut().push(Subscriber { id, handler });
        if first {
            let shared = Rc::clone(&self.shared);
            event_loop::listen(self.shared.port.handle.shared(), move |message| shared.deliver(message));
        }
        Subscription { shared: Rc::clone(&self.shared), id }
    }
}

impl<T: DeserializeOwned + Clone> Shared<T> {
    /// Calls who listens now. A subscriber that another one cancels meanwhile is not called any more.
    fn deliver(&self, message: Incoming) -> Turn {
        let message: T = message.decode().map_err(|undecodable| undecodable.to_string())?;
        let subscribed = self.subscribed.get();
        let mut next = self.after(None);
        while let Some(Subscriber { id, handler }) = next.filter(|next| next.id < subscribed) {
            let turn = (handler.borrow_mut())(message.clone());
            match turn {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => self.cancel(id),
                Err(error) => report::uncaught(&error),
            }
            next = self.after(Some(id));
        }
        Ok(ControlFlow::Continue(()))
    }
}

impl<T> Shared<T> {
    /// The subscriber that comes after this one.
    fn after(&self, id: Option<u64>) -> Option<Subscriber<T>> {
        let subscribers = self.subscribers.borrow();
        let next = subscribers.iter().find(|next| id.is_none_or(|id| next.id > id))?;
        Some(Subscriber { id: next.id, handler: Rc::clone(&next.handler) })
    }

    fn cancel(&self, id: u64) {
        let cancelled = {
            let mut subscribers = self.subscribers.borrow_mut();
            let place = subscribers.iter().position(|subscriber| subscriber.id == id);
            place.map(|place| (subscribers.remove(place), subscribers.is_empty()))
        };
        // From here on messages stay queued, until somebody listens again.
        if let Some((_, true)) = &cancelled {
            event_loop::unlisten(&self.port.handle);
        }
        drop(cancelled); // its handler may own things whose drop comes back here
    }
}

impl<T> Subscription<T> {
    /// Has the handler not called again. The port stays open, and keeps what arrives while nobody listens.
    pub fn cancel(self) {
        self.shared.cancel(self.id);
    }
}

impl<T> Clone for Broadcast<T> {
    fn clone(&self) -> Broadcast<T> {
        Broadcast { shared: Rc::clone(&self.shared) }
    }
}

impl<T> fmt::Debug for Broadcast<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Broadcast").field(&self.shared.port.handle.number()).finish()
    }
}

impl<T> fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Subscription").field(&self.id).finish()
    }
}
