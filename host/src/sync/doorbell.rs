//! What a thread outside of the scheduler waits on: rung after every change that it may wait for.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A condition variable around no data: what is waited for is elsewhere, and is looked at anew after every ring.
///
/// The question is asked under a lock that ringing takes too, so no ring is lost; it must not ring itself.
#[derive(Debug, Default)]
pub(crate) struct Doorbell {
    /// How many wait: a ring that nobody hears is not worth a call of the system.
    waiting: Mutex<usize>,
    bell: Condvar,
}

impl Doorbell {
    /// Blocks the calling thread until `done` answers something.
    pub(crate) fn wait_until<R>(&self, mut done: impl FnMut() -> Option<R>) -> R {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(result) = done() {
                return result;
            }
            *waiting += 1;
            waiting = self.bell.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            *waiting -= 1;
        }
    }

    /// As [`Doorbell::wait_until`], for `duration` at most. Answers whether it is done.
    pub(crate) fn wait_timeout(&self, duration: Duration, mut done: impl FnMut() -> bool) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting += 1;
        let waited = self.bell.wait_timeout_while(waiting, duration, |_| !done());
        let (mut waiting, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        *waiting -= 1;
        !timeout.timed_out()
    }

    /// Lets whoever waits look again.
    pub(crate) fn ring(&self) {
        let waiting = *self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting > 0 {
            self.bell.notify_all();
        }
    }
}
