//! The thread that fires timers, and ticks while it must.
//!
//! It ticks only while one isolate runs and another is ready; it is asked to by whoever makes that so, and stops by
//! itself when two looks in a row find it no longer so. Otherwise it sleeps until the next timer. A kill needs no tick.

use std::sync::{OnceLock, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Scheduler, TICK};
use crate::sync::atomic::{AtomicBool, Ordering::Relaxed, Ordering::SeqCst};
use crate::sync::{Arc, Mutex};
use crate::world::{NEVER, World};

/// The ticker of a host.
pub(crate) struct Ticker {
    world: Arc<World>,
    wanted: AtomicBool,
    closing: AtomicBool,
    scheduler: OnceLock<Weak<dyn Scheduler>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Ticker {
    /// A ticker that does not run yet.
    pub(crate) fn new(world: &Arc<World>) -> Arc<Ticker> {
        Arc::new(Ticker {
            world: Arc::clone(world),
            wanted: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            scheduler: OnceLock::new(),
            thread: Mutex::new(None),
        })
    }

    #[cfg(feature = "testing")]
    pub(super) fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(self: &Arc<Ticker>, scheduler: &Arc<dyn Scheduler>) -> std::io::Result<()> {
        let ticker = Arc::clone(self);
        // Set once, by the one caller that builds the host.
        drop(self.scheduler.set(Arc::downgrade(scheduler)));
        let thread = std::thread::Builder::new().name("insula-ticker".to_owned()).spawn(move || ticker.work())?;
        *self.thread.lock() = Some(thread);
        Ok(())
    }

    /// Asks for ticks. Cheap where they come already.
    pub(crate) fn want(&self) {
        if !self.wanted.load(Relaxed) && !self.wanted.swap(true, SeqCst) {
            self.world.alarm().ring();
        }
    }

    /// Ends the thread.
    pub(crate) fn close(&self) {
        self.closing.store(true, SeqCst);
        self.world.alarm().ring();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
        {
            drop(thread.join());
        }
    }

    fn work(&self) {
        let mut quiet = 0;
        let mut stopped = None;
        while !self.closing.load(SeqCst) {
            let next = self.world.fire_due();
            let Some(scheduler) = self.scheduler.get().and_then(Weak::upgrade) else { return };
            if self.wanted.load(SeqCst) {
                quiet = if scheduler.is_contended() { 0 } else { quiet + 1 };
                if quiet >= 2 {
                    self.wanted.store(false, SeqCst);
                    quiet = 0;
                    stopped = Some(self.world.real().saturating_add(TICK.as_nanos() as u64));
                } else {
                    stopped = None;
                    scheduler.tick();
                }
            } else if stopped.is_some_and(|since| self.world.real() >= since) {
                // Whoever hands over asks for ticks without a fence, since this is the way of every message: it may have
                // seen the wish that was being taken back. A whole tick later its own store is seen here.
                stopped = None;
                if scheduler.is_contended() {
                    self.want();
                }
            }
            drop(scheduler);
            self.sleep_until(next, stopped.is_some());
        }
    }

    fn sleep_until(&self, next: u64, stopped: bool) {
        let longest = if stopped || self.wanted.load(SeqCst) { TICK } else { Duration::from_secs(3600) };
        let left = if next == NEVER { longest } else { Duration::from_nanos(next.saturating_sub(self.world.now())) };
        self.world.alarm().sleep(left.min(longest));
    }
}
