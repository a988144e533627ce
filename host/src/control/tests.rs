//! An isolate's control without an isolate: the test does what its life would do, and listens at a port.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use insula_wire::{MailboxPolicy, codec};

use super::*;
use crate::exit::Killer;
use crate::port::{Attachment, Attachments, Object, Port, Room, Take, Took, Wanted};

mod asked;
mod asked_to_end;
mod death;
mod ends;
mod error_listeners;
mod exit_listeners;
mod model;
mod notices;
mod pauses;
mod pings;
mod registry;
mod regressions;

const PAUSE: CapabilityId = CapabilityId(1);
const TERMINATE: CapabilityId = CapabilityId(2);

/// Bytes that a message costs beside its own (semantics 9.2).
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

/// What an isolate is born with, if nothing else is said.
fn cradle() -> Cradle {
    let id = IsolateId(7);
    let census = Arc::new(Census::default());
    census.born();
    Cradle {
        id,
        lineage: Lineage::new(id, None),
        mailbox: mailbox(9),
        handles_max: 9,
        blob_bytes_max: 0,
        accounts: Accounts::default(),
        alarm: None,
        pause_capability: PAUSE,
        terminate_capability: TERMINATE,
        census,
        name: "child".to_owned(),
        paused: false,
        errors_fatal: true,
    }
}

fn newborn() -> Arc<Control> {
    Control::new(cradle())
}

/// An isolate whose errors end nothing.
fn carefree() -> Arc<Control> {
    Control::new(Cradle { errors_fatal: false, ..cradle() })
}

/// The bells that ring when it is woken, and when it is to look at its flags at once.
fn bells(control: &Control) -> (Arc<Bell>, Arc<Bell>) {
    let ((woken, waker), (attentive, attention)) = (Bell::new(), Bell::new());
    control.attach_body(waker, attention);
    (woken, attentive)
}

fn killed() -> Exit {
    Exit::Killed { by: Killer::Embedder }
}

fn error(message: &str) -> RemoteError {
    RemoteError { message: message.to_owned(), stack: "0: f @ 0x1".to_owned() }
}

fn failed(message: &str) -> Exit {
    Exit::Failed { error: error(message) }
}

fn mailbox(messages_max: u64) -> Arc<Mailbox> {
    Mailbox::new(Room { messages_max, bytes_max: 1 << 20, message_bytes_max: 1 << 10, ports_max: 9 })
}

/// The port of somebody who wants to be told.
struct Observer(Arc<Port>);

impl Observer {
    fn new() -> Observer {
        Observer::with_room(99)
    }

    fn with_room(messages_max: u64) -> Observer {
        Observer(mailbox(messages_max).open(100, 0, MailboxPolicy::Error).unwrap())
    }

    /// Another port in the same mailbox.
    fn beside(&self) -> Observer {
        Observer(self.0.mailbox().open(self.0.id() + 1, 0, MailboxPolicy::Error).unwrap())
    }

    fn right(&self) -> SendRight {
        SendRight::new(&self.0)
    }

    fn send(&self, text: &str) -> Result<(), Status> {
        self.0.mailbox().send(&self.0, message(text), None).map(|_| ()).map_err(|refused| refused.status)
    }

    /// Sends until there is no room.
    fn fill(&self) {
        while self.send("filled").is_ok() {}
    }

    /// Messages and bytes that are queued or reserved.
    fn load(&self) -> (u64, u64) {
        self.0.mailbox().load()
    }

    /// Whether it has no message, and nobody who could send one.
    fn is_unreachable(&self) -> bool {
        let take = Take { wanted: &Wanted::Port(Arc::clone(&self.0)), waker: None, ends_unreachable: true };
        matches!(self.0.mailbox().take(&take, |_| Err::<(), ()>(())), Took::Unreachable)
    }

    fn next(&self) -> Option<(Kind, String)> {
        let take = Take { wanted: &Wanted::Port(Arc::clone(&self.0)), waker: None, ends_unreachable: true };
        let Took::Message(_, message, _) = self.0.mailbox().take(&take, |_| Ok::<(), ()>(())) else { return None };
        let text = match message.kind {
            Kind::Error => codec::decode::<RemoteError>(&message.bytes).unwrap().message,
            Kind::Data | Kind::Exit | Kind::Ping => String::from_utf8(message.bytes.to_vec()).unwrap(),
        };
        Some((message.kind, text))
    }

    /// All that came, in order.
    fn heard(&self) -> Vec<(Kind, String)> {
        std::iter::from_fn(|| self.next()).collect()
    }
}

fn message(text: &str) -> Message {
    Message { kind: Kind::Data, bytes: text.into(), attachments: Attachments::default() }
}

/// What [`Observer::heard`] should be.
fn said<const N: usize>(said: [(Kind, &str); N]) -> Vec<(Kind, String)> {
    said.map(|(kind, text)| (kind, text.to_owned())).to_vec()
}
