//! Who waits for room in somebody else's mailbox.

use std::task::Waker;

use super::SendRight;

/// A sender that waits for room: forgotten by the mailbox when it waits no more.
pub(crate) struct AtTheDoor<'a> {
    right: &'a SendRight,
    waker: Option<Waker>,
}

impl AtTheDoor<'_> {
    /// One that does not wait yet.
    pub(crate) fn new(right: &SendRight) -> AtTheDoor<'_> {
        AtTheDoor { right, waker: None }
    }

    /// It is this waker that the mailbox may know from here on.
    pub(crate) fn stand(&mut self, waker: &Waker) {
        if !self.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            self.leave();
            self.waker = Some(waker.clone());
        }
    }

    fn leave(&mut self) {
        if let Some(waker) = self.waker.take() {
            self.right.port().mailbox().stop_sending(&waker);
        }
    }
}

impl Drop for AtTheDoor<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}
