//! A guest's output as messages to a port: each write is one.
//!
//! A full port does with a write what its policy does with any send. What is sent is counted for the isolate that prints,
//! so that in a mailbox of many senders it has its share and no more.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, Waker};

use insula_wire::{Kind, Status};
use rustix::io::Errno;

use crate::exit::IsolateId;
use crate::port::{AtTheDoor, Message, Refused, SendRight, Sender, codec};

/// The way to a port, and who sends.
pub(super) struct ToPort {
    right: SendRight,
    sender: Sender,
}

impl ToPort {
    /// Of nobody yet.
    pub(super) fn new(right: SendRight) -> ToPort {
        ToPort { right, sender: Sender::NOBODY }
    }

    /// To the same port, from this isolate.
    pub(super) fn sent_by(&self, isolate: IsolateId) -> ToPort {
        ToPort { right: self.right.clone(), sender: Sender::isolate(isolate.0) }
    }

    /// Sends bytes as one message; waits for room where that is the port's policy.
    pub(super) async fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut unsent = Some(message(bytes)?);
        let mut waiting = AtTheDoor::new(&self.right);
        poll_fn(|cx: &mut Context<'_>| {
            waiting.stand(cx.waker());
            match unsent.take().map(|message| self.send(message, Some(cx.waker()))) {
                Some(Err(Refused { waits: true, message, .. })) => {
                    unsent = Some(message);
                    Poll::Pending
                }
                Some(Err(refused)) => Poll::Ready(Err(failure(refused.status))),
                Some(Ok(())) | None => Poll::Ready(Ok(())),
            }
        })
        .await
    }

    /// As write, where there is room at once.
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<()> {
        self.send(message(bytes)?, None).map_err(|refused| failure(refused.status))
    }

    fn send(&self, message: Message, waker: Option<&Waker>) -> Result<(), Refused> {
        let port = self.right.port();
        port.mailbox().send_from(self.sender, port, message, waker).map(|_| ())
    }
}

fn message(bytes: &[u8]) -> io::Result<Message> {
    let unsendable = || io::Error::from(io::ErrorKind::InvalidInput);
    let encoded = codec::encode(bytes, Kind::Data).map_err(|_| unsendable())?;
    // Bytes hold nothing of any host.
    encoded.into_message(0).map(|(message, _)| message).map_err(|_| unsendable())
}

/// What a write answers: a closed port is a reader that is gone, a full one a device without space.
fn failure(status: Status) -> io::Error {
    // Numbers of the system's, since those are what a guest's errno is made of.
    match status {
        Status::Closed => Errno::PIPE.into(),
        Status::Full => Errno::NOSPC.into(), // WASI would make an error without a name of EAGAIN
        _ => Errno::INVAL.into(),
    }
}
