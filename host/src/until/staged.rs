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
    /// The thread is at work: where it waits it is not.
    Works,
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
    async move {
        let mut future = pin!(future);
        poll_fn(|cx| {
            let Some(counted) = &counted else { return future.as_mut().poll(cx) };
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

impl Wake for Counted {
    fn wake(self: Arc<Self>) {
        if !self.begun.swap(true, SeqCst) {
            self.stage.begin();
        }
        let waker = self.waker.lock().clone();
        waker.into_iter().for_each(Waker::wake);
    }
}

/// A thread that counts as at work within this.
pub(crate) fn working<R>(within: impl FnOnce() -> R) -> R {
    under(Time::Works, within)
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
        let (serves, works) = TIME
            .with_borrow(|time| (matches!(time, Some(Time::Serves | Time::Works)), matches!(time, Some(Time::Works))));
        if serves {
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
