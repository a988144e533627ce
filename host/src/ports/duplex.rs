//! A typed link of an embedder and an isolate, both of whose ends send and receive.

use std::fmt;
use std::time::Duration;

use insula_wire::MailboxPolicy;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Messages, ReceivePort, RecvError, SendPort};
use crate::control::Links;
use crate::error::SendError;
use crate::host::Host;
use crate::limits::Limits;
use crate::sync::{Arc, Mutex};

/// One end of a link: it receives `In` and sends `Out`, and the other end the other way round.
///
/// It hides the handshake by which two sides get hold of each other's ports; a guest's `Duplex` is the same. Either end
/// sees when the other is gone, when what was sent before has been received.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let host = insula::Host::builder().isolates(1).build()?;
/// let (link, end) = host.duplex::<usize, String>();
/// let other = end.open(&host); // or in an isolate that `end` was sent to
/// link.send("four".to_owned())?;
/// other.send(other.recv()?.len())?;
/// assert_eq!(link.recv()?, 4);
/// # Ok(())
/// # }
/// ```
pub struct Duplex<In, Out> {
    incoming: ReceivePort<In>,
    outgoing: Mutex<Outgoing<Out>>,
}

enum Outgoing<Out> {
    Known(SendPort<Out>),
    /// Where the other end's port comes to.
    Awaited(ReceivePort<SendPort<Out>>),
    Gone,
}

/// An end that nobody has opened yet. It is a value that can be sent; whoever opens it has the link.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::{DuplexEnd, Host, Spawn};
/// let host = Host::builder().isolates(1).build()?;
/// let (_link, end): (_, DuplexEnd<String, u32>) = host.duplex();
/// let spawn = Spawn::entry("serve").message(&end); // the guest calls `end.open()`
/// # Ok(())
/// # }
/// ```
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct DuplexEnd<In, Out> {
    outgoing: SendPort<Out>,
    greeting: SendPort<SendPort<In>>,
}

impl Host {
    /// A new link: this end, open, and the other one, to be sent to an isolate.
    #[must_use]
    pub fn duplex<In: 'static, Out: 'static>(&self) -> (Duplex<In, Out>, DuplexEnd<Out, In>) {
        let (incoming, greeting) = (port(self.inner().links()), port(self.inner().links()));
        let end = DuplexEnd { outgoing: incoming_port(&incoming), greeting: incoming_port(&greeting) };
        (Duplex { incoming, outgoing: Mutex::new(Outgoing::Awaited(greeting)) }, end)
    }
}

fn port<T: 'static>(links: &Arc<Links>) -> ReceivePort<T> {
    ReceivePort::open(links, &Limits::default(), MailboxPolicy::Error)
}

fn incoming_port<T>(port: &ReceivePort<T>) -> SendPort<T> {
    port.send_port()
}

impl<In, Out> Duplex<In, Out> {
    /// The port of the other end; blocks until it is open.
    fn outgoing(&self) -> Result<SendPort<Out>, SendError> {
        let mut outgoing = self.outgoing.lock();
        if let Outgoing::Awaited(greeting) = &*outgoing {
            *outgoing = greeting.recv().map_or(Outgoing::Gone, Outgoing::Known);
        }
        match &*outgoing {
            Outgoing::Known(port) => Ok(port.clone()),
            Outgoing::Awaited(_) | Outgoing::Gone => Err(insula_wire::Status::Closed.into()),
        }
    }
}

impl<In, Out: Serialize> Duplex<In, Out> {
    /// Sends a message to the other end. The first send blocks until the other end is open.
    ///
    /// # Errors
    /// [`SendError`] with the status `Closed` when the other end is gone; else as [`SendPort::send`].
    pub fn send(&self, message: Out) -> Result<(), SendError> {
        self.outgoing()?.send(message)
    }
}

impl<In: DeserializeOwned, Out> Duplex<In, Out> {
    /// The next message of the other end; blocks until it comes.
    ///
    /// # Errors
    /// As [`ReceivePort::recv`]; [`RecvError::Unreachable`] when the other end is gone.
    pub fn recv(&self) -> Result<In, RecvError> {
        self.incoming.recv()
    }

    /// As [`Duplex::recv`], for `timeout` at most.
    ///
    /// # Errors
    /// As [`ReceivePort::recv_timeout`].
    pub fn recv_timeout(&self, timeout: Duration) -> Result<In, RecvError> {
        self.incoming.recv_timeout(timeout)
    }

    /// The next message if there is one now.
    ///
    /// # Errors
    /// As [`ReceivePort::try_recv`].
    pub fn try_recv(&self) -> Result<In, RecvError> {
        self.incoming.try_recv()
    }

    /// The messages until the other end is gone.
    pub fn messages(&self) -> Messages<'_, In> {
        self.incoming.messages()
    }
}

impl<In: 'static, Out> DuplexEnd<In, Out> {
    /// Opens this end, in the host that it belongs to.
    pub fn open(self, host: &Host) -> Duplex<In, Out> {
        let incoming = port(host.inner().links());
        // A greeting that does not arrive is a link that is closed, and both ends learn that from their ports.
        let _ = self.greeting.send(incoming.send_port());
        Duplex { incoming, outgoing: Mutex::new(Outgoing::Known(self.outgoing)) }
    }
}

impl<In, Out> fmt::Debug for Duplex<In, Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Duplex").field("incoming", &self.incoming).finish_non_exhaustive()
    }
}

impl<In, Out> fmt::Debug for DuplexEnd<In, Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DuplexEnd").field("outgoing", &self.outgoing).finish_non_exhaustive()
    }
}
