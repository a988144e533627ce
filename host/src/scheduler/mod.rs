//! Which isolate runs next, and where.
//!
//! - [`Scheduler`]: the trait that both kinds implement. A scheduler knows futures and slots, not wasm.
//! - [`Task`]: one isolate's life as a future in a slot; the task itself is the waker.
//! - [`TwoQueues`]: worker threads; a woken isolate runs next on its waker's worker, one that does not wait for two
//!   whole slices goes behind all that do.
//! - [`Seeded`]: one thread, and the next isolate is drawn by a seed.
//! - [`Visit`]: a thread that waits for a run, and runs tasks meanwhile.
//! - [`Preemption`]: what makes tasks give way; without it, they do so only where they wait.
//! - [`Ticker`]: the thread that fires timers, and bumps the epoch while somebody runs and somebody else is ready; there is
//!   none before that can be.
//!
//! It refuses to run guest code anywhere but in [`Task::poll`], and a panic below a poll ends one isolate only.

mod seeded;
mod task;
mod ticker;
mod two_queues;

pub(crate) use seeded::Seeded;
pub(crate) use task::{CutShort, Estate, Hooks, Kept, Living, Outcome, Task};
pub(crate) use ticker::Ticker;
pub(crate) use two_queues::{Preemption, TwoQueues, Visit, Workers};

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::control::{Control, Links};
use crate::event::Left;
use crate::sync::Arc;
use crate::world::Nanos;

/// What tells schedulers apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Home(usize);

/// Runs tasks.
pub(crate) trait Scheduler: Send + Sync {
    /// What tells it from others.
    fn home(&self) -> Home;
    /// The task is ready; its state says queued already.
    fn enqueue(&self, task: Arc<Task>);
    /// Slices since the scheduler began; two of them without a wait make a hog.
    fn ticks(&self) -> u64;
    /// Sees to it that somebody runs what is queued.
    ///
    /// # Errors
    /// When the system gives no thread.
    fn staff(&self) -> std::io::Result<()> {
        Ok(())
    }
    /// Whether this thread runs tasks of it.
    fn works_here(&self) -> bool {
        false
    }
    /// Makes this thread one that runs tasks, where that is possible, until it leaves.
    fn visit(&self) -> Option<Visit> {
        None
    }
    /// Has a thread that visits and has nothing to do look for it anew.
    fn wake_visitor(&self) {}
    /// Calls a thread that visits and works to look at what it waits for. It takes no lock and asks for no memory, whatever it
    /// interrupts.
    fn call_visitor(&self) {}
    /// Whether one task runs while another is ready.
    fn is_contended(&self) -> bool;
    /// A running task is asked to end, or ended after it was asked: until then ticks come, since the one bump of the
    /// epoch that told it may have come while its deadline was being set.
    fn dying(&self, more: bool);
    /// Whether a hog is to make room at once.
    #[cfg(feature = "testing")]
    fn wants_room(&self) -> bool {
        false
    }
    /// One more tick.
    fn tick(&self);
    /// Ends the threads. Tasks that are queued are not run any more, and dropped; one that cannot be preempted is not waited for, and
    /// its thread ends after it.
    fn close(&self);
}

/// How long a slice is.
pub(crate) const TICK: std::time::Duration = std::time::Duration::from_millis(1);

/// Slices without a wait after which a task is to make room.
const SLICE_TICKS: u64 = 2;

thread_local! {
    static POLLED: Polled = const { Polled::new() };
}

/// What this thread polls now.
struct Polled {
    began_tick: Cell<u64>,
    began: Cell<Nanos>,
    /// When the last poll ended, if nothing but the next one comes after it: then that needs no look at the clock.
    ended: Cell<Option<Nanos>>,
    yielding: Cell<bool>,
    active: Cell<bool>,
    hog: Cell<bool>,
    /// Whether the epoch callback has not looked yet in this poll.
    fresh: Cell<bool>,
    /// The task makes room since this thread is called elsewhere, whatever it has used.
    called_away: Cell<bool>,
    /// What is polled dies, and this poll is over soon.
    dies: Cell<bool>,
}

impl Polled {
    const fn new() -> Polled {
        Polled {
            began_tick: Cell::new(0),
            began: Cell::new(0),
            ended: Cell::new(None),
            yielding: Cell::new(false),
            active: Cell::new(false),
            hog: Cell::new(false),
            fresh: Cell::new(false),
            called_away: Cell::new(false),
            dies: Cell::new(false),
        }
    }

    /// A poll begins, in this tick and at this time.
    fn begin(&self, ticks: u64, began: Nanos, hog: bool) {
        self.began_tick.set(ticks);
        self.began.set(began);
        self.active.set(true);
        self.yielding.set(false);
        self.hog.set(hog);
        self.fresh.set(true);
        self.called_away.set(false);
        self.dies.set(false);
    }
}

/// Whether the task that this thread polls has used up its slice: for the epoch callback.
///
/// Not at the first look, which comes before any of its code after a yield: a hog whose turn it is, and whom others want
/// to make room at once, would get nowhere.
pub(crate) fn slice_is_over(scheduler: &dyn Scheduler) -> bool {
    POLLED.with(|polled| {
        if polled.fresh.replace(false) {
            return false;
        }
        let used = scheduler.ticks().saturating_sub(polled.began_tick.get());
        let is_over = used >= SLICE_TICKS || (polled.hog.get() && makes_room(scheduler));
        polled.called_away.set(!is_over && TwoQueues::is_called());
        is_over || polled.called_away.get()
    })
}

/// Whether a hog that this thread runs is to make room at once.
fn makes_room(scheduler: &dyn Scheduler) -> bool {
    #[cfg(feature = "testing")]
    if scheduler.wants_room() {
        return true;
    }
    let _ = scheduler;
    TwoQueues::is_preempting()
}

/// This thread did something else than to poll: its next poll begins when it begins.
fn did_something_else() {
    POLLED.with(|polled| polled.ended.set(None));
}

/// Whether this thread polls a task, and may do so for a while.
fn polls_on() -> bool {
    POLLED.with(|polled| polled.active.get() && !polled.dies.get())
}

/// When the poll that this thread is in began.
pub(crate) fn poll_began() -> Nanos {
    POLLED.with(|polled| polled.began.get())
}

/// The isolate that this thread polls is about to die: its CPU time ends here, so that what it used is all there when it
/// is taken off the books, and that it had a CPU is told before its end is. What follows from its death is charged to
/// nobody.
pub(crate) fn last_poll(control: &Control, links: &Links) {
    POLLED.with(|polled| {
        let now = links.world.now();
        polled.dies.set(true);
        let began = polled.began.replace(now);
        control.meter.polled(now.saturating_sub(began));
        if links.recorder.has_all() {
            links.recorder.ran(control.id, began, now, Left::Over);
        }
    });
}

/// Gives the rest of this thread's slice to somebody else: pending once, without a waker.
pub(crate) struct YieldSlice {
    yielded: bool,
}

impl YieldSlice {
    /// A yield that is still to come.
    pub(crate) const fn new() -> YieldSlice {
        YieldSlice { yielded: false }
    }
}

impl Future for YieldSlice {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.yielded, true) {
            return Poll::Ready(());
        }
        let ours = POLLED.with(|polled| {
            polled.yielding.set(polled.active.get());
            polled.active.get()
        });
        if !ours {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}
