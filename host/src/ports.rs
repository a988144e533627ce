//! The embedder's typed ports: the same mailboxes that isolates have, with a thread or a task as their waiter.
//!
//! - [`ReceivePort`]: blocking, with a timeout, or as a future; closes when it is dropped.
//! - [`SendPort`]: sendable itself, anywhere in a serde value, to isolates of its own host.
//! - [`Received`]: a message with its kind, so that one port can take data and notices.

use std::cell::RefCell;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};
use insula_wire::codec::schema;
use insula_wire::{Kind, MailboxPolicy, Priority, RemoteError, Status};
use serde::de::{DeserializeOwned, Error as _};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::control::{Hold, Links};
use crate::host::Host;
use crate::isolate::Isolate;
use crate::limits::Limits;
use crate::port::{Attachment, Mailbox, Message, Port, SendRight, Take, Took, Wanted, codec};
use crate::spawn::Spawn;
use crate::sync::Arc;

/// Why a message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message was not sent: {0}")]
pub struct SendError(pub Status);

/// Why nothing was received.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecvError {
    /// The time is up.
    #[error("no message came in time")]
    TimedOut,
    /// There is nothing now.
    #[error("there is no message now")]
    Empty,
    /// Nobody holds a SendPort to it.
    #[error("nobody can send to the port")]
    Unreachable,
    /// It was closed.
    #[error("the port is closed")]
    Closed,
    /// A message came that is no `T`; it is gone.
    #[error("port {port}: the message is no {wanted}")]
    Undecodable {
        /// The port's number.
        port: u64,
        /// The type that was expected.
        wanted: &'static str,
    },
    /// A notice came where data was expected.
    #[error("an uncaught error came where data was expected: {0}")]
    ErrorNotice(RemoteError),
}

/// A message, with what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Received<T> {
    /// Sent by somebody.
    Data(T),
    /// An exit notice, with the response of its registration.
    Exit(T),
    /// The answer to a ping.
    Ping(T),
    /// An uncaught error.
    Error(RemoteError),
}

/// A port of the embedder's.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let host = insula::Host::builder().isolates(1).build()?;
/// let port = host.receive_port::<String>();
/// port.send_port().send(&"to myself".to_owned())?;
/// assert_eq!(port.recv()?, "to myself");
/// # Ok(())
/// # }
/// ```
pub struct ReceivePort<T> {
    port: Arc<Port>,
    mailbox: Arc<Mailbox>,
    links: Arc<Links>,
    message: PhantomData<fn() -> T>,
}

/// The right to send to a port. Equal to another iff both name the same port.
pub struct SendPort<T> {
    right: SendRight,
    hold: Hold,
    message: PhantomData<fn(T)>,
}

impl Host {
    /// A new port of the embedder's, bounded as [`Limits::default`] bounds a mailbox.
    #[must_use]
    pub fn receive_port<T: 'static>(&self) -> ReceivePort<T> {
        self.receive_port_with(&Limits::default())
    }

    /// As [`Host::receive_port`], with the mailbox bounds of these limits.
    ///
    /// # Panics
    /// Where the limits allow no port.
    #[must_use]
    pub fn receive_port_with<T: 'static>(&self, limits: &Limits) -> ReceivePort<T> {
        let mailbox = Mailbox::new(crate::host::room(limits));
        let number = self.inner().links().world.number();
        let port = mailbox.open(number, port_schema::<T>(), MailboxPolicy::Error);
        let port = port.expect("the limits allow a port");
        ReceivePort { port, mailbox, links: Arc::clone(self.inner().links()), message: PhantomData }
    }
}

/// Bytes take any message.
fn port_schema<T: 'static>() -> u64 {
    if std::any::TypeId::of::<T>() == std::any::TypeId::of::<Vec<u8>>() { 0 } else { schema::<T>() }
}

impl<T> ReceivePort<T> {
    /// A right to send here.
    #[must_use]
    pub fn send_port(&self) -> SendPort<T> {
        SendPort { right: SendRight::new(&self.port), hold: Hold::new(&self.links), message: PhantomData }
    }

    /// Its number, as reports name it.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.port.id()
    }

    /// Messages and bytes that are queued here, with the room that is reserved for notices.
    #[must_use]
    pub fn load(&self) -> (u64, u64) {
        self.mailbox.load()
    }
}

impl<T: DeserializeOwned> ReceivePort<T> {
    /// Blocks until data comes.
    ///
    /// # Errors
    /// [`RecvError::Unreachable`] when nobody can send; an error notice, or what is no `T`, as errors of their own.
    pub fn recv(&self) -> Result<T, RecvError> {
        self.recv_message().and_then(Received::into_value)
    }

    /// As [`ReceivePort::recv`], for `timeout` at most.
    ///
    /// # Errors
    /// As there, and [`RecvError::TimedOut`].
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvError> {
        self.recv_message_timeout(timeout).and_then(Received::into_value)
    }

    /// What is there now.
    ///
    /// # Errors
    /// As [`ReceivePort::recv`], and [`RecvError::Empty`].
    pub fn try_recv(&self) -> Result<T, RecvError> {
        match self.take(None) {
            Some(taken) => taken.and_then(Received::into_value),
            None => Err(RecvError::Empty),
        }
    }

    /// As [`ReceivePort::recv`], as a future. Dropping it loses nothing.
    ///
    /// # Errors
    /// As there.
    pub async fn recv_async(&self) -> Result<T, RecvError> {
        self.recv_message_async().await.and_then(Received::into_value)
    }

    /// Blocks until a message comes, whatever its kind.
    ///
    /// # Errors
    /// [`RecvError::Unreachable`], [`RecvError::Undecodable`].
    pub fn recv_message(&self) -> Result<Received<T>, RecvError> {
        let (woken, waker) = thread_waker();
        loop {
            if let Some(taken) = self.take(Some(&waker)) {
                return taken;
            }
            // The waker holds the other end, so this ends by being woken.
            let _ = woken.recv();
        }
    }

    /// As [`ReceivePort::recv_message`], for `timeout` at most.
    ///
    /// # Errors
    /// As there, and [`RecvError::TimedOut`].
    pub fn recv_message_timeout(&self, timeout: Duration) -> Result<Received<T>, RecvError> {
        let (woken, waker) = thread_waker();
        let ends = self.links.world.after(timeout);
        loop {
            if let Some(taken) = self.take(Some(&waker)) {
                return taken;
            }
            let left = Duration::from_nanos(ends.saturating_sub(self.links.world.now()));
            if left.is_zero() {
                self.mailbox.stop_waiting(&waker);
                return Err(RecvError::TimedOut);
            }
            let _ = woken.recv_timeout(left);
        }
    }

    /// As [`ReceivePort::recv_message`], as a future. Dropping it loses nothing.
    ///
    /// # Errors
    /// As there.
    pub async fn recv_message_async(&self) -> Result<Received<T>, RecvError> {
        poll_fn(|cx: &mut Context<'_>| self.take(Some(cx.waker())).map_or(Poll::Pending, Poll::Ready)).await
    }

    fn take(&self, waker: Option<&Waker>) -> Option<Result<Received<T>, RecvError>> {
        let wanted = Wanted::Port(Arc::clone(&self.port));
        let take = Take { wanted: &wanted, waker, ends_unreachable: true };
        match self.mailbox.take(&take, |_| Ok::<(), std::convert::Infallible>(())) {
            Took::Message(_, message) => Some(self.decode(message)),
            Took::Nothing => None,
            Took::Unreachable => Some(Err(RecvError::Unreachable)),
            Took::Closed => Some(Err(RecvError::Closed)),
        }
    }

    fn decode(&self, message: Message) -> Result<Received<T>, RecvError> {
        let kind = message.kind;
        let undecodable = |_| RecvError::Undecodable { port: self.port.id(), wanted: std::any::type_name::<T>() };
        if kind == Kind::Error {
            return codec::decode(message).map(Received::Error).map_err(undecodable);
        }
        let outer = DECODING.replace(Some(Arc::clone(&self.links)));
        let value = codec::decode(message);
        drop(DECODING.replace(outer));
        value.map_err(undecodable).map(|value| match kind {
            Kind::Exit => Received::Exit(value),
            Kind::Ping => Received::Ping(value),
            Kind::Data | Kind::Error => Received::Data(value),
        })
    }
}

impl<T> Received<T> {
    /// The data or the response; an uncaught error is an error.
    ///
    /// # Errors
    /// [`RecvError::ErrorNotice`].
    pub fn into_value(self) -> Result<T, RecvError> {
        match self {
            Received::Data(value) | Received::Exit(value) | Received::Ping(value) => Ok(value),
            Received::Error(error) => Err(RecvError::ErrorNotice(error)),
        }
    }
}

impl<T> Drop for ReceivePort<T> {
    fn drop(&mut self) {
        let queued = self.mailbox.close();
        drop(queued);
    }
}

fn thread_waker() -> (Receiver<()>, Waker) {
    struct Bell(crossbeam_channel::Sender<()>);
    impl std::task::Wake for Bell {
        fn wake(self: std::sync::Arc<Self>) {
            // A full place means that the wake-up is there already.
            let _ = self.0.try_send(());
        }
    }
    let (bell, woken) = bounded(1);
    (woken, Waker::from(std::sync::Arc::new(Bell(bell))))
}

impl<T: Serialize> SendPort<T> {
    /// Sends a copy of `message`. Never waits, and never runs the receiver's code.
    ///
    /// # Errors
    /// [`SendError`] says why nothing was sent.
    pub fn send(&self, message: &T) -> Result<(), SendError> {
        let encoded = codec::encode(message, Kind::Data);
        let message = encoded.and_then(|encoded| encoded.into_message(self.hold.links().number));
        let port = self.right.port();
        let sent =
            message.and_then(|message| port.mailbox().send(port, message, None).map_err(|refused| refused.status));
        sent.map_err(SendError)
    }

    fn told(&self, response: &T) -> Result<(SendRight, Message), SendError> {
        let encoded = codec::encode(response, Kind::Data);
        let message = encoded.and_then(|encoded| encoded.into_message(self.hold.links().number));
        message.map(|message| (self.right.clone(), message)).map_err(SendError)
    }
}

impl<T> Clone for SendPort<T> {
    fn clone(&self) -> SendPort<T> {
        SendPort { right: self.right.clone(), hold: self.hold.clone(), message: PhantomData }
    }
}

impl<T> PartialEq for SendPort<T> {
    fn eq(&self, other: &SendPort<T>) -> bool {
        self.hold.links().number == other.hold.links().number && self.right.port().id() == other.right.port().id()
    }
}

impl<T> Eq for SendPort<T> {}

impl<T> std::hash::Hash for SendPort<T> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.right.port().id().hash(state);
    }
}

impl<T> std::fmt::Debug for SendPort<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SendPort({})", self.right.port().id())
    }
}

impl<T> std::fmt::Debug for ReceivePort<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ReceivePort({})", self.port.id())
    }
}

thread_local! {
    static DECODING: RefCell<Option<Arc<Links>>> = const { RefCell::new(None) };
}

impl<T> Serialize for SendPort<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let attachment = Attachment::Send(self.right.clone());
        let position = codec::attach(attachment, self.hold.links().number);
        let position = position.ok_or_else(|| S::Error::custom("a SendPort travels in messages of its host only"))?;
        serializer.serialize_u8(position)
    }
}

impl<'de, T> Deserialize<'de> for SendPort<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SendPort<T>, D::Error> {
        let position = u8::deserialize(deserializer)?;
        let links = DECODING.with_borrow(Clone::clone);
        match (codec::detach(position), links) {
            (Some(Attachment::Send(right)), Some(links)) => {
                Ok(SendPort { right, hold: Hold::new(&links), message: PhantomData })
            }
            _ => Err(D::Error::custom("there is no SendPort at this position of the message")),
        }
    }
}

impl Isolate {
    /// Posts `response` to `port`: at once, or at the end of the isolate's turn. The dead never answer.
    ///
    /// # Errors
    /// [`SendError`] where the answer would find no room.
    pub fn ping<R: Serialize>(&self, port: &SendPort<R>, response: &R, priority: Priority) -> Result<(), SendError> {
        let (right, response) = port.told(response)?;
        self.control().ping(right, response, priority).map_err(SendError)
    }

    /// Posts `response` to `port` as the isolate's last act; at once where it is dead. Keyed by port.
    ///
    /// # Errors
    /// [`SendError`] where the notice would find no room.
    pub fn add_exit_listener<R: Serialize>(&self, port: &SendPort<R>, response: &R) -> Result<(), SendError> {
        let (right, response) = port.told(response)?;
        self.control().add_exit_listener(right, response).map_err(SendError)
    }

    /// Takes an exit listener back.
    pub fn remove_exit_listener<R>(&self, port: &SendPort<R>) {
        self.control().remove_exit_listener(port.right.port().id());
    }

    /// Posts every uncaught error to `port`.
    ///
    /// # Errors
    /// [`SendError`] where a notice would find no room.
    pub fn add_error_listener(&self, port: &SendPort<RemoteError>) -> Result<(), SendError> {
        self.control().add_error_listener(port.right.clone()).map_err(SendError)
    }

    /// Takes an error listener back.
    pub fn remove_error_listener(&self, port: &SendPort<RemoteError>) {
        self.control().remove_error_listener(port.right.port().id());
    }
}

impl Spawn {
    /// Posts `response` to `port` as the isolate's last act.
    pub fn on_exit<R: Serialize>(self, port: &SendPort<R>, response: &R) -> Spawn {
        self.told_of_exit(port.right.clone(), codec::encode(response, Kind::Data))
    }

    /// Posts every uncaught error to `port`.
    pub fn on_error(self, port: &SendPort<RemoteError>) -> Spawn {
        self.told_of_errors(port.right.clone())
    }
}
