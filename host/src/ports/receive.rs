//! The embedder's receiving end of a port.

use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_core::Stream;
use insula_wire::Kind;
use insula_wire::codec::Cause;
use serde::de::DeserializeOwned;

use super::{Received, RecvError, SendPort, value};
use crate::control::{Hold, Links};
use crate::exit::IsolateId;
use crate::port::{Message, Port, SendRight, Take, Took, Wanted, codec};
use crate::sync::Arc;
use crate::until::ThreadBell;
use crate::world::{NEVER, Nanos};

/// A port of the embedder's: a queue of messages of type `T`.
///
/// One message at a time ([`recv`](ReceivePort::recv) and its kin), as an iterator ([`messages`](ReceivePort::messages),
/// or a loop over `&port`), or as a [`Stream`] of any executor's. All of them may be used in turn, and by several threads;
/// a message goes to one of them. Dropping the port closes it.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let host = insula::Host::builder().isolates(1).build()?;
/// let port = host.receive_port::<String>();
/// port.send_port().send("to myself".to_owned())?;
/// assert_eq!(port.recv()?, "to myself");
/// # Ok(())
/// # }
/// ```
pub struct ReceivePort<T> {
    port: Arc<Port>,
    links: Arc<Links>,
    message: PhantomData<fn() -> T>,
}

impl<T> ReceivePort<T> {
    pub(super) fn new(port: Arc<Port>, links: Arc<Links>) -> ReceivePort<T> {
        ReceivePort { port, links, message: PhantomData }
    }

    pub(crate) fn port(&self) -> &Arc<Port> {
        &self.port
    }

    pub(super) fn stop_waiting(&self, waker: &Waker) {
        self.port.mailbox().stop_waiting(waker);
    }

    /// A right to send here.
    #[must_use]
    pub fn send_port(&self) -> SendPort<T> {
        SendPort::new(SendRight::new(&self.port), &self.links)
    }

    /// Its number, as reports name it.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.port.id()
    }

    /// Messages and bytes that are queued here, with the room that is reserved for notices.
    #[must_use]
    pub fn load(&self) -> (u64, u64) {
        self.port.mailbox().load()
    }

    /// Drops what is queued and ends the port: sends to it answer `Closed`, and receives too. Closing twice is fine.
    pub fn close(&self) {
        self.port.mailbox().close_port(&self.port);
    }

    /// Drops the oldest queued message, unread; says whether there was one.
    pub fn discard(&self) -> bool {
        self.port.mailbox().discard(&self.port) == Some(true)
    }
}

impl<T: DeserializeOwned> ReceivePort<T> {
    /// Blocks until data comes.
    ///
    /// # Errors
    /// [`RecvError::Unreachable`] when nobody can send; an error notice, or what is no `T`, as errors of their own.
    pub fn recv(&self) -> Result<T, RecvError> {
        self.recv_message().and_then(data)
    }

    /// As [`ReceivePort::recv`], for `timeout` at most.
    ///
    /// # Errors
    /// As there, and [`RecvError::TimedOut`].
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvError> {
        self.recv_message_timeout(timeout).and_then(data)
    }

    /// What is there now.
    ///
    /// # Errors
    /// As [`ReceivePort::recv`], and [`RecvError::Empty`].
    pub fn try_recv(&self) -> Result<T, RecvError> {
        self.take(None).unwrap_or(Err(RecvError::Empty)).and_then(data)
    }

    /// As [`ReceivePort::recv`], as a future. Dropping it loses nothing.
    ///
    /// # Errors
    /// As there.
    pub async fn recv_async(&self) -> Result<T, RecvError> {
        self.recv_message_async().await.and_then(data)
    }

    /// Blocks until a message comes, whatever its kind.
    ///
    /// # Errors
    /// [`RecvError::Unreachable`], [`RecvError::Undecodable`].
    pub fn recv_message(&self) -> Result<Received<T>, RecvError> {
        self.recv_message_until(NEVER)
    }

    /// As [`ReceivePort::recv_message`], for `timeout` at most.
    ///
    /// # Errors
    /// As there, and [`RecvError::TimedOut`].
    pub fn recv_message_timeout(&self, timeout: Duration) -> Result<Received<T>, RecvError> {
        self.recv_message_until(self.links.world.after(timeout))
    }

    /// As [`ReceivePort::recv_message`], as a future. Dropping it loses nothing.
    ///
    /// # Errors
    /// As there.
    pub async fn recv_message_async(&self) -> Result<Received<T>, RecvError> {
        let mut waiting = Waiting::at(self);
        poll_fn(|cx: &mut Context<'_>| {
            waiting.with(cx.waker());
            let taken = self.take(Some(cx.waker()));
            taken.map_or_else(|| self.is_awaited(), Poll::Ready)
        })
        .await
    }

    fn is_awaited<R>(&self) -> Poll<R> {
        self.links.world.awaited();
        Poll::Pending
    }

    /// The next message; closes the port.
    ///
    /// # Errors
    /// As [`ReceivePort::recv`]: a port that ends empty has no first message.
    pub fn first(self) -> Result<T, RecvError> {
        self.recv()
    }

    /// The only message: waits until nobody can send another one, and closes the port.
    ///
    /// # Errors
    /// As [`ReceivePort::recv`], and [`RecvError::MoreThanOne`].
    pub fn single(self) -> Result<T, RecvError> {
        let message = self.recv()?;
        match self.recv() {
            Err(RecvError::Unreachable | RecvError::Closed) => Ok(message),
            Err(error) => Err(error),
            Ok(_) => Err(RecvError::MoreThanOne { port: self.number() }),
        }
    }

    /// The messages until the port is closed or unreachable, without closing it.
    pub fn messages(&self) -> Messages<'_, T> {
        Messages { port: self }
    }

    /// As [`ReceivePort::recv_message`], until then at most.
    pub(super) fn recv_message_until(&self, ends: Nanos) -> Result<Received<T>, RecvError> {
        wait(&self.links, ends, &[&self.port], |waker| self.take(Some(waker)))
    }

    /// As [`ReceivePort::recv_message`], also while nobody can send.
    pub(super) fn recv_while_open(&self) -> Result<Received<T>, RecvError> {
        wait(&self.links, NEVER, &[&self.port], |waker| self.take_while_open(Some(waker)))
    }

    pub(super) fn take_while_open(&self, waker: Option<&Waker>) -> Option<Result<Received<T>, RecvError>> {
        self.take_until(waker, false)
    }

    /// The next message as it came, with the isolate that sent it, and what counts as able to wake that. None when nobody
    /// can send any more.
    pub(super) async fn request_async(&self) -> Option<(Option<IsolateId>, Message, Hold)> {
        let mut waiting = Waiting::at(self);
        poll_fn(|cx| {
            waiting.with(cx.waker());
            let hold = Hold::new(&self.links);
            let wanted = Wanted::Port(Arc::clone(&self.port));
            let take = Take { wanted: &wanted, waker: Some(cx.waker()), ends_unreachable: true };
            match self.port.mailbox().take_from(&take) {
                (from, Took::Message(_, message, _)) => {
                    Poll::Ready(Some((from.number().map(IsolateId), message, hold)))
                }
                (_, Took::Nothing) => Poll::Pending,
                (_, Took::Unreachable | Took::Closed) => Poll::Ready(None),
            }
        })
        .await
    }

    /// What is there, if anything; else `waker` is told when there is.
    pub(super) fn take(&self, waker: Option<&Waker>) -> Option<Result<Received<T>, RecvError>> {
        self.take_until(waker, true)
    }

    fn take_until(&self, waker: Option<&Waker>, ends_unreachable: bool) -> Option<Result<Received<T>, RecvError>> {
        // What a message carries may be the last way to wake an isolate: it is held until it is decoded.
        let _hold = Hold::new(&self.links);
        let wanted = Wanted::Port(Arc::clone(&self.port));
        let take = Take { wanted: &wanted, waker, ends_unreachable };
        match self.port.mailbox().take(&take, |_| Ok::<(), std::convert::Infallible>(())) {
            Took::Message(_, message, _) => Some(self.decode(message)),
            Took::Nothing => None,
            Took::Unreachable => Some(Err(RecvError::Unreachable)),
            Took::Closed => Some(Err(RecvError::Closed)),
        }
    }

    fn decode(&self, message: Message) -> Result<Received<T>, RecvError> {
        let kind = message.kind;
        let undecodable = |error: insula_wire::codec::Error| RecvError::Undecodable {
            port: self.port.id(),
            wanted: std::any::type_name::<T>(),
            position: error.position,
            too_deep: error.cause == Cause::TooDeep,
        };
        if kind == Kind::Error {
            return codec::decode(message).map(Received::Error).map_err(undecodable);
        }
        let value = self.links.decode(|| codec::decode(message));
        value.map_err(undecodable).map(|value| match kind {
            Kind::Exit => Received::Exit(value),
            Kind::Ping => Received::Ping(value),
            Kind::Data | Kind::Error => Received::Data(value),
        })
    }
}

/// What a message says, whatever it is; an uncaught error is an error, but for a port of values, where it is one.
pub(super) fn data<T: DeserializeOwned>(received: Received<T>) -> Result<T, RecvError> {
    match received {
        Received::Error(error) => value::retold(&error).ok_or(RecvError::ErrorNotice(error)),
        Received::Data(value) | Received::Exit(value) | Received::Ping(value) => Ok(value),
    }
}

/// Blocks the calling thread until `attempt` finds something at one of the ports, or the time is up.
fn wait<R>(
    links: &Links,
    ends: Nanos,
    ports: &[&Arc<Port>],
    mut attempt: impl FnMut(&Waker) -> Option<Result<R, RecvError>>,
) -> Result<R, RecvError> {
    let bell = ThreadBell::new();
    let found = loop {
        if let Some(found) = attempt(bell.waker()) {
            break found;
        }
        if !bell.wait(&links.world, ends) {
            break Err(RecvError::TimedOut);
        }
    };
    ports.iter().for_each(|port| port.mailbox().stop_waiting(bell.waker()));
    found
}

/// A future that waits at a port: its waker does not stay behind.
pub(super) struct Waiting<'a> {
    port: &'a Arc<Port>,
    waker: Option<Waker>,
}

impl<'a> Waiting<'a> {
    pub(super) fn at<T>(port: &'a ReceivePort<T>) -> Waiting<'a> {
        Waiting { port: &port.port, waker: None }
    }

    pub(super) fn with(&mut self, waker: &Waker) {
        if !self.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            self.leave();
            self.waker = Some(waker.clone());
        }
    }

    fn leave(&mut self) {
        if let Some(waker) = self.waker.take() {
            self.port.mailbox().stop_waiting(&waker);
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// The messages of a port that stays open; see [`ReceivePort::messages`].
///
/// It ends when the port is closed or unreachable; an error notice, or a message that is no `T`, is an item.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let host = insula::Host::builder().isolates(1).build()?;
/// let port = host.receive_port::<u32>();
/// (1..=3).try_for_each(|number| port.send_port().send(number))?;
/// assert_eq!(port.messages().sum::<Result<u32, _>>()?, 6);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Messages<'a, T> {
    port: &'a ReceivePort<T>,
}

impl<T: DeserializeOwned> Iterator for Messages<'_, T> {
    type Item = Result<T, RecvError>;

    fn next(&mut self) -> Option<Result<T, RecvError>> {
        until_its_end(self.port.recv())
    }
}

fn until_its_end<T>(received: Result<T, RecvError>) -> Option<Result<T, RecvError>> {
    Some(received).filter(|received| !matches!(received, Err(RecvError::Closed | RecvError::Unreachable)))
}

impl<'a, T: DeserializeOwned> IntoIterator for &'a ReceivePort<T> {
    type Item = Result<T, RecvError>;
    type IntoIter = Messages<'a, T>;

    fn into_iter(self) -> Messages<'a, T> {
        self.messages()
    }
}

/// Of the same items as [`ReceivePort::messages`].
impl<T: DeserializeOwned> Stream for ReceivePort<T> {
    type Item = Result<T, RecvError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T, RecvError>>> {
        match self.take(Some(cx.waker())) {
            Some(taken) => Poll::Ready(until_its_end(taken.and_then(data))),
            None => self.is_awaited(),
        }
    }
}

impl<T> Drop for ReceivePort<T> {
    fn drop(&mut self) {
        let queued = self.port.mailbox().close();
        drop(queued);
    }
}

impl<T> std::fmt::Debug for ReceivePort<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ReceivePort({})", self.port.id())
    }
}

/// A message of one of two ports; see [`recv_either`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::{Either, recv_either};
/// let host = insula::Host::builder().isolates(1).build()?;
/// let (texts, numbers) = (host.receive_port::<String>(), host.receive_port::<u32>());
/// numbers.send_port().send(7)?;
/// assert_eq!(recv_either(&texts, &numbers)?, Either::Second(7));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Either<A, B> {
    /// Of the first port.
    First(A),
    /// Of the second port.
    Second(B),
}

/// A message of one of two ports; blocks until there is one. The first port's come first.
///
/// # Errors
/// When neither has one and neither will, or as [`ReceivePort::recv`].
pub fn recv_either<A, B>(first: &ReceivePort<A>, second: &ReceivePort<B>) -> Result<Either<A, B>, RecvError>
where
    A: DeserializeOwned,
    B: DeserializeOwned,
{
    wait(&first.links, NEVER, &[&first.port, &second.port], |waker| {
        let one = first.take(Some(waker)).map(|taken| taken.and_then(data).map(Either::First));
        let other = || second.take(Some(waker)).map(|taken| taken.and_then(data).map(Either::Second));
        match one {
            Some(one) => or_else(one, other),
            None => other().filter(is_no_end),
        }
    })
}

/// A message of several ports, with the position of its port; blocks until there is one. Earlier ports come first.
///
/// # Errors
/// When none has one and none will, or as [`ReceivePort::recv`].
pub fn recv_any<T: DeserializeOwned>(ports: &[&ReceivePort<T>]) -> Result<(usize, T), RecvError> {
    let Some(links) = ports.first().map(|port| &port.links) else { return Err(RecvError::Closed) };
    let waited: Vec<&Arc<Port>> = ports.iter().map(|port| &port.port).collect();
    wait(links, NEVER, &waited, |waker| {
        let mut ended = Some(RecvError::Closed);
        for (at, port) in ports.iter().enumerate() {
            match port.take(Some(waker)).map(|taken| taken.and_then(data).map(|value| (at, value))) {
                Some(taken) if is_no_end(&taken) => return Some(taken),
                Some(Err(RecvError::Unreachable)) => ended = ended.map(|_| RecvError::Unreachable),
                Some(_) => {}
                None => ended = None,
            }
        }
        ended.map(Err)
    })
}

fn is_no_end<T>(taken: &Result<T, RecvError>) -> bool {
    !matches!(taken, Err(RecvError::Closed | RecvError::Unreachable))
}

/// What one port gave, unless it is at its end and the other is not.
fn or_else<T>(
    one: Result<T, RecvError>,
    other: impl FnOnce() -> Option<Result<T, RecvError>>,
) -> Option<Result<T, RecvError>> {
    if is_no_end(&one) { Some(one) } else { other() }
}
