//! What a test has in its hands: a clock that goes by steps, who is at work, who waits for them, and what happened.
//!
//! Isolates of a host on a stage go on while somebody waits for them, and are at rest before that one goes on: so what a
//! test does and what its isolates do never overlap, and the same seed is the same run. The only real time here is how
//! long somebody is waited for who does not come to rest.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;

use super::{Chance, NEVER, Nanos, World, moment};
use crate::sync::Arc;
use crate::sync::atomic::{AtomicU64, Ordering};

/// The time of day at which the clock of a stage begins, since 1970.
const MORNING: Duration = Duration::from_secs(1_000_000_000);

/// How many times the patience somebody may be at work without a step of anybody, and how many all may go on.
const STALLS_AFTER: u32 = 4;
const RESTLESS_AFTER: u32 = 10;

/// Lines of the record that are kept.
const LINES_MAX: usize = 100_000;

/// The stage of one host.
pub(crate) struct Stage {
    nanos: AtomicU64,
    seeds: Mutex<Chance>,
    firing: Mutex<()>,
    work: Mutex<Work>,
    changed: Condvar,
    record: Mutex<Vec<String>>,
    /// The thread of the test.
    owner: ThreadId,
    patience: Duration,
}

#[derive(Default)]
struct Work {
    at_work: usize,
    audience: usize,
    /// Turns that came to their end.
    steps: u64,
    /// The steps at which somebody was at work for too long to be waited for.
    stalled: Option<u64>,
    /// Nobody waited in time: they go on until they are at rest.
    impatient: bool,
    closed: bool,
}

/// Somebody who is at work.
pub(crate) struct AtWork(Arc<Stage>);

/// Somebody who waits for those who are.
pub(crate) struct Audience(Arc<Stage>);

impl Stage {
    /// A stage of the calling thread's. So long a turn may take before it is taken to have no end.
    pub(crate) fn new(seed: u64, patience: Duration) -> Arc<Stage> {
        Arc::new(Stage {
            nanos: AtomicU64::new(0),
            seeds: Mutex::new(Chance::new(seed)),
            firing: Mutex::new(()),
            work: Mutex::default(),
            changed: Condvar::new(),
            record: Mutex::default(),
            owner: std::thread::current().id(),
            patience,
        })
    }

    pub(crate) fn now(&self) -> Nanos {
        self.nanos.load(Ordering::SeqCst)
    }

    pub(crate) fn wall(&self) -> Duration {
        MORNING.saturating_add(Duration::from_nanos(self.now()))
    }

    /// The seed of the next isolate that has none.
    pub(crate) fn seed(&self) -> u64 {
        lock(&self.seeds).next()
    }

    /// Held while timers fire, so that they do in their order.
    pub(crate) fn firing(&self) -> MutexGuard<'_, ()> {
        lock(&self.firing)
    }

    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    pub(crate) fn is_owned_by_this_thread(&self) -> bool {
        self.owner == std::thread::current().id()
    }

    /// One more is at work.
    pub(crate) fn begin(&self) {
        let mut work = lock(&self.work);
        work.at_work += 1;
        // Whoever is not waited for any more is no reason not to wait for this one.
        work.stalled = None;
    }

    /// One less is at work; it came to the end of a turn, or not.
    pub(crate) fn end(&self, of_turn: bool) {
        let mut work = lock(&self.work);
        work.at_work = work.at_work.saturating_sub(1);
        work.steps += u64::from(of_turn);
        work.impatient &= work.at_work > 0;
        drop(work);
        self.changed.notify_all();
    }

    /// As [`Stage::begin`], until what this returns is dropped.
    pub(crate) fn at_work(self: &Arc<Stage>) -> AtWork {
        self.begin();
        AtWork(Arc::clone(self))
    }

    /// Lets isolates go on, until what this returns is dropped.
    pub(crate) fn audience(self: &Arc<Stage>) -> Audience {
        lock(&self.work).audience += 1;
        self.changed.notify_all();
        Audience(Arc::clone(self))
    }

    /// Waits until somebody waits for isolates.
    pub(crate) fn await_audience(&self) {
        let alone = |work: &mut Work| work.audience == 0 && !work.impatient && !work.closed;
        // Whoever waits by other means than ours gets on so, if slowly.
        let waited = self.changed.wait_timeout_while(lock(&self.work), self.patience, alone);
        let (mut work, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        work.impatient |= timeout.timed_out() && work.at_work > 0;
    }

    /// Somebody is about to wait: isolates go on until they are at rest.
    pub(crate) fn awaited(&self) {
        let mut work = lock(&self.work);
        work.impatient |= work.at_work > 0;
        drop(work);
        self.changed.notify_all();
    }

    /// Nobody waits for anything here any more.
    pub(crate) fn close(&self) {
        lock(&self.work).closed = true;
        self.changed.notify_all();
    }

    /// Waits until nobody is at work. Whoever is for long, without a step of anybody, is taken to wait for something that
    /// is not ours. False where there is a step after another for too long.
    pub(crate) fn rest(&self) -> bool {
        self.rest_within(self.patience * RESTLESS_AFTER)
    }

    /// As [`Stage::rest`], or false after so long, at once where that is nothing.
    pub(crate) fn rest_within(&self, longest: Duration) -> bool {
        let began = moment();
        let mut work = lock(&self.work);
        loop {
            if work.at_work == 0 || work.closed || work.stalled == Some(work.steps) {
                return true;
            }
            if began.elapsed() > longest {
                return false;
            }
            let steps = work.steps;
            let goes_on = |work: &mut Work| work.at_work > 0 && work.steps == steps && !work.closed;
            let waited = self.changed.wait_timeout_while(work, self.patience * STALLS_AFTER, goes_on);
            let timeout;
            (work, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            if timeout.timed_out() {
                work.stalled = Some(steps);
            }
        }
    }

    /// Waits until something changes here, for as long as a turn may take.
    pub(crate) fn await_change(&self) {
        drop(self.changed.wait_timeout(lock(&self.work), self.patience));
    }

    /// Adds a line to the record.
    pub(crate) fn note(&self, line: String) {
        let mut record = lock(&self.record);
        if record.len() < LINES_MAX {
            record.push(line);
        }
    }

    /// What happened so far.
    pub(crate) fn record(&self) -> Vec<String> {
        lock(&self.record).clone()
    }
}

impl World {
    /// A world whose clock goes by steps.
    pub(crate) fn staged(stage: Arc<Stage>) -> Arc<World> {
        let mut world = World::new();
        if let Some(world) = Arc::get_mut(&mut world) {
            world.stage = Some(stage);
        }
        world
    }

    pub(crate) fn stage(&self) -> Option<&Arc<Stage>> {
        self.stage.as_ref()
    }

    /// Adds a line to the record, where there is one.
    pub(crate) fn note(&self, line: impl FnOnce() -> String) {
        if let Some(stage) = &self.stage {
            stage.note(line());
        }
    }

    /// Waits until nobody can go on by itself, what is due included. False where that does not come.
    pub(crate) fn settle(&self) -> bool {
        let Some(stage) = &self.stage else { return true };
        let _audience = stage.audience();
        loop {
            if !stage.rest() {
                return false;
            }
            let next = self.earliest.load(Ordering::SeqCst);
            if next > stage.now() {
                return true;
            }
            self.fire_due();
        }
    }

    /// Steps the clock to the next instant that somebody waits for, `until` at most, and wakes who does. False where
    /// nobody waits for one so soon: then it is `until`, unless that is never.
    pub(crate) fn step(&self, until: Nanos) -> bool {
        let Some(stage) = &self.stage else { return false };
        self.fire_due();
        // Looked up, since a timer that was taken back may be what is known to be the earliest.
        let next = self.timers.lock().due.first_key_value().map_or(NEVER, |((due, _), _)| *due);
        let is_awaited = next != NEVER && next <= until;
        let to = if is_awaited { next } else { until };
        if to != NEVER {
            let before = stage.nanos.fetch_max(to, Ordering::SeqCst);
            if is_awaited && before < to {
                stage.note(format!("at {:?}", Duration::from_nanos(to)));
            }
            self.fire_due();
        }
        is_awaited
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.end(true);
    }
}

impl Drop for Audience {
    fn drop(&mut self) {
        lock(&self.0.work).audience -= 1;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
