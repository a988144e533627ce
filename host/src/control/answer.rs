//! Notices that are asked for: where they go, what they say, and the room that is reserved for them.

use insula_wire::{Kind, RemoteError, Status};

use super::State;
use super::death::error_notice;
use crate::port::{After, Mailbox, Message, SendRight};

/// A notice that is paid for: where it goes, what it says, and the room that is reserved for it.
pub(super) struct Answer {
    pub(super) right: SendRight,
    pub(super) response: Message,
    pub(super) reserved: u64,
}

/// A message that was accepted: whose mailbox it came to, the how-manieth there, and what it cost.
pub(crate) struct Said {
    pub(crate) to: u64,
    pub(crate) message: u64,
    pub(crate) cost: u64,
}

pub(super) struct ErrorListener {
    pub(super) right: SendRight,
    pub(super) reserved: u64,
    /// Errors that found no room and are told with the next.
    pub(super) missed: u64,
}

/// Bytes that an error notice is sure to have room for.
pub(super) const ERROR_ROOM: u64 = 16 << 10;

/// Responses that may wait at one isolate, of exit listeners and of pings, and their bytes.
const ANSWERS_MAX: usize = 65_536;
const ANSWERS_BYTES_MAX: u64 = 64 << 20;

impl State {
    /// Whether one more response may wait here. Its room is reserved where it goes, but its bytes are kept here: what
    /// waits for ports that are closed by now goes, and the rest is bounded.
    pub(super) fn room_for(&mut self, response: &Message, gone: &mut Gone) -> Result<(), Status> {
        let waiting = self.exit_listeners.len() + self.pings.len();
        let bytes: u64 = self.exit_listeners.iter().chain(&self.pings).map(|answer| answer.reserved).sum();
        let full = waiting >= ANSWERS_MAX || bytes + response.cost() > ANSWERS_BYTES_MAX;
        if full || (waiting >= 64 && waiting.is_power_of_two()) {
            gone.0.extend(self.exit_listeners.extract_if(.., |answer| !answer.is_open()));
            gone.0.extend(self.pings.extract_if(.., |answer| !answer.is_open()));
        }
        if full { Err(Status::Full) } else { Ok(()) }
    }
}

/// Answers to ports that are closed: given up when no lock is held any more.
#[derive(Default)]
pub(super) struct Gone(Vec<Answer>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.drain(..).for_each(Answer::give_up);
    }
}

impl Answer {
    pub(super) fn reserve(right: SendRight, response: Message) -> Result<Answer, Status> {
        right.port().mailbox().check(right.port(), &response)?;
        let reserved = response.cost();
        right.port().mailbox().reserve(right.port(), reserved)?;
        Ok(Answer { right, response, reserved })
    }

    pub(super) fn post(self, kind: Kind) {
        self.post_then(kind, &mut After::default());
    }

    /// Posts under a lock: what follows from it waits in `after`.
    pub(super) fn post_then(self, kind: Kind, after: &mut After) {
        let Answer { right, mut response, reserved } = self;
        response.kind = kind;
        right.port().mailbox().post_then(right.port(), response, reserved, after);
        after.release(right);
    }

    /// Posts it as a message of the isolate's own.
    pub(super) fn say(self) -> Option<Said> {
        let Answer { right, response, reserved } = self;
        let (mailbox, cost) = (right.port().mailbox(), response.cost());
        let message = mailbox.post_then(right.port(), response, reserved, &mut After::default())?;
        Some(Said { to: mailbox.owner(), message, cost })
    }

    /// Where it goes.
    pub(super) fn mailbox(&self) -> &Mailbox {
        self.right.port().mailbox()
    }

    pub(super) fn give_up(self) {
        self.right.port().mailbox().unreserve(self.reserved);
    }

    fn is_open(&self) -> bool {
        self.right.port().mailbox().is_open(self.right.port())
    }
}

impl ErrorListener {
    /// Tells one error, through ordinary room, so that the reserve is there for the last. False where nobody hears it.
    pub(super) fn tell(&mut self, error: &RemoteError, after: &mut After) -> bool {
        let notice = error_notice(error, self.missed);
        match self.right.port().mailbox().notify(self.right.port(), notice, after) {
            Ok(()) => self.missed = 0,
            Err(refused) if refused.status == Status::Closed => return false,
            Err(_) => self.missed += 1,
        }
        true
    }

    pub(super) fn give_up(self) {
        self.right.port().mailbox().unreserve(self.reserved);
    }
}
