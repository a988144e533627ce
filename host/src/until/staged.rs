//! How a thread of the embedder's waits where a test steps the clock.
//!
//! It lets isolates go on, and goes on itself when they are at rest. Where time is to pass by itself, it is the thread
//! that waits which steps the clock.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;

use super::ThreadBell;
use crate::sync::atomic::{AtomicBool, Ordering::SeqCst};
use crate::sync::{Arc, Mutex};
use crate::world::stage::Stage;
use crate::world::{NEVER, Nanos, World};

/// How many times the patience of a stage the test's thread waits for what does not come.
const STUCK_AFTER: u32 = 10;

/// What the time of the calling thread is to a stage.
enum Time {
    /// It passes while the thread waits.
    Passes(Arc<Stage>),
    /// The thread serves: it waits for as long as there is nothing to do, and nobody waits with it.
    Serves,
    /// The thread is at work there: where it waits it is not.
    Works(Arc<Stage>),
}

thread_local! {
    static TIME: RefCell<Option<Time>> = const { RefCell::new(None) };
}

/// Lets the clock of this stage go on by itself where the calling thread waits within this.
pub(crate) fn while_time_passes<R>(stage: &Arc<Stage>, within: impl FnOnce() -> R) -> R {
    under(Time::Passes(Arc::clone(stage)), within)
}

/// A thread that serves within this.
pub(crate) fn serving<R>(within: impl FnOnce() -> R) -> R {
    under(Time::Serves, within)
}

/// Counts a future as at work from when it is woken until it waits again.
pub(crate) fn counted<F: Future>(world: &World, future: F) -> impl Future<Output = F::Output> + use<F> {
    let counted = world.stage().map(|stage| {
        stage.begin();
        Arc::new(Counted { stage: Arc::clone(stage), begun: AtomicBool::new(true), waker: Mutex::new(None) })
    });
    let counted = counted.map(UntilItEnds);
    async move {
        let mut future = pin!(future);
        poll_fn(|cx| {
            let Some(UntilItEnds(counted)) = &counted else { return future.as_mut().poll(cx) };
            *counted.waker.lock() = Some(cx.waker().clone());
            let begun = counted.begun.swap(false, SeqCst);
            let polled = future.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(counted))));
            if begun {
                counted.stage.end(true);
            }
            polled
        })
        .await
    }
}

/// The waker of a future that is counted.
struct Counted {
    stage: Arc<Stage>,
    begun: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

/// The end of a future that is counted, done or dropped: a wake-up that comes later finds nobody who could go back to rest.
struct UntilItEnds(Arc<Counted>);

impl Drop for UntilItEnds {
    fn drop(&mut self) {
        if self.0.begun.swap(true, SeqCst) {
            self.0.stage.end(true);
        }
    }
}

impl Wake for Counted {
    fn wake(self: Arc<Self>) {
        if !self.begun.swap(true, SeqCst) {
            self.stage.begin();
        }
        let waker = self.waker.lock().clone();
        waker.into_iter().for_each(Waker::wake);
    }
}

/// A thread that counts as at work in this world within this.
pub(crate) fn working<R>(world: &World, within: impl FnOnce() -> R) -> R {
    match world.stage() {
        Some(stage) => under(Time::Works(Arc::clone(stage)), within),
        None => within(),
    }
}

fn under<R>(time: Time, within: impl FnOnce() -> R) -> R {
    struct Outer(Option<Time>);
    impl Drop for Outer {
        fn drop(&mut self) {
            TIME.replace(self.0.take());
        }
    }
    let _outer = Outer(TIME.replace(Some(time)));
    within()
}

fn time_passes(stage: &Arc<Stage>) -> bool {
    TIME.with_borrow(|time| matches!(time, Some(Time::Passes(passing)) if Arc::ptr_eq(passing, stage)))
}

/// Whether the calling thread is at work on this stage, and on no other.
fn works(stage: &Arc<Stage>) -> bool {
    TIME.with_borrow(|time| matches!(time, Some(Time::Works(at)) if Arc::ptr_eq(at, stage)))
}

fn serves() -> bool {
    TIME.with_borrow(|time| matches!(time, Some(Time::Serves)))
}

/// Blocks the calling thread until `look` finds something, as [`ThreadBell::wait`] does on a stage.
pub(crate) fn look_until<R>(stage: &Arc<Stage>, world: &World, mut look: impl FnMut() -> Option<R>) -> R {
    let _audience = stage.audience();
    let mut looks_at_rest = 0;
    loop {
        let rests = world.settle();
        if let Some(found) = look() {
            return found;
        }
        if time_passes(stage) && world.step(NEVER) {
            continue;
        }
        looks_at_rest = if rests { looks_at_rest + 1 } else { 0 };
        assert!(looks_at_rest < STUCK_AFTER || !stage.is_owned_by_this_thread(), "{STANDS_STILL}");
        stage.await_change();
    }
}

impl ThreadBell {
    /// As [`ThreadBell::wait`], on a stage.
    #[track_caller]
    pub(super) fn wait_on(&self, stage: &Arc<Stage>, world: &Arc<World>, ends: Nanos) -> bool {
        if ends <= world.now() {
            return false;
        }
        let _timer = (ends != NEVER).then(|| world.timer(ends, self.waker.clone()));
        let works = works(stage);
        if works || serves() {
            if works {
                stage.end(false);
            }
            let _ = self.woken.recv();
            if works {
                stage.begin();
            }
            return true;
        }
        let audience = stage.audience();
        if time_passes(stage) {
            self.step_until_woken(stage, world)
        } else {
            self.wait_until_woken(stage, ends)
        }
        // Whoever rang has more to do, perhaps: what comes of it is there before this thread looks.
        world.settle();
        drop(audience);
        true
    }

    fn step_until_woken(&self, stage: &Arc<Stage>, world: &Arc<World>) {
        loop {
            world.settle();
            if self.woken.try_recv().is_ok() {
                return;
            }
            if !world.step(NEVER) {
                return self.wait_until_woken(stage, NEVER);
            }
        }
    }

    fn wait_until_woken(&self, stage: &Arc<Stage>, ends: Nanos) {
        let patience: Duration = stage.patience() * STUCK_AFTER;
        let hangs = stage.is_owned_by_this_thread() || time_passes(stage);
        while let Err(RecvTimeoutError::Timeout) = self.woken.recv_timeout(patience) {
            assert!(!hangs || !stage.rest(), "{}", if ends == NEVER { FOR_EVER } else { STANDS_STILL });
        }
    }
}

/// What a wait says that would hang.
const STANDS_STILL: &str = "this thread waits for the test kit's clock, which stands still, and all isolates are at rest: \
                            wait within `Kit::let_time_pass`, or step the clock on another thread";
const FOR_EVER: &str = "this thread waits for something that does not come: all isolates are at rest, and no time that \
                        passes wakes any of them";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_begins_after_somebody_got_stuck_is_waited_for() {
        let stage = Stage::new(0, Duration::from_millis(1));
        let stuck = stage.at_work();
        assert!(stage.rest() && stage.rest_within(Duration::ZERO), "nobody waits for long for one that is stuck");
        let other = stage.at_work();
        assert!(!stage.rest_within(Duration::ZERO));
        drop((stuck, other));
        assert!(stage.rest_within(Duration::ZERO));
    }

    #[test]
    fn who_works_on_one_stage_and_waits_for_another_is_at_work_on_the_first_alone() {
        let stages = [0, 1].map(|seed| Stage::new(seed, Duration::from_millis(1)));
        let [here, there] = stages.each_ref().map(|stage| World::staged(Arc::clone(stage)));
        let at_work = here.at_work();
        for world in [&there, &here] {
            let bell = ThreadBell::new();
            bell.waker().wake_by_ref();
            assert!(working(&here, || bell.wait(world, NEVER)));
            assert_eq!(stages.each_ref().map(|stage| stage.rest_within(Duration::ZERO)), [false, true]);
        }
        drop(at_work);
        assert!(stages[0].rest_within(Duration::ZERO));
    }

    #[test]
    fn who_is_counted_is_at_rest_when_it_is_done_or_dropped_whoever_wakes_it_then() {
        let stage = Stage::new(0, Duration::from_millis(1));
        let world = World::staged(Arc::clone(&stage));
        let rests = || stage.rest_within(Duration::ZERO);
        drop(counted(&world, std::future::pending::<()>()));
        assert!(rests(), "one that was dropped before it began");
        for (done, wakes) in [(true, false), (true, true), (false, false), (false, true)] {
            let mut kept = None;
            let mut future = Box::pin(counted(
                &world,
                poll_fn(|cx| {
                    kept = Some(cx.waker().clone());
                    if wakes {
                        cx.waker().wake_by_ref();
                    }
                    if done { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
                }),
            ));
            assert!(!rests());
            assert_eq!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready(), done);
            assert_eq!(rests(), done || !wakes);
            drop(future);
            kept.into_iter().for_each(Waker::wake);
            assert!(rests(), "done: {done}, woken in its poll: {wakes}");
        }
    }
}
