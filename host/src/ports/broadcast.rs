//! One port, several listeners.

use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::task::Waker;

use crossbeam_channel::Receiver;
use serde::de::DeserializeOwned;

use super::listen::{Door, start};
use super::receive::data;
use super::{ReceivePort, RecvError, SendPort};
use crate::sync::{Arc, Mutex};
use crate::until::thread_waker;

/// A port with any number of listeners, at one time or in turn (semantics 6.2).
///
/// What arrives while nobody listens stays queued. From there on each message goes to all who listen at that moment, in the
/// order in which they began, on a thread of the port's own; [`recv`](Broadcast::recv) takes the next one for its caller
/// alone. The port is open until it is closed, or the last clone of this value is dropped.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::ops::ControlFlow;
/// let host = insula::Host::builder().isolates(1).build()?;
/// let numbers = host.receive_port::<u32>().broadcast();
/// let to_numbers = numbers.send_port();
/// (0..3).try_for_each(|n| to_numbers.send(n))?;
/// assert_eq!(numbers.recv()?, 0);
/// let (told, heard) = std::sync::mpsc::channel();
/// let subscription = numbers.listen(move |n| {
///     told.send(n).ok();
///     ControlFlow::Continue(())
/// })?;
/// assert_eq!((heard.recv()?, heard.recv()?), (Ok(1), Ok(2)));
/// subscription.cancel();
/// # Ok(())
/// # }
/// ```
pub struct Broadcast<T> {
    shared: Arc<Shared<T>>,
    _door: Arc<Door>,
}

/// One who listens to a [`Broadcast`]. Dropping this value changes nothing.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let host = insula::Host::builder().isolates(1).build()?;
/// let lines = host.receive_port::<String>().broadcast();
/// let subscription = lines.listen(|_| std::ops::ControlFlow::Continue(()))?;
/// subscription.cancel();
/// # Ok(())
/// # }
/// ```
pub struct Subscription<T> {
    shared: Arc<Shared<T>>,
    id: u64,
}

struct Shared<T> {
    port: ReceivePort<T>,
    listening: Mutex<Listening<T>>,
}

struct Listening<T> {
    subscribers: Vec<Subscriber<T>>,
    subscribed: u64,
    /// Of the thread that serves them; there is one as long as somebody listens.
    thread: Option<Waker>,
}

struct Subscriber<T> {
    id: u64,
    handler: Arc<Mutex<Handler<T>>>,
}

type Handler<T> = Box<dyn FnMut(Result<T, RecvError>) -> ControlFlow<()> + Send>;

impl<T> ReceivePort<T> {
    /// The same port, for several listeners.
    #[must_use]
    pub fn broadcast(self) -> Broadcast<T> {
        let door = Door::of(&self);
        let listening = Listening { subscribers: Vec::new(), subscribed: 0, thread: None };
        Broadcast { shared: Arc::new(Shared { port: self, listening: Mutex::new(listening) }), _door: door }
    }
}

impl<T> Broadcast<T> {
    /// A right to send here.
    #[must_use]
    pub fn send_port(&self) -> SendPort<T> {
        self.shared.port.send_port()
    }

    /// Drops what is queued and ends the port, for all who listen. Closing twice is fine.
    pub fn close(&self) {
        self.shared.port.close();
        let subscribers = std::mem::take(&mut self.shared.listening.lock().subscribers);
        drop(subscribers);
        self.shared.look();
    }
}

impl<T: DeserializeOwned> Broadcast<T> {
    /// The next message, for the caller alone; blocks until it comes.
    ///
    /// # Errors
    /// As [`ReceivePort::recv`].
    pub fn recv(&self) -> Result<T, RecvError> {
        self.shared.port.recv()
    }
}

impl<T: DeserializeOwned + Clone + 'static> Broadcast<T> {
    /// Has `handler` called for each message, beside all others who listen. Breaking off cancels this subscription only.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn listen<H>(&self, handler: H) -> io::Result<Subscription<T>>
    where
        H: FnMut(Result<T, RecvError>) -> ControlFlow<()> + Send + 'static,
    {
        let mut listening = self.shared.listening.lock();
        if listening.thread.is_none() {
            let (woken, waker) = thread_waker();
            let (shared, own) = (Arc::clone(&self.shared), waker.clone());
            start(move || shared.serve(&woken, &own))?;
            listening.thread = Some(waker);
        }
        let id = listening.subscribed;
        listening.subscribed += 1;
        listening.subscribers.push(Subscriber { id, handler: Arc::new(Mutex::new(Box::new(handler))) });
        Ok(Subscription { shared: Arc::clone(&self.shared), id })
    }
}

impl<T: DeserializeOwned + Clone> Shared<T> {
    /// Delivers for as long as somebody listens. Nothing is taken for nobody: both are looked at under one lock.
    fn serve(&self, woken: &Receiver<()>, waker: &Waker) {
        loop {
            let mut listening = self.listening.lock();
            if listening.subscribers.is_empty() {
                listening.thread = None;
                self.port.stop_waiting(waker);
                return;
            }
            let subscribed = listening.subscribed;
            let taken = self.port.take_while_open(Some(waker));
            drop(listening);
            match taken {
                Some(Err(RecvError::Closed)) => drop(std::mem::take(&mut self.listening.lock().subscribers)),
                Some(received) => self.deliver(&received.and_then(data), subscribed),
                // The waker holds the other end, so this ends by being woken.
                None => drop(woken.recv()),
            }
        }
    }

    /// Calls who listened when it was taken. Whoever another one cancels meanwhile is not called any more.
    fn deliver(&self, message: &Result<T, RecvError>, subscribed: u64) {
        let mut next = self.after(None);
        while let Some((id, handler)) = next.filter(|(id, _)| *id < subscribed) {
            let flow = (handler.lock())(message.clone());
            if flow.is_break() {
                self.cancel(id);
            }
            next = self.after(Some(id));
        }
    }

    /// The subscriber that comes after this one.
    fn after(&self, id: Option<u64>) -> Option<(u64, Arc<Mutex<Handler<T>>>)> {
        let listening = self.listening.lock();
        let next = listening.subscribers.iter().find(|next| id.is_none_or(|id| next.id > id))?;
        Some((next.id, Arc::clone(&next.handler)))
    }
}

impl<T> Shared<T> {
    fn cancel(&self, id: u64) {
        let mut listening = self.listening.lock();
        let place = listening.subscribers.iter().position(|subscriber| subscriber.id == id);
        let cancelled = place.map(|place| listening.subscribers.remove(place));
        drop(listening);
        drop(cancelled);
        self.look();
    }

    /// Has the thread look whether anybody listens.
    fn look(&self) {
        let thread = self.listening.lock().thread.clone();
        thread.into_iter().for_each(Waker::wake);
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
        Broadcast { shared: Arc::clone(&self.shared), _door: Arc::clone(&self._door) }
    }
}

impl<T> fmt::Debug for Broadcast<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Broadcast({})", self.shared.port.number())
    }
}

impl<T> fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Subscription").field(&self.id).finish()
    }
}
