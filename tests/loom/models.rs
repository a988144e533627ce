//! What is asked of every interleaving. A model that waits for ever in one of them is a lost wake-up, and loom says so.

use std::future::poll_fn;
use std::task::{Poll, Waker};

use insula_wire::{Kind, MailboxPolicy, Status};
use loom::future::block_on;

use crate::port::{Attachments, Bytes, Mailbox, Message, Port, Room, SendRight, Take, Took, Wanted};
use crate::sync::Arc;

pub mod control;
pub mod event;
pub mod mailbox;

/// Threads that loom takes the CPU from at any point, so often in one execution: enough for every race of two.
const PREEMPTIONS_MAX: usize = 3;

/// Checks the model in every interleaving.
fn check(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS_MAX);
    builder.check(model);
}

/// A mailbox with room for this many messages, and one port of it.
fn mailbox(messages_max: u64, policy: MailboxPolicy) -> (Arc<Mailbox>, Arc<Port>) {
    let room = Room { messages_max, bytes_max: 1 << 20, message_bytes_max: 1 << 10, ports_max: 8 };
    let mailbox = Mailbox::new(room);
    let port = open(&mailbox, 1, policy);
    (mailbox, port)
}

fn open(mailbox: &Arc<Mailbox>, id: u64, policy: MailboxPolicy) -> Arc<Port> {
    mailbox.open(id, 0, policy).unwrap_or_else(|_| panic!("there is room for the port"))
}

fn message(bytes: &[u8]) -> Message {
    Message { kind: Kind::Data, bytes: Bytes::copy(bytes), attachments: Attachments::default() }
}

/// Sends without waiting; a refusal is a status.
fn send(right: &SendRight, bytes: &[u8]) -> Result<(), Status> {
    put(right, message(bytes), None)
}

fn put(right: &SendRight, message: Message, waker: Option<&Waker>) -> Result<(), Status> {
    right.port().mailbox().send(right.port(), message, waker).map(|_| ()).map_err(|refused| refused.status)
}

/// Waits for a message of the port, or for why none can come.
fn receive(port: &Arc<Port>) -> Result<Vec<u8>, Status> {
    let wanted = Wanted::Port(Arc::clone(port));
    block_on(poll_fn(|cx| {
        let take = Take { wanted: &wanted, waker: Some(cx.waker()), ends_unreachable: true };
        match port.mailbox().take(&take, |_| Ok::<(), ()>(())) {
            Took::Message(_, message, _) => Poll::Ready(Ok(message.bytes.to_vec())),
            Took::Nothing => Poll::Pending,
            Took::Unreachable => Poll::Ready(Err(Status::Unreachable)),
            Took::Closed => Poll::Ready(Err(Status::Closed)),
            Took::Kept(..) => unreachable!("the message fits"),
        }
    }))
}
