//! The embedder's sending end of a port.

use std::future::poll_fn;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use insula_wire::{Kind, Status};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::value;
use crate::control::{Hold, Links};
use crate::error::SendError;
use crate::port::{AtTheDoor, Attachment, Claims, Message, Refused, SendRight, codec};
use crate::until::ThreadBell;
use crate::world::{NEVER, Nanos};

/// The right to send messages of type `T` to a port, of the embedder's or of an isolate's.
///
/// It is a value: it can be cloned, compared, used as a key, and sent as a part of any message to isolates of its host.
/// Two are equal if and only if they name the same port.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let host = insula::Host::builder().isolates(1).build()?;
/// let port = host.receive_port::<(u32, String)>();
/// let to_port = port.send_port();
/// to_port.send((1, "one".to_owned()))?;
/// assert_eq!(port.recv()?, (1, "one".to_owned()));
/// # Ok(())
/// # }
/// ```
pub struct SendPort<T> {
    right: SendRight,
    links: Arc<Links>,
    /// By a port of its own the embedder wakes no isolate.
    _hold: Option<Hold>,
    message: PhantomData<fn(T)>,
}

impl<T> SendPort<T> {
    pub(crate) fn new(right: SendRight, links: &Arc<Links>) -> SendPort<T> {
        let hold = (!right.port().mailbox().is_embedders()).then(|| Hold::new(links));
        SendPort { right, links: Arc::clone(links), _hold: hold, message: PhantomData }
    }

    pub(crate) fn right(&self) -> &SendRight {
        &self.right
    }

    pub(super) fn links(&self) -> &Arc<Links> {
        &self.links
    }

    /// The same right as one to send messages of another type.
    pub(crate) fn cast<U>(self) -> SendPort<U> {
        SendPort { right: self.right, links: self.links, _hold: self._hold, message: PhantomData }
    }

    /// Its port's number, as reports name it.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.right.port().id()
    }
}

impl<T: Serialize> SendPort<T> {
    /// Sends a message. It blocks the calling thread for room only where the port's policy is `wait`.
    ///
    /// Ok means that the receiver's host accepted it.
    ///
    /// # Errors
    /// [`SendError`] says why nothing was sent: a closed port, a full mailbox, a message that cannot be sent.
    pub fn send(&self, message: T) -> Result<(), SendError> {
        self.send_ref(&message)
    }

    /// As [`SendPort::send`], for a message that the sender keeps.
    ///
    /// # Errors
    /// As there.
    pub fn send_ref(&self, message: &T) -> Result<(), SendError> {
        self.send_until(message, NEVER)
    }

    /// As [`SendPort::send`], but never waits.
    ///
    /// # Errors
    /// As there.
    pub fn try_send(&self, message: &T) -> Result<(), SendError> {
        let mut unsent = self.unsent(message)?;
        self.post(&mut unsent, None).map_or(Err(Status::Full.into()), |sent| sent.map_err(SendError::from))
    }

    /// As [`SendPort::send`], but waits for so long at most.
    ///
    /// # Errors
    /// As there, and with the status `TimedOut`.
    pub fn send_timeout(&self, message: &T, timeout: Duration) -> Result<(), SendError> {
        self.send_until(message, self.links.world.after(timeout))
    }

    /// As [`SendPort::send`], as a future. Dropped before it is done, it has sent nothing.
    ///
    /// # Errors
    /// As there.
    pub async fn send_async(&self, message: T) -> Result<(), SendError> {
        let mut unsent = self.unsent(&message)?;
        let mut waiting = AtTheDoor::new(&self.right);
        let sent = poll_fn(|cx: &mut Context<'_>| {
            waiting.stand(cx.waker());
            self.post(&mut unsent, Some(cx.waker())).map_or(Poll::Pending, Poll::Ready)
        });
        sent.await.map_err(SendError::from)
    }

    pub(super) fn send_until(&self, message: &T, ends: Nanos) -> Result<(), SendError> {
        let mut unsent = self.unsent(message)?;
        if let Some(sent) = self.post(&mut unsent, None) {
            return sent.map_err(SendError::from);
        }
        let bell = ThreadBell::new();
        let mut waiting = AtTheDoor::new(&self.right);
        waiting.stand(bell.waker());
        loop {
            if let Some(sent) = self.post(&mut unsent, Some(bell.waker())) {
                return sent.map_err(SendError::from);
            }
            if !bell.wait(&self.links.world, ends) {
                return Err(Status::TimedOut.into());
            }
        }
    }

    fn unsent(&self, message: &T) -> Result<Unsent, SendError> {
        let encoded = codec::encode(message, Kind::Data).map_err(SendError::from)?;
        let (message, claims) = encoded.into_message(self.links.number).map_err(SendError::from)?;
        Ok(Some((message, claims)))
    }

    /// Sends what is unsent. None where there is no room and the port's policy is to wait for it.
    fn post(&self, unsent: &mut Unsent, waker: Option<&Waker>) -> Option<Result<(), Status>> {
        let (message, claims) = unsent.take()?;
        let (port, cost) = (self.right.port(), message.cost());
        // Before the message can be received.
        let at = self.links.recorder.has_all().then(|| self.links.world.now());
        at.into_iter().for_each(|at| port.mailbox().observe(at));
        match port.mailbox().send(port, message, waker) {
            Ok(number) => {
                if let Some(at) = at {
                    self.links.recorder.sent(at, 0, port.mailbox().owner(), number, cost);
                }
                claims.settle();
                Some(Ok(()))
            }
            Err(Refused { waits: true, message, .. }) => {
                *unsent = Some((message, claims));
                None
            }
            Err(refused) => Some(Err(refused.status)),
        }
    }

    /// A response for a notice at this port.
    pub(super) fn told(&self, response: &T) -> Result<(SendRight, Message, Claims), SendError> {
        if !value::fits::<T>(self.right.port().schema()) {
            return Err(Status::Invalid.into());
        }
        let encoded = codec::encode(response, Kind::Data).map_err(SendError::from)?;
        let (message, claims) = encoded.into_message(self.links.number).map_err(SendError::from)?;
        Ok((self.right.clone(), message, claims))
    }
}

type Unsent = Option<(Message, Claims)>;

impl<T> Clone for SendPort<T> {
    fn clone(&self) -> SendPort<T> {
        SendPort::new(self.right.clone(), &self.links)
    }
}

impl<T> PartialEq for SendPort<T> {
    fn eq(&self, other: &SendPort<T>) -> bool {
        self.links.number == other.links.number && self.number() == other.number()
    }
}

impl<T> Eq for SendPort<T> {}

impl<T> PartialOrd for SendPort<T> {
    fn partial_cmp(&self, other: &SendPort<T>) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for SendPort<T> {
    fn cmp(&self, other: &SendPort<T>) -> std::cmp::Ordering {
        (self.links.number, self.number()).cmp(&(other.links.number, other.number()))
    }
}

impl<T> std::hash::Hash for SendPort<T> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.number().hash(state);
    }
}

impl<T> std::fmt::Debug for SendPort<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SendPort({})", self.number())
    }
}

impl<T> Serialize for SendPort<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let position = codec::attach(Attachment::Send(self.right.clone()), self.links.number);
        let position = position.ok_or_else(|| S::Error::custom("a SendPort travels in messages of its host only"))?;
        serializer.serialize_u8(position)
    }
}

impl<'de, T> Deserialize<'de> for SendPort<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SendPort<T>, D::Error> {
        match (codec::detach(u8::deserialize(deserializer)?), Links::of_message()) {
            (Some(Attachment::Send(right)), Some(links)) => Ok(SendPort::new(right, &links)),
            _ => Err(D::Error::custom("there is no SendPort at this position of the message")),
        }
    }
}
