//! What others see of a worker.

use std::thread::Thread;

use super::queue::Queue;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed, Ordering::SeqCst};

#[derive(Default)]
pub(super) struct Worker {
    pub(super) queue: Queue,
    /// Its one-place slot is taken.
    pub(super) slot_taken: AtomicBool,
    /// What it runs: [`RUNNING`] and the like. A worker that polls one task after another leaves it as it is in between.
    pub(super) runs: AtomicU8,
    pub(super) preempt_hog: AtomicBool,
    pub(super) woken: AtomicBool,
    pub(super) thread: Mutex<Option<Thread>>,
}

pub(super) const RUNNING: u8 = 1;
pub(super) const RUNS_HOG: u8 = 1 << 1;
pub(super) const RUNS_METERED: u8 = 1 << 2;

impl Worker {
    /// Says what it runs, to whoever looks.
    pub(super) fn runs(&self, runs: u8) {
        if self.runs.load(Relaxed) != runs {
            self.runs.store(runs, SeqCst);
        }
    }

    pub(super) fn wake(&self) {
        self.woken.store(true, SeqCst);
        if let Some(thread) = &*self.thread.lock() {
            thread.unpark();
        }
    }
}
