//! The sending end of a port.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use insula_wire::{HandleKind, Status};
use serde::de::Deserializer;
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::call::Body;
use crate::error::SendError;
use crate::handle::Handle;
use crate::message::Outgoing;
use crate::{sys, time};

/// The right to send messages of type `T` to a [`ReceivePort`](crate::ReceivePort), wherever that is.
///
/// It is a value: it can be cloned, compared, used as a key, and sent as a part of any message, as Dart's `SendPort`.
/// Two are equal if and only if they name the same port, also after a round trip. A port that nobody holds a `SendPort`
/// of is unreachable, and its owner learns that; so drop what is not needed.
///
/// Sending never waits for the receiver, unless the port was made to
/// ([`MailboxPolicy::Wait`](crate::MailboxPolicy::Wait)), and gives the receiver a deep copy.
///
/// ```no_run
/// use insula_guest::{ReceivePort, SendPort};
///
/// let port = ReceivePort::new();
/// let to_port: SendPort<(u32, String)> = port.send_port();
/// to_port.send((1, "one".to_owned()))?;
/// assert_eq!(port.recv()?, (1, "one".to_owned()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SendPort<T> {
    pub(crate) handle: Handle,
    of: PhantomData<fn(T)>,
}

impl<T> SendPort<T> {
    pub(crate) fn own(handle: Handle) -> SendPort<T> {
        SendPort { handle, of: PhantomData }
    }
}

impl<T> SendPort<T> {
    /// The same port, of messages that are encoded like those of type `T`.
    pub(crate) fn recast<U>(self) -> SendPort<U> {
        SendPort::own(self.handle)
    }

    /// Sends what encodes like a `T`, and waits for room where the port's policy says so.
    pub(crate) fn send_outgoing(&self, message: &Outgoing) -> Result<(), SendError> {
        self.post(message.body(), Some(time::NEVER))
    }

    /// Posts a message, and waits for room until the deadline, if there is one and the port's policy is to wait.
    pub(crate) fn post(&self, message: Body<'_>, deadline: Option<u64>) -> Result<(), SendError> {
        post(&self.handle, message, deadline)
    }
}

impl<T: Serialize> SendPort<T> {
    /// Sends a message. It waits for room only where the port's policy is `wait`.
    ///
    /// Ok means that the receiver's host accepted it. For a message that nobody needs to receive, say so:
    /// `port.send(message).ok()`.
    ///
    /// # Errors
    /// A closed port, a full mailbox, or a message that cannot be sent; see [`SendError`].
    pub fn send(&self, message: T) -> Result<(), SendError> {
        self.send_ref(&message)
    }

    /// As [`send`](SendPort::send), for a message that the sender keeps.
    ///
    /// # Errors
    /// As [`send`](SendPort::send).
    pub fn send_ref(&self, message: &T) -> Result<(), SendError> {
        self.send_until(message, time::NEVER)
    }

    /// As [`send`](SendPort::send), but never waits: a mailbox without room is [`SendError::Full`]. The message stays
    /// with the sender, who will want to send it again.
    ///
    /// # Errors
    /// As [`send`](SendPort::send).
    pub fn try_send(&self, message: &T) -> Result<(), SendError> {
        self.post(Outgoing::encode(message)?.body(), None)
    }

    /// As [`send`](SendPort::send), but waits for so long at most.
    ///
    /// # Errors
    /// As [`send`](SendPort::send), and [`SendError::TimedOut`].
    pub fn send_timeout(&self, message: &T, timeout: Duration) -> Result<(), SendError> {
        self.send_until(message, time::deadline_in(timeout))
    }

    /// As [`send`](SendPort::send), but waits until then at most.
    ///
    /// # Errors
    /// As [`send`](SendPort::send), and [`SendError::TimedOut`].
    pub fn send_deadline(&self, message: &T, deadline: Instant) -> Result<(), SendError> {
        self.send_until(message, time::deadline_at(deadline))
    }

    pub(crate) fn send_until(&self, message: &T, deadline: u64) -> Result<(), SendError> {
        self.post(Outgoing::encode(message)?.body(), Some(deadline))
    }
}

#[inline(never)]
fn post(port: &Handle, message: Body<'_>, deadline: Option<u64>) -> Result<(), SendError> {
    match (sys::send(port.number(), message, None), deadline) {
        // Only the host knows the port's policy: the waiting form fails at once where it is not to wait.
        (Err(Status::Full), Some(_)) => Ok(sys::send(port.number(), message, deadline)?),
        (sent, _) => Ok(sent?),
    }
}

impl<T> Clone for SendPort<T> {
    fn clone(&self) -> SendPort<T> {
        SendPort::own(self.handle.clone())
    }
}

impl<T> PartialEq for SendPort<T> {
    fn eq(&self, other: &SendPort<T>) -> bool {
        self.handle == other.handle
    }
}

impl<T> Eq for SendPort<T> {}

impl<T> PartialOrd for SendPort<T> {
    fn partial_cmp(&self, other: &SendPort<T>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for SendPort<T> {
    fn cmp(&self, other: &SendPort<T>) -> Ordering {
        self.handle.cmp(&other.handle)
    }
}

impl<T> Hash for SendPort<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.handle.hash(state);
    }
}

impl<T> fmt::Debug for SendPort<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SendPort").field(&self.handle.number()).finish()
    }
}

impl<T> Serialize for SendPort<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.handle.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for SendPort<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SendPort<T>, D::Error> {
        Ok(SendPort::own(Handle::deserialize(deserializer, HandleKind::SendPort)?))
    }
}
