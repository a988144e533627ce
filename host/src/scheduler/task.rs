//! One isolate's life as a future, in a slot that a worker locks for each poll.
//!
//! The state is one byte. Whoever moves it to `DEAD` owns the death step and the future: the worker whose poll ended, or
//! a killer that found the isolate parked or queued, who then never waits for a turn in a queue.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Wake, Waker};

use super::two_queues::hand_over;
use super::{Home, POLLED, Scheduler, did_something_else, poll_began};
use crate::control::{Census, Control, Flags};
use crate::event::{Left, Recorder};
use crate::log::{self, Span};
use crate::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed, Ordering::SeqCst};
use crate::sync::{Arc, Mutex};
use crate::world::{Nanos, World};

const PARKED: u8 = 0;
/// Parked, and only a port can wake it: counted in the census.
const ASLEEP: u8 = 1;
const QUEUED: u8 = 2;
const RUNNING: u8 = 3;
/// Running, and woken meanwhile.
const NOTIFIED: u8 = 4;
const DEAD: u8 = 5;

/// A life, from which comes what it leaves behind.
pub(crate) type Living = Pin<Box<dyn Future<Output = Estate> + Send>>;

/// What a life leaves behind, to be dropped when there is time: a Store takes longer than everything that tells of a
/// death.
pub(crate) type Estate = Option<Box<dyn Send>>;

/// What must be dropped where its drop may take time. It may hold the last way to reach somebody, so until then nobody
/// says that all are asleep.
struct Grave {
    remains: Option<Remains>,
    census: Arc<Census>,
}

#[expect(dead_code, reason = "they are there to be dropped")]
enum Remains {
    Life(Living),
    Estate(Box<dyn Send>),
}

impl Grave {
    fn new(remains: Option<Remains>, census: &Arc<Census>) -> Grave {
        census.hold();
        Grave { remains, census: Arc::clone(census) }
    }
}

impl Drop for Grave {
    fn drop(&mut self) {
        // Its drop may panic, as whatever unwinds a fiber.
        struct LetGo<'a>(&'a Census);
        impl Drop for LetGo<'_> {
            fn drop(&mut self) {
                self.0.let_go();
            }
        }
        let _let_go = LetGo(&self.census);
        drop(self.remains.take());
    }
}

/// How a life was cut short.
pub(crate) enum Outcome {
    /// By whoever set the END flag.
    Ended,
    /// A panic below the poll.
    Panicked(String),
}

/// What the host does when a life is cut short: the death step.
pub(crate) type CutShort = Box<dyn Fn(&Arc<Control>, Outcome) + Send + Sync>;

/// An isolate, as the scheduler knows it.
pub(crate) struct Task {
    state: AtomicU8,
    slot: Mutex<Option<(Living, Waker, Span)>>,
    strikes: AtomicU8,
    hog: AtomicBool,
    /// Counted as asked to end while it ran.
    dying: AtomicBool,
    control: Arc<Control>,
    scheduler: Arc<dyn Scheduler>,
    home: Home,
    hooks: Arc<Hooks>,
    world: Arc<World>,
    /// Its CPU time is limited, so ticks must come while it runs.
    metered: bool,
    /// It has a run deadline, so the time is kept that it does not have.
    timed: bool,
}

/// What of a life the scheduler keeps account of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    pub(crate) metered: bool,
    pub(crate) timed: bool,
}

/// What all tasks of a host share.
pub(crate) struct Hooks {
    pub(crate) cut_short: CutShort,
    pub(crate) recorder: Arc<Recorder>,
    /// Makes every running isolate look at its flags.
    pub(crate) interrupt: Box<dyn Fn() + Send + Sync>,
}

/// Where a task goes after a poll.
pub(super) enum After {
    /// Nowhere: it waits, or is over.
    Gone,
    /// It was woken while it ran.
    Again(Arc<Task>),
    /// It used up a slice.
    Preempted { task: Arc<Task>, hog: bool },
}

impl Task {
    /// Puts a life in its slot and queues it.
    pub(crate) fn launch(
        life: Living,
        control: Arc<Control>,
        scheduler: &Arc<dyn Scheduler>,
        hooks: &Arc<Hooks>,
        world: &Arc<World>,
        kept: Kept,
    ) {
        let task = Arc::new(Task {
            state: AtomicU8::new(QUEUED),
            slot: Mutex::new(None),
            strikes: AtomicU8::new(0),
            hog: AtomicBool::new(false),
            dying: AtomicBool::new(false),
            control: Arc::clone(&control),
            scheduler: Arc::clone(scheduler),
            home: scheduler.home(),
            hooks: Arc::clone(hooks),
            world: Arc::clone(world),
            metered: kept.metered,
            timed: kept.timed,
        });
        let waker = Waker::from(Arc::clone(&task));
        let attention = Waker::from(Arc::new(Attention(Arc::clone(&task))));
        *task.slot.lock() = Some((life, waker.clone(), log::span(&control)));
        control.attach_body(waker, attention);
        if control.flags.any(Flags::END) {
            task.look_at_once();
        }
        task.counts_not();
        scheduler.enqueue(task);
    }

    pub(super) fn is_hog(&self) -> bool {
        self.hog.load(SeqCst)
    }

    pub(super) fn is_metered(&self) -> bool {
        self.metered
    }

    /// Runs it until it waits. The only place from which guest code is entered.
    pub(super) fn poll(self: Arc<Task>, ticks: u64) -> After {
        if self.state.compare_exchange(QUEUED, RUNNING, SeqCst, SeqCst).is_err() {
            return After::Gone;
        }
        let mut slot = self.slot.lock();
        let Some((life, waker, span)) = slot.as_mut() else { return After::Gone };
        let began = POLLED.with(|polled| {
            let began = polled.ended.take().unwrap_or_else(|| self.world.now());
            polled.begin(ticks, began, self.is_hog());
            began
        });
        self.control.meter.polled_from(began);
        if self.timed {
            self.control.meter.counts(began);
        }
        let result = span.in_scope(|| poll_caught(life, waker));
        let ended = self.world.now();
        if !matches!(result, Ok(Poll::Ready(_))) {
            // Who is over has counted its last poll by itself: what follows from its death is charged to nobody.
            self.control.meter.polled(ended.saturating_sub(began));
        }
        let yielding = POLLED.with(|polled| {
            polled.active.set(false);
            polled.ended.set(result.is_ok().then_some(ended));
            polled.yielding.replace(false)
        });
        self.record((began, ended), result.as_ref().map(Poll::is_pending).ok(), yielding);
        match result {
            Ok(Poll::Pending) => {
                drop(slot);
                if yielding { self.gave_way() } else { self.park() }
            }
            Ok(Poll::Ready(estate)) => {
                self.state.store(DEAD, SeqCst);
                self.is_over();
                let over = slot.take();
                drop(slot);
                drop(over);
                if let Some(estate) = estate {
                    keep(Grave::new(Some(Remains::Estate(estate)), &self.control.census));
                }
                After::Gone
            }
            Err(panic) => {
                self.state.store(DEAD, SeqCst);
                self.is_over();
                let over = slot.take();
                drop(slot);
                (self.hooks.cut_short)(&self.control, Outcome::Panicked(panic_text(&*panic)));
                // The panic left the fiber in an unknown state: what its drop does is caught as well.
                drop(catch_unwind(AssertUnwindSafe(|| drop(over))));
                After::Gone
            }
        }
    }

    /// Tells whoever observes of a poll; of the last one a life has told by itself, but for one that panicked.
    #[inline]
    fn record(&self, times: (Nanos, Nanos), is_pending: Option<bool>, yielding: bool) {
        if Recorder::any_has_all() && is_pending != Some(false) && self.hooks.recorder.has_all() {
            self.put_down(times, is_pending.is_some(), yielding);
        }
    }

    #[cold]
    fn put_down(&self, (began, ended): (Nanos, Nanos), lives: bool, yielding: bool) {
        let flags = &self.control.flags;
        let left = match (lives, yielding) {
            (false, _) => Left::Over,
            (true, true) => Left::Preempted,
            (true, false) if flags.any(Flags::PAUSED) => Left::Paused,
            (true, false) => Left::Waits(flags.call_number()),
        };
        self.hooks.recorder.ran(self.control.id, began, ended, left);
    }

    /// It is dead: no tick is needed for it any more.
    fn is_over(&self) {
        if self.dying.swap(false, SeqCst) {
            self.scheduler.dying(false);
        }
    }

    /// It is queued or paused from now on: a run deadline leaves that out.
    fn counts_not(&self) {
        if self.timed {
            self.control.meter.counts_not(self.world.now());
        }
    }

    fn park(self: Arc<Task>) -> After {
        // Only this poll writes them, and most of the time there is nothing to write.
        if self.strikes.load(Relaxed) != 0 {
            self.strikes.store(0, SeqCst);
            self.hog.store(false, SeqCst);
        }
        if self.control.flags.any(Flags::PAUSED) {
            self.counts_not();
        }
        let asleep = self.control.flags.any(Flags::ASLEEP);
        let parked = if asleep { ASLEEP } else { PARKED };
        if self.state.compare_exchange(RUNNING, parked, SeqCst, SeqCst).is_err() {
            self.requeued();
            return After::Again(self);
        }
        if asleep {
            self.control.census.fell_asleep();
        }
        // A kill that came while it ran saw it running and left this to us.
        if self.control.flags.any(Flags::END) {
            self.look_at_once();
        }
        After::Gone
    }

    /// It is ready, and made room for others; or for something that is no task, whatever it has used.
    fn gave_way(self: Arc<Task>) -> After {
        if POLLED.with(|polled| polled.called_away.get()) {
            self.requeued();
            return After::Preempted { hog: self.is_hog(), task: self };
        }
        self.preempted()
    }

    fn requeued(&self) {
        self.state.store(QUEUED, SeqCst);
        self.counts_not();
        if self.control.flags.any(Flags::END) {
            self.look_at_once();
        }
    }

    fn preempted(self: Arc<Task>) -> After {
        self.requeued();
        let hog = self.strikes.fetch_add(1, SeqCst) >= 1;
        if hog {
            self.strikes.store(1, SeqCst);
        }
        self.hog.store(hog, SeqCst);
        After::Preempted { task: self, hog }
    }

    /// Moves it from any of these states to another. Answers where it came from.
    fn shift(&self, from: &[u8], to: u8) -> Option<u8> {
        from.iter().copied().find(|from| self.state.compare_exchange(*from, to, SeqCst, SeqCst).is_ok())
    }

    fn ready(&self) -> bool {
        loop {
            match self.state.load(SeqCst) {
                PARKED if self.shift(&[PARKED], QUEUED).is_some() => {
                    self.counts_not();
                    return true;
                }
                ASLEEP if self.shift(&[ASLEEP], QUEUED).is_some() => {
                    self.control.census.woke();
                    self.counts_not();
                    return true;
                }
                RUNNING if self.shift(&[RUNNING], NOTIFIED).is_some() => return false,
                QUEUED | NOTIFIED | DEAD => return false,
                _ => {}
            }
        }
    }

    /// It is asked something: where it waits it is woken, and on a CPU its epoch callback sees its flag.
    fn look(self: &Arc<Task>) {
        let runs = matches!(self.state.load(SeqCst), RUNNING | NOTIFIED);
        self.wake_by_ref();
        if runs {
            (self.hooks.interrupt)();
        }
    }

    /// It is to end at once. Found off the CPU, it ends here and now; on a CPU, its epoch callback sees its flag.
    fn look_at_once(&self) {
        loop {
            match self.state.load(SeqCst) {
                state @ (PARKED | QUEUED | ASLEEP) if self.shift(&[state], DEAD).is_some() => {
                    if state == ASLEEP {
                        self.control.census.woke();
                    }
                    self.is_over();
                    let over = self.slot.lock().take();
                    let remains = over.map(|(life, ..)| Remains::Life(life));
                    let grave = Grave::new(remains, &self.control.census);
                    (self.hooks.cut_short)(&self.control, Outcome::Ended);
                    bury(grave);
                    return;
                }
                RUNNING | NOTIFIED => {
                    if !self.dying.swap(true, SeqCst) {
                        self.scheduler.dying(true);
                    }
                    // It may have died between the look and the mark.
                    if self.state.load(SeqCst) == DEAD {
                        self.is_over();
                    }
                    (self.hooks.interrupt)();
                    return;
                }
                DEAD => return,
                _ => {}
            }
        }
    }
}

impl Wake for Task {
    fn wake(self: Arc<Task>) {
        if self.ready() {
            enqueue(self);
        }
    }

    fn wake_by_ref(self: &Arc<Task>) {
        if self.ready() {
            enqueue(Arc::clone(self));
        }
    }
}

/// Queues a task that is ready: next on this thread, if it is a worker of the task's own scheduler.
fn enqueue(task: Arc<Task>) {
    let home = task.home;
    if let Err(task) = hand_over(task, home) {
        let scheduler = Arc::clone(&task.scheduler);
        scheduler.enqueue(task);
    }
}

/// The waker that means: look at your flags, wherever you are.
struct Attention(Arc<Task>);

impl Wake for Attention {
    fn wake(self: Arc<Attention>) {
        if self.0.control.flags.any(Flags::END) {
            self.0.look_at_once();
        } else {
            self.0.look();
        }
    }
}

thread_local! {
    static GRAVES: std::cell::RefCell<Vec<Grave>> = const { std::cell::RefCell::new(Vec::new()) };
    /// When the first of them came.
    static SINCE: std::cell::Cell<Nanos> = const { std::cell::Cell::new(0) };
}

/// How many of the dead a thread keeps before it drops one where it stands.
const GRAVES_MAX: usize = 32;

/// How long they are kept while others are ready: they may be large.
const GRAVE_NANOS_MAX: Nanos = 1_000_000;

/// Drops a dead future: at once, or after the poll that this thread is in, since dropping unwinds the victim's fiber
/// and that is not to happen on the fiber of whoever killed it.
fn bury(grave: Grave) {
    if !POLLED.with(|polled| polled.active.get()) {
        did_something_else();
        return drop(grave);
    }
    keep(grave);
}

/// Keeps it for [`empty_graves`], if there is room.
fn keep(grave: Grave) {
    let full = GRAVES.with_borrow_mut(|graves| {
        if graves.is_empty() {
            SINCE.set(poll_began());
        }
        if graves.len() < GRAVES_MAX {
            graves.push(grave);
            None
        } else {
            Some(grave)
        }
    });
    if full.is_some() {
        did_something_else();
        drop(catch_unwind(AssertUnwindSafe(|| drop(full))));
    }
}

/// Drops what the polls of this thread left to be dropped, unless somebody is ready and it can wait.
pub(super) fn empty_graves(somebody_is_ready: bool) {
    if GRAVES.with_borrow(Vec::is_empty) {
        return;
    }
    let due = SINCE.get().saturating_add(GRAVE_NANOS_MAX);
    let is_early = POLLED.with(|polled| polled.ended.get()).is_some_and(|now| now < due);
    if somebody_is_ready && is_early {
        return;
    }
    did_something_else();
    while let Some(grave) = GRAVES.with_borrow_mut(Vec::pop) {
        drop(catch_unwind(AssertUnwindSafe(|| drop(grave))));
    }
}

/// What comes of a poll, or its panic.
#[inline]
fn poll_caught(life: &mut Living, waker: &Waker) -> std::thread::Result<Poll<Estate>> {
    catch_unwind(AssertUnwindSafe(|| life.as_mut().poll(&mut Context::from_waker(waker))))
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without text".to_owned())
}
