//! What a host takes from the world around it: time, random numbers, and the numbers it gives to new things.
//!
//! Nothing outside this file reads a clock or draws a random number, so that a later world may do both by a seed. The
//! timers are here too, since they are what a clock is for: whoever drives the world calls [`World::fire_due`] and
//! sleeps until the instant that it answers. [`Chance`] is what a seed becomes. With the feature `testing` the clock may
//! be one that a test steps (`stage`).

#[cfg(feature = "testing")]
#[path = "world/stage.rs"] // the tests include this file by its path
pub(crate) mod stage;

use std::collections::BTreeMap;
use std::sync::Condvar;
use std::task::Waker;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use crate::sync::{Arc, Mutex, atomic};

/// Nanoseconds since the world began.
pub(crate) type Nanos = u64;

/// An instant that never comes.
pub(crate) const NEVER: Nanos = Nanos::MAX;

/// Clock, timers, numbers.
pub(crate) struct World {
    /// When it did, by the system's clock.
    began: Nanos,
    #[cfg(feature = "testing")]
    stage: Option<Arc<stage::Stage>>,
    timers: Mutex<Timers>,
    earliest: atomic::AtomicU64,
    alarm: Alarm,
    numbers: atomic::AtomicU64,
    /// What the numbers of spans are drawn from, once there are any.
    spans: std::sync::OnceLock<u64>,
}

#[derive(Default)]
struct Timers {
    due: BTreeMap<(Nanos, u64), Waker>,
    last: u64,
}

/// What the driver of the world sleeps on.
#[derive(Default)]
pub(crate) struct Alarm {
    rung: std::sync::Mutex<bool>,
    bell: Condvar,
    /// Has a driver begin, if there is none.
    begins: std::sync::OnceLock<Box<dyn Fn() + Send + Sync>>,
}

/// The clock that never goes back, as one number: each turn looks at it, and the difference of two `Instant`s takes some 40
/// instructions more.
#[inline]
fn monotonic() -> Nanos {
    let time = clock_gettime(ClockId::Monotonic);
    (time.tv_sec as Nanos).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as Nanos)
}

impl World {
    /// A world whose clock starts now.
    pub(crate) fn new() -> Arc<World> {
        Arc::new(World {
            began: monotonic(),
            #[cfg(feature = "testing")]
            stage: None,
            timers: Mutex::new(Timers::default()),
            earliest: atomic::AtomicU64::new(NEVER),
            alarm: Alarm::default(),
            numbers: atomic::AtomicU64::new(1),
            spans: std::sync::OnceLock::new(),
        })
    }

    /// The time.
    pub(crate) fn now(&self) -> Nanos {
        #[cfg(feature = "testing")]
        if let Some(stage) = &self.stage {
            return stage.now();
        }
        self.real()
    }

    /// The time right after one that was looked at.
    pub(crate) fn right_after(&self, looked: Nanos) -> Nanos {
        #[cfg(feature = "testing")]
        if let Some(stage) = &self.stage {
            return stage.now();
        }
        looked.saturating_add(1)
    }

    /// The time as the machine has it, for what must not wait until a test steps its clock.
    pub(crate) fn real(&self) -> Nanos {
        monotonic().saturating_sub(self.began)
    }

    /// The time `duration` from now.
    pub(crate) fn after(&self, duration: Duration) -> Nanos {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(NEVER);
        self.now().saturating_add(nanos)
    }

    /// The time of day, since 1970.
    pub(crate) fn wall(&self) -> Duration {
        #[cfg(feature = "testing")]
        if let Some(stage) = &self.stage {
            return stage.wall();
        }
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    /// The time of day at this instant of the clock, as the system has it now.
    #[cfg(feature = "otlp")]
    pub(crate) fn time_of_day(&self, at: Nanos) -> SystemTime {
        let began = UNIX_EPOCH + self.wall().saturating_sub(Duration::from_nanos(self.now()));
        began + Duration::from_nanos(at)
    }

    /// A number that this world never gave before and never gives again.
    pub(crate) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, atomic::Ordering::Relaxed)
    }

    /// A number that is likely nobody else's, in other processes either. Nothing that a guest sees comes of it.
    pub(crate) fn span_number(&self) -> u64 {
        let drawn = || std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), ());
        Chance::new(*self.spans.get_or_init(drawn)).later(self.number()).next()
    }

    /// Wakes `waker` at `due`, unless the timer is dropped first.
    pub(crate) fn timer(self: &Arc<World>, due: Nanos, waker: Waker) -> Timer {
        let mut timers = self.timers.lock();
        timers.last += 1;
        let key = (due, timers.last);
        timers.due.insert(key, waker);
        let first = timers.due.first_key_value().is_some_and(|(first, _)| *first == key);
        if first {
            self.earliest.store(due, atomic::Ordering::SeqCst);
        }
        drop(timers);
        if first {
            self.alarm.ring();
        }
        Timer { world: Arc::clone(self), key }
    }

    /// Wakes all that is due, and says when the next one will be.
    pub(crate) fn fire_due(&self) -> Nanos {
        #[cfg(feature = "testing")]
        let _in_order = self.stage.as_ref().map(|stage| stage.firing());
        let now = self.now();
        if self.earliest.load(atomic::Ordering::SeqCst) > now {
            return self.earliest.load(atomic::Ordering::SeqCst);
        }
        loop {
            let mut timers = self.timers.lock();
            let next = timers.due.first_key_value().map_or(NEVER, |((due, _), _)| *due);
            if next > now {
                self.earliest.store(next, atomic::Ordering::SeqCst);
                return next;
            }
            let due = timers.due.pop_first();
            drop(timers);
            if let Some((_, waker)) = due {
                waker.wake();
            }
        }
    }

    /// What the driver sleeps on; rung when an earlier timer than all others came.
    pub(crate) fn alarm(&self) -> &Alarm {
        &self.alarm
    }
}

/// Now, as the machine has it.
#[cfg(feature = "testing")]
fn moment() -> std::time::Instant {
    std::time::Instant::now()
}

/// Somebody who is at work for the isolates of a host, so that a test does not take them to be at rest.
pub(crate) struct AtWork {
    #[cfg(feature = "testing")]
    _stage: Option<stage::AtWork>,
}

impl World {
    /// A future of the embedder's was polled, and waits.
    pub(crate) fn awaited(&self) {
        #[cfg(feature = "testing")]
        self.stage.iter().for_each(|stage| stage.awaited());
    }

    /// One more is at work, until what this returns is dropped.
    pub(crate) fn at_work(&self) -> AtWork {
        AtWork {
            #[cfg(feature = "testing")]
            _stage: self.stage.as_ref().map(stage::Stage::at_work),
        }
    }
}

impl Alarm {
    /// What has a driver begin at the next ring, if there is none.
    pub(crate) fn driven_by(&self, begins: Box<dyn Fn() + Send + Sync>) {
        let _ = self.begins.set(begins);
    }

    /// Ends the driver's sleep, or its next one at once.
    pub(crate) fn ring(&self) {
        *self.rung.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = true;
        self.bell.notify_one();
        self.begins.get().into_iter().for_each(|begins| begins());
    }

    /// Sleeps until rung, `duration` at most.
    pub(crate) fn sleep(&self, duration: Duration) {
        let mut rung = self.rung.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !*rung {
            rung = match self.bell.wait_timeout(rung, duration) {
                Ok((rung, _)) => rung,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        *rung = false;
    }
}

/// A seed in, a stream of numbers out: Steele, Lea and Flood's SplitMix64. Nothing that is secret is made of it.
pub(crate) struct Chance(u64);

impl Chance {
    /// What SplitMix64 adds at each step.
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

    /// The stream of this seed.
    pub(crate) fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    /// The same stream, this many numbers later.
    pub(crate) fn later(self, numbers: u64) -> Chance {
        Chance(self.0.wrapping_add(Chance::STEP.wrapping_mul(numbers)))
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(Chance::STEP);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next number, below this bound.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// A wake-up that will come; dropping it takes it back.
pub(crate) struct Timer {
    world: Arc<World>,
    key: (Nanos, u64),
}

impl Drop for Timer {
    fn drop(&mut self) {
        let waker = self.world.timers.lock().due.remove(&self.key);
        drop(waker);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn due_timers_wake_and_dropped_ones_do_not() {
        let world = World::new();
        let count = std::sync::Arc::new(Count::default());
        let waker = || Waker::from(std::sync::Arc::clone(&count));
        let past = world.timer(0, waker());
        drop(world.timer(0, waker()));
        let far = world.timer(NEVER - 1, waker());
        assert_eq!(world.fire_due(), NEVER - 1);
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        drop((past, far));
    }

    #[test]
    fn a_seed_is_one_stream_of_numbers() {
        // The first numbers of SplitMix64 from 1234567, as its authors' own program prints them.
        let mut chance = Chance::new(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| chance.next()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
        assert_eq!(Chance::new(1_234_567).later(2).next(), first[2]);
    }

    #[test]
    fn numbers_differ() {
        let world = World::new();
        assert_ne!(world.number(), world.number());
    }
}
