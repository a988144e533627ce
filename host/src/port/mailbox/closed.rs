//! What a mailbox held when it was closed.

use super::inner::Slot;
use crate::port::Message;

/// The messages of a closed mailbox, as they lay there: to collect them would take as much room again, of a mailbox that
/// may be full. They are released by dropping this, where no lock is held.
#[must_use = "the messages are released by the caller"]
pub(crate) struct Closed {
    pub(super) slots: Vec<Slot>,
    /// What its owner was born with, if that was not fetched.
    pub(super) birth: Option<Message>,
}

#[allow(dead_code, reason = "for tests, here and under loom")]
impl Closed {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Message> {
        let queued = self.slots.iter().flat_map(|slot| slot.queue.iter().map(|queued| &queued.message));
        queued.chain(&self.birth)
    }

    pub(crate) fn len(&self) -> usize {
        self.iter().count()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
