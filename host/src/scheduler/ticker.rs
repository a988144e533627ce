//! The thread that fires timers, and ticks while it must.
//!
//! It ticks only while one isolate runs and another is ready; it is asked to by whoever makes that so, and stops by
//! itself when two looks in a row find it no longer so. Otherwise it sleeps until the next timer. A kill needs no tick. It
//! begins when there is something to do for it: a program of one isolate may never need it.

use std::sync::{OnceLock, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Scheduler, TICK};
use crate::sync::atomic::{AtomicBool, Ordering::Relaxed, Ordering::SeqCst};
use crate::sync::{Arc, Mutex};
use crate::world::{NEVER, World};

/// How long it sleeps where no timer is due.
const LONGEST: Duration = Duration::from_secs(3600);

/// The ticker of a host.
pub(crate) struct Ticker {
    world: Arc<World>,
    wanted: AtomicBool,
    closing: AtomicBool,
    scheduler: OnceLock<Weak<dyn Scheduler>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    has_begun: AtomicBool,
    is_missing: AtomicBool,
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
            has_begun: AtomicBool::new(false),
            is_missing: AtomicBool::new(false),
        })
    }

    /// One for which the system had no thread.
    #[cfg(test)]
    pub(super) fn without_thread(world: &Arc<World>) -> Arc<Ticker> {
        let ticker = Ticker::new(world);
        ticker.is_missing.store(true, SeqCst);
        ticker
    }

    #[cfg(feature = "testing")]
    pub(super) fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// It is this scheduler's that is ticked, once somebody needs that.
    pub(crate) fn serve(self: &Arc<Ticker>, scheduler: &Arc<dyn Scheduler>) {
        // Set once, by the one caller that builds the host.
        drop(self.scheduler.set(Arc::downgrade(scheduler)));
        let ticker = Arc::downgrade(self);
        // Where the system gives no thread it is asked again at the next ring, and by whoever has nothing else to do.
        let begin = move || ticker.upgrade().into_iter().for_each(|ticker| drop(ticker.ensure()));
        self.world.alarm().driven_by(Box::new(begin));
    }

    /// Starts the thread, if there is none yet.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn ensure(self: &Arc<Ticker>) -> std::io::Result<()> {
        if self.has_begun.load(SeqCst) || self.scheduler.get().is_none() {
            return Ok(());
        }
        let mut thread = self.thread.lock();
        if thread.is_some() || self.closing.load(SeqCst) {
            return Ok(());
        }
        let ticker = Arc::clone(self);
        let begun = std::thread::Builder::new().name("insula-ticker".to_owned()).spawn(move || ticker.work());
        self.is_missing.store(begun.is_err(), SeqCst);
        if begun.is_err() {
            // Whoever sleeps there may have to wake up sooner.
            self.scheduler.get().and_then(Weak::upgrade).into_iter().for_each(|scheduler| scheduler.wake_visitor());
        }
        *thread = Some(begun?);
        self.has_begun.store(true, SeqCst);
        Ok(())
    }

    /// Whether the system gave no thread when one was wanted.
    pub(super) fn is_missing(&self) -> bool {
        self.is_missing.load(SeqCst)
    }

    /// Fires timers in the place of the thread, and says how long it is to the next.
    pub(super) fn fire(&self) -> Duration {
        self.left(self.world.fire_due(), LONGEST)
    }

    /// Asks for ticks. Cheap where they come already.
    pub(crate) fn want(&self) {
        if !self.wanted.load(Relaxed) && !self.wanted.swap(true, SeqCst) {
            self.world.alarm().ring();
            if self.is_missing() {
                // The next one asks again.
                self.wanted.store(false, SeqCst);
            }
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
        let longest = if stopped || self.wanted.load(SeqCst) { TICK } else { LONGEST };
        self.world.alarm().sleep(self.left(next, longest));
    }

    /// How long it is to then, so long at most.
    fn left(&self, next: u64, longest: Duration) -> Duration {
        let left = if next == NEVER { longest } else { Duration::from_nanos(next.saturating_sub(self.world.now())) };
        left.min(longest)
    }
}
