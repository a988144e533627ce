//! Ports whose messages go to a handler, on a thread of the port's own.
//!
//! A guest's handlers are called in its event loop. An embedder has none, so here a thread waits and calls; one handler
//! is never called twice at a time.

use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::thread::{Builder, JoinHandle};

use insula_wire::MailboxPolicy;
use serde::de::DeserializeOwned;

use super::{ReceivePort, Received, RecvError, SendPort};
use crate::host::Host;
use crate::limits::Limits;
use crate::port::Port;
use crate::sync::{Arc, Mutex};

/// Starts a thread that waits at a port.
pub(super) fn start(waits: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    #[cfg(feature = "testing")]
    let waits = || crate::until::serving(waits);
    Builder::new().name("insula-listener".to_owned()).spawn(waits)
}

/// A port that is listened to; see [`ReceivePort::listen`]. Dropping this value changes nothing.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::ops::ControlFlow;
/// let host = insula::Host::builder().isolates(1).build()?;
/// let lines = host.receive_port::<String>();
/// let to_lines = lines.send_port();
/// let listener = lines.listen(|line| {
///     println!("{line:?}");
///     ControlFlow::Continue(())
/// })?;
/// to_lines.send("hello".to_owned())?;
/// listener.close();
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Listener {
    port: Arc<Port>,
    thread: JoinHandle<()>,
}

impl Listener {
    /// Closes the port: what is queued is dropped, and the handler is not called for it. Closing twice is fine.
    pub fn close(&self) {
        self.port.mailbox().close_port(&self.port);
    }

    /// Blocks until the port is closed or unreachable, and the handler is over. Says whether the handler panicked.
    ///
    /// # Errors
    /// The handler's panic.
    pub fn join(self) -> std::thread::Result<()> {
        self.thread.join()
    }
}

impl<T: DeserializeOwned + 'static> ReceivePort<T> {
    /// Has `handler` called with each item of [`messages`](ReceivePort::messages), on a thread of its own, until the port
    /// is closed or unreachable, or the handler breaks off, which closes it.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn listen<H>(self, mut handler: H) -> io::Result<Listener>
    where
        H: FnMut(Result<T, RecvError>) -> ControlFlow<()> + Send + 'static,
    {
        let port = Arc::clone(self.port());
        let thread = start(move || {
            let _ = self.messages().try_for_each(&mut handler);
        })?;
        Ok(Listener { port, thread })
    }
}

type Handler<T> = Box<dyn FnMut(Result<Received<T>, RecvError>) -> ControlFlow<()> + Send>;

/// A port whose messages go to a handler, which can be set, swapped and taken away between messages (semantics 6.3).
///
/// A message that comes to its turn while there is no handler is dropped. The port is open until it is closed, or the last
/// clone of this value is dropped, also while nobody can send to it.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::ops::ControlFlow;
/// let host = insula::Host::builder().isolates(1).build()?;
/// let (port, done) = (host.raw_receive_port::<u32>()?, std::sync::mpsc::sync_channel(1));
/// port.set_handler(move |number| {
///     done.0.send(format!("{number:?}")).ok();
///     ControlFlow::Continue(())
/// });
/// port.send_port().send(7)?;
/// assert_eq!(done.1.recv()?, "Ok(Data(7))");
/// # Ok(())
/// # }
/// ```
pub struct RawReceivePort<T> {
    shared: Arc<Shared<T>>,
    _door: Arc<Door>,
}

struct Shared<T> {
    port: ReceivePort<T>,
    handler: Mutex<Slot<T>>,
}

/// The handler, and how often it was set or taken away: one that runs is put back only if that did not happen meanwhile.
struct Slot<T> {
    changes: u64,
    handler: Option<Handler<T>>,
}

/// Closes a port when whoever uses it is gone.
pub(super) struct Door(Arc<Port>);

impl Door {
    pub(super) fn of<T>(port: &ReceivePort<T>) -> Arc<Door> {
        Arc::new(Door(Arc::clone(port.port())))
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.0.mailbox().close_port(&self.0);
    }
}

impl Host {
    /// A new port without a handler, and the thread that will call one.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn raw_receive_port<T: DeserializeOwned + 'static>(&self) -> io::Result<RawReceivePort<T>> {
        let port = ReceivePort::open(self.inner().links(), &Limits::default(), MailboxPolicy::Error);
        let door = Door::of(&port);
        let shared = Arc::new(Shared { port, handler: Mutex::new(Slot { changes: 0, handler: None }) });
        let waits = Arc::clone(&shared);
        start(move || waits.serve())?;
        Ok(RawReceivePort { shared, _door: door })
    }
}

impl<T: DeserializeOwned> Shared<T> {
    fn serve(&self) {
        loop {
            match self.port.recv_while_open() {
                Err(RecvError::Closed) => break,
                received => self.handle(received),
            }
        }
    }

    /// Calls the handler that is there now, with no lock held: it may set another.
    fn handle(&self, received: Result<Received<T>, RecvError>) {
        let mut slot = self.handler.lock();
        let (changes, handler) = (slot.changes, slot.handler.take());
        drop(slot);
        let Some(mut handler) = handler else { return };
        if handler(received).is_break() {
            self.port.close();
        }
        let mut slot = self.handler.lock();
        let replaced = slot.changes != changes;
        let left = if replaced { Some(handler) } else { slot.handler.replace(handler) };
        drop(slot);
        drop(left);
    }
}

impl<T> RawReceivePort<T> {
    fn exchange(&self, handler: Option<Handler<T>>) {
        let mut slot = self.shared.handler.lock();
        slot.changes += 1;
        let before = std::mem::replace(&mut slot.handler, handler);
        drop(slot);
        drop(before);
    }

    /// Has `handler` called for each message from the next one on, in place of the one before. Breaking off closes the
    /// port.
    pub fn set_handler<H>(&self, handler: H)
    where
        H: FnMut(Result<Received<T>, RecvError>) -> ControlFlow<()> + Send + 'static,
    {
        self.exchange(Some(Box::new(handler)));
    }

    /// Has no handler called from the next message on: what comes to its turn is dropped.
    pub fn clear_handler(&self) {
        self.exchange(None);
    }

    /// A right to send here.
    #[must_use]
    pub fn send_port(&self) -> SendPort<T> {
        self.shared.port.send_port()
    }

    /// Messages and bytes that are queued here.
    #[must_use]
    pub fn load(&self) -> (u64, u64) {
        self.shared.port.load()
    }

    /// Drops what is queued and ends the port; no handler is called again. Closing twice is fine.
    pub fn close(&self) {
        self.shared.port.close();
        self.clear_handler();
    }
}

impl<T> Clone for RawReceivePort<T> {
    fn clone(&self) -> RawReceivePort<T> {
        RawReceivePort { shared: Arc::clone(&self.shared), _door: Arc::clone(&self._door) }
    }
}

impl<T> fmt::Debug for RawReceivePort<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawReceivePort({})", self.shared.port.number())
    }
}
