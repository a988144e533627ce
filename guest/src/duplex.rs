//! A typed link of two isolates, both of whose ends send and receive.

use std::cell::{Cell, OnceCell};
use std::fmt;
use std::time::Duration;

use insula_wire::Status;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{RecvError, RecvTimeoutError, SendError, SpawnError, TryRecvError};
use crate::isolate::Isolate;
use crate::outcome::Outcome;
use crate::receive_port::{Messages, ReceivePort};
use crate::send_port::SendPort;
use crate::spawn::Spawn;

/// One end of a link: it receives `In` and sends `Out`, and the other end the other way round.
///
/// It hides the handshake by which two isolates get hold of each other's ports. Either end sees when the other is gone:
/// sends answer [`SendError::Closed`], receives [`RecvError::Unreachable`], when what was sent before has been received.
///
/// ```no_run
/// use insula_guest::Duplex;
///
/// fn lengths(link: Duplex<String, usize>) -> Result<(), insula_guest::SendError> {
///     for text in &link {
///         link.send(text.len())?;
///     }
///     Ok(())
/// }
///
/// let (link, _isolate) = Duplex::spawn(lengths)?;
/// link.send("four".to_owned())?;
/// assert_eq!(link.recv()?, 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Duplex<In, Out> {
    incoming: ReceivePort<In>,
    outgoing: OnceCell<SendPort<Out>>,
    /// Where the other end's port comes to, until it came.
    greeting: Cell<Option<ReceivePort<SendPort<Out>>>>,
}

/// An end that nobody has opened yet. It is a value that can be sent; whoever [opens](DuplexEnd::open) it has the link.
///
/// ```no_run
/// use insula_guest::{Duplex, DuplexEnd, SendPort};
///
/// # fn introduce(one: SendPort<DuplexEnd<u32, String>>) -> Result<(), Box<dyn std::error::Error>> {
/// let (link, end) = Duplex::<String, u32>::pair();
/// one.send(end)?; // whoever receives it calls `end.open()`
/// link.send(7)?;
/// # Ok(())
/// # }
/// ```
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct DuplexEnd<In, Out> {
    outgoing: SendPort<Out>,
    greeting: SendPort<SendPort<In>>,
}

impl<In, Out> Duplex<In, Out> {
    /// A new link: this end, open, and the other one, to be sent to somebody.
    ///
    /// # Panics
    /// When this isolate may have no more ports.
    #[must_use]
    pub fn pair() -> (Duplex<In, Out>, DuplexEnd<Out, In>) {
        let (incoming, greeting) = (ReceivePort::new(), ReceivePort::new());
        let end = DuplexEnd { outgoing: incoming.send_port(), greeting: greeting.send_port() };
        (Duplex { incoming, outgoing: OnceCell::new(), greeting: Cell::new(Some(greeting)) }, end)
    }

    /// A new isolate of this module, in which `entry` is called with the other end.
    /// [`Spawn::spawn_duplex`](crate::Spawn::spawn_duplex) does it with options.
    ///
    /// # Errors
    /// When the host refuses.
    pub fn spawn<F, R>(entry: F) -> Result<(Duplex<In, Out>, Isolate), SpawnError>
    where
        F: Fn(Duplex<Out, In>) -> R + Copy + 'static,
        R: Outcome,
    {
        Spawn::new().spawn_duplex(entry)
    }

    /// The two ports that it is made of, for listening, or for waiting for several at once. Waits as
    /// [`send`](Duplex::send) does.
    ///
    /// # Errors
    /// [`SendError::Closed`] when the other end is gone before it was opened.
    pub fn into_ports(self) -> Result<(ReceivePort<In>, SendPort<Out>), SendError> {
        let outgoing = self.outgoing()?.clone();
        Ok((self.incoming, outgoing))
    }

    fn outgoing(&self) -> Result<&SendPort<Out>, SendError> {
        if let Some(outgoing) = self.outgoing.get() {
            return Ok(outgoing);
        }
        let greeting = self.greeting.take().ok_or(SendError::Closed)?;
        match greeting.recv() {
            Ok(outgoing) => Ok(self.outgoing.get_or_init(|| outgoing)),
            Err(RecvError::TooMany) => {
                self.greeting.set(Some(greeting)); // the message is kept: it may fit the next time
                Err(SendError::Refused(Status::TooMany))
            }
            Err(_) => Err(SendError::Closed),
        }
    }
}

impl<In, Out: Serialize> Duplex<In, Out> {
    /// Sends a message to the other end. The first send waits until the other end is open.
    ///
    /// # Errors
    /// [`SendError::Closed`] when the other end is gone; else as [`SendPort::send`].
    pub fn send(&self, message: Out) -> Result<(), SendError> {
        self.outgoing()?.send(message)
    }
}

impl<In: DeserializeOwned, Out> Duplex<In, Out> {
    /// The next message of the other end; waits for it.
    ///
    /// # Errors
    /// As [`ReceivePort::recv`]; [`RecvError::Unreachable`] when the other end is gone.
    pub fn recv(&self) -> Result<In, RecvError> {
        self.incoming.recv()
    }

    /// As [`recv`](Duplex::recv); waits for so long at most.
    ///
    /// # Errors
    /// As [`ReceivePort::recv_timeout`].
    pub fn recv_timeout(&self, timeout: Duration) -> Result<In, RecvTimeoutError> {
        self.incoming.recv_timeout(timeout)
    }

    /// The next message if there is one now.
    ///
    /// # Errors
    /// As [`ReceivePort::try_recv`].
    pub fn try_recv(&self) -> Result<In, TryRecvError> {
        self.incoming.try_recv()
    }

    /// The messages until the other end is gone.
    pub fn messages(&self) -> Messages<'_, In> {
        self.incoming.messages()
    }
}

impl<'a, In: DeserializeOwned, Out> IntoIterator for &'a Duplex<In, Out> {
    type Item = In;
    type IntoIter = Messages<'a, In>;

    fn into_iter(self) -> Messages<'a, In> {
        self.messages()
    }
}

impl<In, Out> DuplexEnd<In, Out> {
    /// Opens this end. Where the other one is gone, sends and receives will say so.
    ///
    /// # Panics
    /// When this isolate may have no more ports.
    #[must_use]
    pub fn open(self) -> Duplex<In, Out> {
        let incoming = ReceivePort::new();
        // A greeting that does not arrive is a link that is closed, and both ends learn that from their ports.
        self.greeting.send(incoming.send_port()).ok();
        Duplex { incoming, outgoing: OnceCell::from(self.outgoing), greeting: Cell::new(None) }
    }
}

impl<In, Out> fmt::Debug for Duplex<In, Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Duplex").field("incoming", &self.incoming).field("outgoing", &self.outgoing).finish()
    }
}

impl<In, Out> fmt::Debug for DuplexEnd<In, Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DuplexEnd").field("outgoing", &self.outgoing).finish()
    }
}
