//! What a thread outside of the scheduler waits on: rung after every change that it may wait for.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

/// A condition variable around no data: what is waited for is elsewhere, and is looked at anew after every ring.
///
/// The question is asked under a lock that ringing takes too, so no ring is lost; it must not ring itself.
#[derive(Debug, Default)]
pub(crate) struct Doorbell {
    heard: Mutex<Heard>,
    bell: Condvar,
}

/// Who hears a ring: one that nobody hears is not worth a call of the system.
#[derive(Debug, Default)]
struct Heard {
    waiting: usize,
    called: Option<Waker>,
}

/// Somebody who is called at every ring, for as long as this is there.
pub(crate) struct Called<'a>(&'a Doorbell);

impl Doorbell {
    /// Blocks the calling thread until `done` answers something.
    pub(crate) fn wait_until<R>(&self, mut done: impl FnMut() -> Option<R>) -> R {
        let mut heard = self.lock();
        loop {
            if let Some(result) = done() {
                return result;
            }
            heard.waiting += 1;
            heard = self.bell.wait(heard).unwrap_or_else(PoisonError::into_inner);
            heard.waiting -= 1;
        }
    }

    /// As [`Doorbell::wait_until`], for `duration` at most. Answers whether it is done.
    pub(crate) fn wait_timeout(&self, duration: Duration, mut done: impl FnMut() -> bool) -> bool {
        let mut heard = self.lock();
        heard.waiting += 1;
        let waited = self.bell.wait_timeout_while(heard, duration, |_| !done());
        let (mut heard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        heard.waiting -= 1;
        !timeout.timed_out()
    }

    /// Has this woken at every ring from here on, for one that does something else than to wait. There is one at a time.
    pub(crate) fn call(&self, waker: Waker) -> Called<'_> {
        self.lock().called = Some(waker);
        Called(self)
    }

    /// Lets whoever waits look again.
    pub(crate) fn ring(&self) {
        let heard = self.lock();
        if heard.waiting > 0 {
            self.bell.notify_all();
        }
        let called = heard.called.clone();
        drop(heard);
        called.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Called<'_> {
    fn drop(&mut self) {
        let called = self.0.lock().called.take();
        drop(called);
    }
}
