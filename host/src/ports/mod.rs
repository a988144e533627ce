//! The embedder's typed ports: the same mailboxes that isolates have, with a thread or a task as their waiter.
//!
//! - [`ReceivePort`]: blocking, with a timeout, as an iterator, as a future or as a stream; closes when it is dropped.
//! - [`SendPort`]: sendable itself, anywhere in a serde value, to isolates of its own host.
//! - [`Blob`]: bytes that move with a message.
//! - [`SendPort::ask`], [`Duplex`]: questions with an answer, and links.
//! - [`Service`]: an isolate that is called by a [`Request`], with [`Answers`] and exact errors.
//! - [`ServicePool`]: isolates that are ready to be called once each.
//! - [`Function`]: what guests call of the embedder's, and who the [`Caller`] is.
//! - [`Listener`], [`RawReceivePort`], [`Broadcast`]: ports that call handlers, on a thread of theirs.
//! - [`Computation`]: a value that an isolate computes.
//! - [`Names`]: a namespace of the host's name server.
//! - [`Traced`]: a message with where in a trace it was sent.
//! - [`Value`]: the untyped message.
//! - [`Received`]: a message with its kind, so that one port can take data and notices.

mod answers;
mod ask;
mod blob;
mod broadcast;
mod call;
mod compute;
mod control;
mod duplex;
mod function;
mod listen;
mod names;
mod receive;
mod send;
mod service_pool;
mod serving;
mod traced;
mod value;

pub use answers::Answers;
pub use ask::AskError;
pub use blob::{Blob, BlobError};
pub use broadcast::{Broadcast, Subscription};
pub use call::{CallError, Request, Service};
pub(crate) use call::{answers, only_answer};
pub use compute::{Computation, RunError};
pub use duplex::{Duplex, DuplexEnd};
pub use function::{Caller, Function};
pub use listen::{Listener, RawReceivePort};
pub use names::{NameError, Names};
pub use receive::{Either, Messages, ReceivePort, recv_any, recv_either};
pub use send::SendPort;
pub use service_pool::{CheckedOut, PoolSize, ServicePool};
pub use traced::Traced;
pub use value::{ErrorNotice, Value};

use insula_wire::codec::TOO_DEEP;
use insula_wire::{MailboxPolicy, RemoteError};

use crate::control::Links;
use crate::host::Host;
use crate::isolate::Capability;
use crate::limits::Limits;
use crate::port::{Charged, Mailbox};
use crate::sync::Arc;

/// Why nothing was received.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::RecvError;
/// let host = insula::Host::builder().isolates(1).build()?;
/// let port = host.receive_port::<u32>();
/// let to_port = port.send_port();
/// assert_eq!(port.try_recv(), Err(RecvError::Empty));
/// drop(to_port);
/// assert_eq!(port.recv(), Err(RecvError::Unreachable));
/// # Ok(())
/// # }
/// ```
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
    #[error("port {port}: {}", undecodable(wanted, *position, *too_deep))]
    Undecodable {
        /// The port's number.
        port: u64,
        /// The type that was expected.
        wanted: &'static str,
        /// How many of its bytes were in order.
        position: usize,
        /// Whether it is nested deeper than 512 levels.
        too_deep: bool,
    },
    /// A notice came where data was expected.
    #[error("an uncaught error came where data was expected: {0}")]
    ErrorNotice(RemoteError),
    /// A second message came where one was expected.
    #[error("port {port}: more than one message came")]
    MoreThanOne {
        /// The port's number.
        port: u64,
    },
}

fn undecodable(wanted: &str, position: usize, too_deep: bool) -> String {
    if too_deep { TOO_DEEP.to_owned() } else { format!("the message is no {wanted}, at byte {position}") }
}

/// A message, with what it is.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::{Received, Spawn};
/// let host = insula::Host::builder().isolates(1).build()?;
/// let module = host.load("run", b"(module (func (export \"run\")))")?;
/// let port = host.receive_port::<String>();
/// host.spawn(&module, Spawn::entry("run").on_exit(&port.send_port(), "it is gone".to_owned()))?;
/// assert_eq!(port.recv_message()?, Received::Exit("it is gone".to_owned()));
/// # Ok(())
/// # }
/// ```
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

impl Host {
    /// A new port of the embedder's, bounded as [`Limits::default`] bounds a mailbox.
    #[must_use]
    pub fn receive_port<T: 'static>(&self) -> ReceivePort<T> {
        self.receive_port_with(&Limits::default(), MailboxPolicy::Error)
    }

    /// As [`Host::receive_port`], with the mailbox bounds of these limits, and what a send does that finds it full.
    ///
    /// # Panics
    /// Where the limits allow no port.
    #[must_use]
    pub fn receive_port_with<T: 'static>(&self, limits: &Limits, policy: MailboxPolicy) -> ReceivePort<T> {
        ReceivePort::open(self.inner().links(), limits, policy)
    }

    /// A token that is equal to itself only, to pause isolates with or to send.
    #[must_use]
    pub fn capability(&self) -> Capability {
        Capability::new(self.inner().links())
    }
}

/// Values take any message that is one, and bytes take any.
fn port_schema<T: 'static>() -> u64 {
    if std::any::TypeId::of::<T>() == std::any::TypeId::of::<Vec<u8>>() { 0 } else { value::schema::<T>() }
}

impl<T: 'static> ReceivePort<T> {
    pub(crate) fn open(links: &Arc<Links>, limits: &Limits, policy: MailboxPolicy) -> ReceivePort<T> {
        ReceivePort::with_schema(port_schema::<T>(), links, limits, policy)
    }

    /// One that takes notices of any type beside its data.
    fn untyped(links: &Arc<Links>, limits: &Limits, policy: MailboxPolicy) -> ReceivePort<T> {
        ReceivePort::with_schema(0, links, limits, policy)
    }

    fn with_schema(schema: u64, links: &Arc<Links>, limits: &Limits, policy: MailboxPolicy) -> ReceivePort<T> {
        let charged = Charged { sender_percent_max: limits.sender_percent_max, ..Charged::default() };
        let mailbox = Mailbox::of_embedder(crate::host::room(limits), charged);
        links.keep(&mailbox);
        let port = mailbox.open(links.world.number(), schema, policy);
        ReceivePort::new(port.expect("the limits allow a port"), Arc::clone(links))
    }
}
