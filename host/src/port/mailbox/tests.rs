//! A mailbox without an isolate: order, room, waiting, the end of it, and a model of all of this.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use insula_wire::Kind;

use super::*;
use crate::port::{Attachment, Attachments, SendRight};

mod closing;
mod model;
mod order;
mod regressions;
mod room;
mod waiting;

/// What a message costs beside its bytes, and what each capability costs (semantics 9.2).
const OVERHEAD: u64 = 64;

/// Counts how often it is woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Bell {
    fn new() -> (Arc<Bell>, Waker) {
        let bell = Arc::new(Bell::default());
        (Arc::clone(&bell), Waker::from(bell))
    }

    fn rings(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Bell>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A mailbox with room for this many messages, and no other bound that matters.
fn mailbox(messages_max: u64) -> Arc<Mailbox> {
    Mailbox::new(Room { messages_max, bytes_max: 1 << 20, message_bytes_max: 1 << 10, ports_max: 8 })
}

fn open(mailbox: &Arc<Mailbox>, id: u64) -> Arc<Port> {
    open_with(mailbox, id, MailboxPolicy::Error)
}

fn open_with(mailbox: &Arc<Mailbox>, id: u64, policy: MailboxPolicy) -> Arc<Port> {
    mailbox.open(id, 0, policy).unwrap()
}

/// A port that is listened to from its first message on.
fn open_listened(mailbox: &Arc<Mailbox>, id: u64) -> Arc<Port> {
    let port = open(mailbox, id);
    assert!(mailbox.listen(&port, true));
    port
}

fn message(text: &str) -> Message {
    Message { kind: Kind::Data, bytes: text.into(), attachments: Attachments::default() }
}

fn notice(text: &str) -> Message {
    Message { kind: Kind::Exit, ..message(text) }
}

fn carrying(text: &str, right: SendRight) -> Message {
    Message { attachments: [Attachment::Send(right)].into(), ..message(text) }
}

fn send(port: &Port, text: &str) -> Result<(), Status> {
    put(port, message(text), None)
}

fn put(port: &Port, message: Message, waker: Option<&Waker>) -> Result<(), Status> {
    port.mailbox().send(port, message, waker).map(|_| ()).map_err(|refused| refused.status)
}

fn any(ports: &[&Arc<Port>]) -> Wanted {
    Wanted::Any(ports.iter().map(|port| Arc::clone(port)).collect())
}

/// Takes a message, or says why there is none.
fn take(mailbox: &Mailbox, wanted: &Wanted, waker: Option<&Waker>) -> Result<(u64, Message), Status> {
    match mailbox.take(&Take { wanted, waker, ends_unreachable: true }, |_| Ok::<(), ()>(())) {
        Took::Message(port, message, _) => Ok((port.id(), message)),
        Took::Kept(..) => panic!("every message fits"),
        Took::Nothing => Err(Status::WouldWait),
        Took::Unreachable => Err(Status::Unreachable),
        Took::Closed => Err(Status::Closed),
    }
}

/// The text of the first message of a port.
fn receive(port: &Arc<Port>) -> Result<String, Status> {
    take(port.mailbox(), &Wanted::Port(Arc::clone(port)), None).map(|(_, message)| text(&message))
}

/// Everything that is wanted and there, as ports and texts.
fn drain(mailbox: &Mailbox, wanted: &Wanted) -> Vec<(u64, String)> {
    std::iter::from_fn(|| take(mailbox, wanted, None).ok()).map(|(port, message)| (port, text(&message))).collect()
}

fn text(message: &Message) -> String {
    String::from_utf8(message.bytes.to_vec()).unwrap()
}

fn texts<const N: usize>(texts: [(u64, &str); N]) -> Vec<(u64, String)> {
    texts.map(|(port, text)| (port, text.to_owned())).to_vec()
}
