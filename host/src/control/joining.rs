//! Who wants to know how an isolate ended: wakers of those that wait, and what is called.

use std::task::Waker;

use super::Control;
use crate::exit::Exit;

/// What is called with the exit: under the lock, to do no more than to hand it on.
pub(super) type OnEnd = Box<dyn FnOnce(&Exit) + Send>;

impl Control {
    /// How it ended, once its death is all over.
    pub(crate) fn exit(&self) -> Option<Exit> {
        self.state.lock().dead.clone()
    }

    /// How it ended, or wakes `waker` when it does.
    pub(crate) fn poll_exit(&self, waker: &Waker) -> Option<Exit> {
        let mut state = self.state.lock();
        if state.dead.is_none() && !state.joiners.iter().any(|joiner| joiner.will_wake(waker)) {
            state.joiners.push(waker.clone());
        }
        state.dead.clone()
    }

    /// Has this called when it ended: now, if it did.
    pub(crate) fn on_end(&self, told: OnEnd) {
        let mut state = self.state.lock();
        match &state.dead {
            Some(exit) => told(exit),
            None => state.on_end.push(told),
        }
    }

    /// Forgets who waits for its end and waits no more.
    pub(crate) fn stop_joining(&self, waker: &Waker) {
        let mut state = self.state.lock();
        let (stays, goes): (Vec<_>, Vec<_>) =
            std::mem::take(&mut state.joiners).into_iter().partition(|joiner| !joiner.will_wake(waker));
        state.joiners = stays;
        drop(state);
        drop(goes);
    }
}
