//! What arrives at a plugin's port goes to its present isolate: bytes and capabilities as they are, in their order, each
//! in the name of whoever sent it, so that a sender has no more than its share of the isolate's mailbox by this way.
//!
//! While there is no isolate, messages wait in the port's mailbox, within its bounds, and so they do while the isolate's
//! is full. One message at most is neither here nor there: no lock is held over two mailboxes.

use std::convert::Infallible;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use insula_wire::Status;

use super::core::{Core, Life};
use crate::control::{Flags, Hold};
use crate::port::{Message, Refused, Sender, Take, Took, Wanted};
use crate::ports::{ReceivePort, Request};
use crate::sync::Arc;
use crate::world::Timer;

/// Messages that are handed on before other tasks have their turn.
const AT_ONCE: usize = 64;

/// After so long room is looked for again that nobody tells of: that of the accounts above an isolate.
const LOOK_AGAIN_NANOS: u64 = 10_000_000;

/// A plugin's port, and what is on its way from there.
pub(super) struct Relay {
    core: Arc<Core>,
    port: ReceivePort<Request<(), ()>>,
    in_hand: Option<InHand>,
    looks_again: Option<Timer>,
}

/// A message that was taken and is not handed on yet; it may be what wakes an isolate.
struct InHand {
    sender: Sender,
    message: Message,
    hold: Hold,
}

/// What there is at the port.
enum Found {
    Message,
    Nothing,
    /// Nothing, and nobody can send.
    Left,
}

impl Relay {
    pub(super) fn new(core: Arc<Core>, port: ReceivePort<Request<(), ()>>) -> Relay {
        Relay { core, port, in_hand: None, looks_again: None }
    }

    /// Hands on until nobody can send any more, or the plugin is over.
    pub(super) async fn run(mut self) {
        poll_fn(|cx| self.poll(cx.waker())).await;
    }

    fn poll(&mut self, waker: &Waker) -> Poll<()> {
        self.core.relay.listen(waker);
        for _ in 0..AT_ONCE {
            let waits = match (self.core.look(None), &self.in_hand) {
                (Some(Err(_)), _) => return Poll::Ready(()),
                (Some(Ok(life)), Some(_)) => self.hand_on(&life, waker).is_pending(),
                (None, Some(_)) => true,
                (present, None) => match self.take(present.is_some(), waker) {
                    Found::Message => false,
                    Found::Nothing => true,
                    Found::Left => {
                        self.core.order(|orders| orders.left = true);
                        return Poll::Ready(());
                    }
                },
            };
            if waits {
                return Poll::Pending;
            }
        }
        waker.wake_by_ref();
        Poll::Pending
    }

    /// Takes the next message, if there is somebody to hand it to.
    fn take(&mut self, for_somebody: bool, waker: &Waker) -> Found {
        let hold = Hold::new(&self.core.links);
        let wanted = Wanted::Port(Arc::clone(self.port.port()));
        let take = Take { wanted: &wanted, waker: Some(waker), ends_unreachable: true };
        let mailbox = self.port.port().mailbox();
        let (sender, took) = if for_somebody {
            mailbox.take_from(&take)
        } else {
            let stays = |_: &Message| Err(());
            match mailbox.take(&take, stays) {
                Took::Unreachable | Took::Closed => (Sender::NOBODY, Took::<Infallible>::Unreachable),
                Took::Message(..) | Took::Kept(..) | Took::Nothing => (Sender::NOBODY, Took::Nothing),
            }
        };
        match took {
            Took::Message(_, message, _) => {
                self.in_hand = Some(InHand { sender, message, hold });
                Found::Message
            }
            Took::Nothing => Found::Nothing,
            Took::Unreachable | Took::Closed => Found::Left,
        }
    }

    /// Hands what is in hand to this isolate. Pending where it has no room yet, or is about to be another one.
    fn hand_on(&mut self, life: &Life, waker: &Waker) -> Poll<()> {
        self.looks_again = None;
        let dies = life.isolate().control().flags.any(Flags::END);
        let requests = match life.poll_requests(waker) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(_)) if dies => return Poll::Pending,
            Poll::Ready(Err(_)) => {
                self.in_hand = None; // It lives and serves nobody: who asked learns that there is no answer.
                return Poll::Ready(());
            }
            Poll::Ready(Ok(requests)) => requests,
        };
        let Some(InHand { sender, message, hold }) = self.in_hand.take() else { return Poll::Ready(()) };
        let port = requests.right().port();
        let Err(refused) = port.mailbox().hand_on(sender, port, message, waker) else { return Poll::Ready(()) };
        let Refused { status, message, waits } = refused;
        // Looked at anew: its death may have come between the two looks.
        let dies = life.isolate().control().flags.any(Flags::END);
        if status == Status::Full || (status == Status::Closed && dies) {
            self.in_hand = Some(InHand { sender, message, hold });
            if status == Status::Full && !waits {
                let world = &self.core.links.world;
                let due = world.now().saturating_add(LOOK_AGAIN_NANOS);
                self.looks_again = Some(world.timer(due, waker.clone()));
            }
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}
