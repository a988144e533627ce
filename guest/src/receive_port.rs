//! The receiving end of a port: one message at a time, as an iterator, or given to the event loop.

use std::fmt;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use insula_wire::{Kind, MailboxPolicy, Status};
use serde::de::DeserializeOwned;

use crate::call::Source;
use crate::error::{RecvError, RecvTimeoutError, Refused, SingleError, TimedOut, TryRecvError, Undecodable};
use crate::event_loop::{self, Listener};
use crate::handle::Handle;
use crate::message::Incoming;
use crate::outcome::Outcome;
use crate::send_port::SendPort;
use crate::service::{is_forgiven, is_request};
use crate::stream::MessageStream;
use crate::sys;
use crate::task::Receiving;
use crate::{report, time, value};

/// A queue of messages of type `T` that belongs to this isolate. Dart's `ReceivePort`.
///
/// Messages wait on the host's side until they are received. There are four ways, each of which ends the turn where it
/// waits:
/// - [`recv`](ReceivePort::recv) and its kin take one message;
/// - the port is an iterator: a loop over it by value, [`take`](Iterator::take) and [`first`](ReceivePort::first)
///   close it at their end; a loop over [`&port`](ReceivePort::messages) or [`by_ref`](Iterator::by_ref) does not;
/// - [`listen`](ReceivePort::listen) has a handler called for each message, in the event loop after the entry returned;
/// - a [task](crate::task) awaits [`recv_async`](ReceivePort::recv_async), or takes the port as a
///   [stream](ReceivePort::into_stream).
///
/// Dropping the port closes it, and drops what is queued.
///
/// ```no_run
/// use insula_guest::{Isolate, ReceivePort, SendPort};
///
/// fn worker(squares: SendPort<u64>) {
///     for n in 1..=3 {
///         squares.send(n * n).ok();
///     }
/// }
///
/// let squares = ReceivePort::new();
/// Isolate::spawn(worker, squares.send_port())?;
/// assert_eq!(squares.sum::<u64>(), 14); // ends when the worker is gone, and with it the last SendPort
/// # Ok::<(), insula_guest::SpawnError>(())
/// ```
pub struct ReceivePort<T> {
    pub(crate) handle: OpenPort,
    of: PhantomData<fn() -> T>,
}

/// The owner's handle of a port, which closes it when it goes.
#[derive(Debug)]
pub(crate) struct OpenPort(Handle);

impl OpenPort {
    pub(crate) fn number(&self) -> u32 {
        self.0.number()
    }

    /// One more owner, for a port that is shared with the event loop. No task waits for such a port.
    pub(crate) fn shared(&self) -> OpenPort {
        OpenPort(self.0.clone())
    }

    pub(crate) fn close(&self) {
        let _ = sys::ports_close(self.number());
        event_loop::closed(self.number());
    }
}

impl Drop for OpenPort {
    fn drop(&mut self) {
        event_loop::closed(self.number()); // the handle goes after this, and with it the host's end
    }
}

/// A message with what it is: sent by somebody, or a notice of the host's that carries the response asked for.
///
/// ```no_run
/// use insula_guest::{Isolate, Kind, ReceivePort};
///
/// let port = ReceivePort::<u32>::new();
/// let isolate = Isolate::build().on_exit(&port.send_port(), 7).spawn(|_: ()| {}, ())?;
/// let message = port.recv_message()?;
/// assert_eq!((message.kind, message.value), (Kind::Exit, 7));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message<T> {
    /// What it is.
    pub kind: Kind,
    /// What it says.
    pub value: T,
}

impl<T: DeserializeOwned> Message<T> {
    pub(crate) fn decode(incoming: Incoming) -> Result<Message<T>, Undecodable> {
        Ok(Message { kind: incoming.kind, value: incoming.decode()? })
    }
}

impl<T> ReceivePort<T> {
    /// A new port. A send that finds its mailbox full fails.
    ///
    /// # Panics
    /// When this isolate may have no more ports; [`try_open`](ReceivePort::try_open) says so instead.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it makes something with the host, which a default does not")]
    pub fn new() -> ReceivePort<T> {
        ReceivePort::with_policy(MailboxPolicy::Error)
    }

    /// A new port that decides what a send to its full mailbox does.
    ///
    /// # Panics
    /// As [`new`](ReceivePort::new).
    #[must_use]
    pub fn with_policy(policy: MailboxPolicy) -> ReceivePort<T> {
        ReceivePort::own(open(value::schema::<T>(), policy).unwrap_or_else(no_room))
    }

    /// As [`with_policy`](ReceivePort::with_policy), for a program that can do with one port less.
    ///
    /// # Errors
    /// When this isolate may have no more ports.
    pub fn try_open(policy: MailboxPolicy) -> Result<ReceivePort<T>, Refused> {
        open(value::schema::<T>(), policy).map(ReceivePort::own)
    }

    pub(crate) fn own(handle: Handle) -> ReceivePort<T> {
        ReceivePort { handle: OpenPort(handle), of: PhantomData }
    }

    /// The right to send to this port: equal to all others of this port.
    ///
    /// # Panics
    /// When this isolate may hold no more handles.
    #[must_use]
    pub fn send_port(&self) -> SendPort<T> {
        SendPort::own(sender(&self.handle).unwrap_or_else(no_room))
    }

    /// Drops what is queued and ends the port: sends to it answer `Closed`, and receives too. Closing twice is fine.
    pub fn close(&self) {
        self.handle.close();
    }

    /// Drops the oldest queued message, unread; says whether there was one.
    pub fn discard(&self) -> bool {
        event_loop::held(Source::Try(self.handle.number())).is_some()
            || sys::check(sys::ports_discard(self.handle.number())).is_ok()
    }

    /// Takes what is there at once, or waits until `deadline`.
    pub(crate) fn incoming(&self, deadline: u64) -> Result<Incoming, Status> {
        Incoming::next(self.handle.number(), deadline)
    }
}

/// A new port of messages of this schema; 0 is any.
pub(crate) fn open(schema: u64, policy: MailboxPolicy) -> Result<Handle, Refused> {
    report::install_hook();
    let port = sys::result(|number| sys::ports_open(schema, policy.code(), number));
    port.map(Handle::own).map_err(Refused::by_host)
}

fn sender(port: &OpenPort) -> Result<Handle, Refused> {
    let sender = sys::result(|number| sys::ports_sender(port.number(), number));
    sender.map(Handle::own).map_err(Refused::by_host)
}

#[cold]
fn no_room(refused: Refused) -> Handle {
    panic!("no room for a port: {refused}")
}

impl<T: DeserializeOwned> ReceivePort<T> {
    /// The next message; waits for it.
    ///
    /// # Errors
    /// When there is none and will be none, or it is not a `T`; see [`RecvError`].
    pub fn recv(&self) -> Result<T, RecvError> {
        Ok(self.incoming(time::NEVER)?.decode()?)
    }

    /// As [`recv`](ReceivePort::recv), with the kind of the message.
    ///
    /// # Errors
    /// As [`recv`](ReceivePort::recv).
    pub fn recv_message(&self) -> Result<Message<T>, RecvError> {
        Ok(Message::decode(self.incoming(time::NEVER)?)?)
    }

    /// The next message if there is one now. It neither waits nor ends the turn.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] when there is none now, else as [`recv`](ReceivePort::recv).
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        match Incoming::take(Source::Try(self.handle.number())) {
            Ok(message) => message.decode().map_err(|error| TryRecvError::Failed(error.into())),
            Err(Status::WouldWait) => Err(TryRecvError::Empty),
            Err(status) => Err(TryRecvError::Failed(status.into())),
        }
    }

    /// The next message; waits for so long at most.
    ///
    /// # Errors
    /// [`RecvTimeoutError::TimedOut`], else as [`recv`](ReceivePort::recv).
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.recv_until(time::deadline_in(timeout))
    }

    /// The next message; waits until then at most.
    ///
    /// # Errors
    /// [`RecvTimeoutError::TimedOut`], else as [`recv`](ReceivePort::recv).
    pub fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.recv_until(time::deadline_at(deadline))
    }

    pub(crate) fn recv_until(&self, deadline: u64) -> Result<T, RecvTimeoutError> {
        match self.incoming(deadline) {
            Ok(message) => message.decode().map_err(|error| RecvTimeoutError::Failed(error.into())),
            Err(Status::TimedOut) => Err(RecvTimeoutError::TimedOut),
            Err(status) => Err(RecvTimeoutError::Failed(status.into())),
        }
    }

    /// The next message; closes the port.
    ///
    /// # Errors
    /// As [`recv`](ReceivePort::recv): a port that ends empty has no first message.
    pub fn first(self) -> Result<T, RecvError> {
        self.recv()
    }

    /// As [`first`](ReceivePort::first); waits for so long at most, and closes the port also where nothing came.
    ///
    /// # Errors
    /// As [`recv_timeout`](ReceivePort::recv_timeout).
    pub fn first_timeout(self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.recv_timeout(timeout)
    }

    /// The only message there is: waits until nobody can send another one. Closes the port. Dart's `single`.
    ///
    /// # Errors
    /// [`SingleError::Several`] as soon as there is a second one; else as [`first`](ReceivePort::first).
    pub fn single(self) -> Result<T, SingleError> {
        let only = self.recv()?;
        SingleError::unless_last(self.recv().map(drop))?;
        Ok(only)
    }

    /// The next message, for a task: only the task waits for it. Dropping the future loses no message.
    ///
    /// ```no_run
    /// # use insula_guest::{ReceivePort, RecvError};
    /// # async fn add(port: ReceivePort<u32>) -> Result<u32, RecvError> {
    /// Ok(port.recv_async().await? + port.recv_async().await?)
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`recv`](ReceivePort::recv), but the port is [`Unreachable`](RecvError::Unreachable) only when nothing else in
    /// this isolate can run: what can run may ask for a new `SendPort`.
    pub async fn recv_async(&self) -> Result<T, RecvError> {
        Ok(Receiving::new(self.handle.number()).await?.decode()?)
    }

    /// The messages as a stream, for a task, which closes the port when it is dropped.
    pub fn into_stream(self) -> MessageStream<T> {
        MessageStream::new(self, true)
    }

    /// The messages as a stream, for a task, without closing the port.
    pub fn stream(&self) -> MessageStream<T, &ReceivePort<T>> {
        MessageStream::new(self, false)
    }

    /// The messages until the port is closed or unreachable, without closing it.
    pub fn messages(&self) -> Messages<'_, T> {
        Messages { port: self }
    }

    /// Has `handler` called for each message, in the event loop, until the port is closed.
    ///
    /// The event loop runs when the isolate's entry, or `main`, has returned. A handler may return nothing; a `Result`,
    /// whose error is an uncaught error of this isolate; or [`ControlFlow::Break`](std::ops::ControlFlow::Break), which
    /// closes the port. A message that is not a `T` is an uncaught error too. The port keeps the isolate alive as long as
    /// it is open and somebody else can send to it.
    ///
    /// ```no_run
    /// use std::ops::ControlFlow;
    /// use insula_guest::{ReceivePort, SendPort};
    ///
    /// fn worker(main_port: SendPort<SendPort<String>>) {
    ///     let commands = ReceivePort::<String>::new();
    ///     main_port.send(commands.send_port()).ok();
    ///     commands.listen(|command| match command.as_str() {
    ///         "quit" => ControlFlow::Break(()),
    ///         command => { println!("do {command}"); ControlFlow::Continue(()) }
    ///     });
    /// }
    /// ```
    pub fn listen<H, O>(self, mut handler: H) -> Listener
    where
        H: FnMut(T) -> O + 'static,
        O: Outcome,
    {
        let listener = event_loop::listen(self.handle, move |message| match message.decode() {
            Ok(message) => handler(message).outcome(),
            Err(_) if is_request::<T>() => Ok(ControlFlow::Continue(())),
            Err(undecodable) => Err(undecodable.to_string()),
        });
        if is_request::<T>() {
            event_loop::forgive(&listener);
        }
        listener
    }
}

/// A loop over a port that the loop consumes. A message that is not a `T` is an uncaught error (semantics 6.4), and
/// ends the loop where errors are not fatal.
impl<T: DeserializeOwned> Iterator for ReceivePort<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.messages().next()
    }
}

impl<'a, T: DeserializeOwned> IntoIterator for &'a ReceivePort<T> {
    type Item = T;
    type IntoIter = Messages<'a, T>;

    fn into_iter(self) -> Messages<'a, T> {
        self.messages()
    }
}

impl<T> fmt::Debug for ReceivePort<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReceivePort").field(&self.handle.number()).finish()
    }
}

/// The messages of a port that stays open; see [`ReceivePort::messages`].
///
/// ```no_run
/// # let port = insula_guest::ReceivePort::<String>::new();
/// for word in &port {
///     if word == "that's all" { break }
/// }
/// port.recv()?; // the port is still there
/// # Ok::<(), insula_guest::RecvError>(())
/// ```
#[derive(Debug)]
pub struct Messages<'a, T> {
    port: &'a ReceivePort<T>,
}

impl<T: DeserializeOwned> Iterator for Messages<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        loop {
            match self.port.recv() {
                Ok(message) => return Some(message),
                Err(error) if is_forgiven::<T>(&error, self.port.handle.number()) => {}
                Err(error) => {
                    end_of_loop(error);
                    return None;
                }
            }
        }
    }
}

impl<'a, T> Messages<'a, T> {
    /// The same messages, each of which is waited for only so long. A loop may go on after one was late.
    pub fn timeout(self, each: Duration) -> TimedMessages<'a, T> {
        TimedMessages { port: self.port, each }
    }
}

/// The messages of a port, or that none came in time; see [`Messages::timeout`].
///
/// ```no_run
/// # let port = insula_guest::ReceivePort::<String>::new();
/// for line in port.messages().timeout(std::time::Duration::from_secs(1)) {
///     match line {
///         Ok(line) => println!("{line}"),
///         Err(_) => println!("a second without a line"),
///     }
/// }
/// ```
#[derive(Debug)]
pub struct TimedMessages<'a, T> {
    port: &'a ReceivePort<T>,
    each: Duration,
}

impl<T: DeserializeOwned> Iterator for TimedMessages<'_, T> {
    type Item = Result<T, TimedOut>;

    fn next(&mut self) -> Option<Result<T, TimedOut>> {
        loop {
            match self.port.recv_timeout(self.each) {
                Ok(message) => return Some(Ok(message)),
                Err(RecvTimeoutError::TimedOut) => return Some(Err(TimedOut)),
                Err(RecvTimeoutError::Failed(error)) if is_forgiven::<T>(&error, self.port.handle.number()) => {}
                Err(RecvTimeoutError::Failed(error)) => {
                    end_of_loop(error);
                    return None;
                }
            }
        }
    }
}

#[cold]
fn end_of_loop(error: RecvError) {
    if !matches!(error, RecvError::Closed | RecvError::Unreachable) {
        report::report_error(error);
    }
}

/// What came from one of two: ports, see [`recv_either`]; or futures, see [`task::select`](crate::task::select).
///
/// ```no_run
/// use insula_guest::Either;
///
/// fn told(from: Either<String, u32>) -> String {
///     match from {
///         Either::First(text) => text,
///         Either::Second(number) => number.to_string(),
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Either<A, B> {
    /// Of the first.
    First(A),
    /// Of the second.
    Second(B),
}

/// The earliest message of two ports; waits for it.
///
/// ```no_run
/// use insula_guest::{Either, ReceivePort, RemoteError, recv_either};
///
/// # let (data, errors) = (ReceivePort::<String>::new(), ReceivePort::<RemoteError>::new());
/// match recv_either(&data, &errors)? {
///     Either::First(text) => println!("Data: {text}"),
///     Either::Second(error) => println!("Caught: {error}"),
/// }
/// # Ok::<(), insula_guest::RecvError>(())
/// ```
///
/// # Errors
/// When neither has one and neither will, or it is not of its port's type; see [`RecvError`].
pub fn recv_either<A, B>(first: &ReceivePort<A>, second: &ReceivePort<B>) -> Result<Either<A, B>, RecvError>
where
    A: DeserializeOwned,
    B: DeserializeOwned,
{
    let ports = [first.handle.number(), second.handle.number()];
    let message = Incoming::take(Source::Any(&ports, time::NEVER))?;
    if message.port == ports[0] { Ok(Either::First(message.decode()?)) } else { Ok(Either::Second(message.decode()?)) }
}

/// The earliest message of several ports, with the position of its port; waits for it.
///
/// ```no_run
/// # let ports = [insula_guest::ReceivePort::<u32>::new(), insula_guest::ReceivePort::new()];
/// let (which, message) = insula_guest::recv_any(&[&ports[0], &ports[1]])?;
/// # Ok::<(), insula_guest::RecvError>(())
/// ```
///
/// # Errors
/// When none has one and none will, or it is not a `T`; see [`RecvError`].
pub fn recv_any<T: DeserializeOwned>(ports: &[&ReceivePort<T>]) -> Result<(usize, T), RecvError> {
    let ports: Vec<u32> = ports.iter().map(|port| port.handle.number()).collect();
    let message = Incoming::take(Source::Any(&ports, time::NEVER))?;
    let which = ports.iter().position(|port| *port == message.port).unwrap_or_default();
    Ok((which, message.decode()?))
}
