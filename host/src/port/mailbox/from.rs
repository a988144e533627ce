//! Takes that want to know whom a message is from. Most do not, and pay nothing for it.

use super::{After, Mailbox, Sender, Take, Took};

impl Mailbox {
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
        (sender, Took::Message(port, inner.pop(slot, &mut after)))
    }
}
