//! For whoever hands messages on: whom a message is from, and a send in the name of that one. Most want neither, and pay
//! nothing for it.

use std::task::Waker;

use insula_wire::Status;

use super::{After, Mailbox, Refused, Sender, Take, Took};
use crate::port::{Message, Port};

impl Mailbox {
    /// As [`Mailbox::send_from`], but what finds no room waits for it whatever the port's policy is, and makes none. Where
    /// `waits` is false the accounts above have no room, and of that nobody is told.
    pub(crate) fn hand_on(&self, sender: Sender, port: &Port, message: Message, waker: &Waker) -> Result<(), Refused> {
        let mut after = After::default();
        let mut inner = self.inner.lock();
        let refused = |status, message, waits| Err(Refused { status, message, waits });
        let Some(slot) = inner.slot_of(port) else { return refused(Status::Closed, message, false) };
        if inner.is_too_large(&message) {
            return refused(Status::TooLarge, message, false);
        }
        let cost = message.cost();
        if inner.budget.debit(sender, cost) {
            inner.push(slot, sender, message, &mut after);
            return Ok(());
        }
        let has_room = inner.budget.has_room_without(0, 0, cost) && inner.budget.has_share_without(sender, 0, 0, cost);
        if !has_room {
            inner.wait_for_room(Some(waker));
        }
        refused(Status::Full, message, !has_room)
    }

    /// As take, of any message that is wanted, with who sent it: an isolate, or nobody that could be named.
    pub(crate) fn take_from(&self, take: &Take<'_>) -> (Sender, Took<std::convert::Infallible>) {
        let mut after = After::default();
        let mut inner = self.inner.lock();
        if let Some(waker) = take.waker {
            inner.stop_waiting(waker, &mut after);
        }
        let Some(slot) = inner.first(take.wanted) else { return (Sender::NOBODY, inner.nothing(take)) };
        let sender = inner.sender(slot);
        let (port, _) = inner.front(slot);
        let (message, arrived) = inner.pop(slot, &mut after);
        (sender, Took::Message(port, message, arrived))
    }
}
