//! Worker threads with two kinds of queue: ready, and preempted.
//!
//! A task that is woken from a worker goes into that worker's one-place slot and runs next there: the sender parks, the
//! receiver runs. Else it goes to the injector. A task that used two whole slices without a wait is a hog and goes to
//! the preempted queue, which is served when nobody else is ready, or when no worker served it for eight ticks. (A rule
//! that counts polls instead of time lets hogs hold up a ping-pong for milliseconds: measured.) A wake-up that finds no
//! idle worker preempts a hog at once.
//!
//! The last worker may be a thread that visits: whoever waits for a run.
//!
//! Tasks that cannot be preempted have workers of their own: a [`TwoQueues`] without a [`Preemption`], where nobody is a
//! hog and nothing ticks, and which does not wait for a task that runs on when it is closed.

mod queue;
mod threads;
mod visit;
mod worker;

use std::cell::{Cell, RefCell};
use std::sync::OnceLock;

use super::task::{After, Task, empty_graves};
use super::{Home, Scheduler, Ticker, did_something_else};
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use crate::sync::atomic::{Ordering::Relaxed, Ordering::Release, Ordering::SeqCst};
use crate::sync::{Arc, Mutex};
use queue::Queue;
use threads::Threads;
pub(crate) use threads::Workers;
pub(crate) use visit::Visit;
use worker::{RUNNING, RUNS_HOG, RUNS_METERED, Worker};

/// Ticks after which the preempted queue is served although others are ready.
const PREEMPTED_WAIT_TICKS: u64 = 8;

/// Runs from the one-place slot in a row after which the queue comes first.
const SLOT_STREAK_MAX: u32 = 64;

/// Turns after which the injector is served although this worker has tasks of its own.
const INJECTOR_TURNS: u32 = 31;

/// What makes a running task give way: ticks, and a look at its flags at once.
pub(crate) struct Preemption {
    pub(crate) ticker: Arc<Ticker>,
    pub(crate) interrupt: Box<dyn Fn() + Send + Sync>,
}

/// The scheduler of a host.
pub(crate) struct TwoQueues {
    shared: Arc<Shared>,
}

struct Shared {
    workers: Box<[Worker]>,
    threads: OnceLock<Threads>,
    /// Workers whose thread is not started yet.
    without_thread: AtomicUsize,
    /// A thread has been started, and has looked for nothing yet.
    starting: AtomicBool,
    /// Somebody visits, and is to look at what it waits for.
    visited: AtomicBool,
    called: AtomicBool,
    injector: Queue,
    preempted: Queue,
    preempted_served_tick: AtomicU64,
    ticks: AtomicU64,
    idle: Mutex<Vec<usize>>,
    idle_count: AtomicUsize,
    closing: AtomicBool,
    dying: std::sync::atomic::AtomicI64,
    preemption: Option<Preemption>,
}

/// What a worker thread keeps to itself.
struct Local {
    shared: Arc<Shared>,
    index: usize,
    slot: RefCell<Option<Arc<Task>>>,
    streak: Cell<u32>,
    turns: Cell<u32>,
    hog: Cell<bool>,
    /// What it runs next is a hog that others would hold up for ever.
    overdue: Cell<bool>,
    /// The thread is somebody else's, who waits for a run.
    visits: bool,
}

impl Local {
    fn new(shared: Arc<Shared>, index: usize) -> Local {
        let (slot, streak, turns) = (RefCell::new(None), Cell::new(0), Cell::new(0));
        Local { shared, index, slot, streak, turns, hog: Cell::new(false), overdue: Cell::new(false), visits: false }
    }

    /// Whether this thread is such a worker.
    fn is_here(is_such: impl FnOnce(&Local) -> bool) -> bool {
        // A thread that ends may have none any more.
        LOCAL.try_with(|local| local.borrow().as_deref().is_some_and(is_such)).unwrap_or(false)
    }
}

thread_local! {
    static LOCAL: RefCell<Option<std::rc::Rc<Local>>> = const { RefCell::new(None) };
}

impl TwoQueues {
    /// One whose workers have no threads yet.
    fn new(workers: usize, preemption: Option<Preemption>) -> TwoQueues {
        let shared = Arc::new(Shared {
            workers: (0..workers).map(|_| Worker::default()).collect(),
            threads: OnceLock::new(),
            without_thread: AtomicUsize::new(0),
            starting: AtomicBool::new(false),
            visited: AtomicBool::new(false),
            called: AtomicBool::new(false),
            injector: Queue::default(),
            preempted: Queue::default(),
            preempted_served_tick: AtomicU64::new(0),
            ticks: AtomicU64::new(0),
            idle: Mutex::new(Vec::new()),
            idle_count: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            dying: std::sync::atomic::AtomicI64::new(0),
            preemption,
        });
        TwoQueues { shared }
    }

    /// One whose workers have threads when they are needed, and no sooner. They are called `name` and a number.
    pub(crate) fn named(name: &str, workers: Workers, preemption: Option<Preemption>) -> Arc<TwoQueues> {
        let scheduler = Arc::new(TwoQueues::new(workers.most(), preemption));
        let shared = &scheduler.shared;
        shared.threads.get_or_init(|| Threads::new(name, workers));
        shared.without_thread.store(shared.workers.len(), Relaxed);
        scheduler
    }

    /// Whether the worker that this thread is was asked to preempt its hog.
    pub(crate) fn is_preempting() -> bool {
        Local::is_here(|local| local.worker().preempt_hog.load(Relaxed))
    }
}

/// The task runs next on this thread, if it is a worker of this scheduler and does not run a hog now.
pub(super) fn hand_over(task: Arc<Task>, home: Home) -> Result<(), Arc<Task>> {
    let mut task = Some(task);
    Local::is_here(|local| {
        let is_next = local.shared.home() == home && !local.hog.get();
        task.take_if(|_| is_next).into_iter().for_each(|task| local.hand_over(task));
        is_next
    });
    task.map_or(Ok(()), Err)
}

impl Scheduler for TwoQueues {
    fn home(&self) -> Home {
        self.shared.home()
    }

    fn enqueue(&self, task: Arc<Task>) {
        if let Err(task) = hand_over(task, self.home()) {
            self.shared.inject(task);
        }
    }

    fn ticks(&self) -> u64 {
        self.shared.ticks.load(Relaxed)
    }

    fn is_contended(&self) -> bool {
        let workers = self.shared.workers.iter();
        let runs = workers.fold(0, |runs, worker| runs | worker.runs.load(Relaxed));
        let (running, metered) = (runs & RUNNING != 0, runs & RUNS_METERED != 0);
        let waits = || self.shared.is_called() || self.shared.has_ready();
        metered || self.shared.dying.load(SeqCst) > 0 || (running && waits())
    }

    fn staff(&self) -> std::io::Result<()> {
        match self.shared.threads.get() {
            Some(threads) if !self.works_here() => threads.start_first(&self.shared),
            Some(_) | None => Ok(()),
        }
    }

    fn works_here(&self) -> bool {
        Local::is_here(|local| Arc::ptr_eq(&local.shared, &self.shared))
    }

    fn visit(&self) -> Option<Visit> {
        Visit::begin(&self.shared)
    }

    fn wake_visitor(&self) {
        if let Some(last) = self.shared.workers.last().filter(|_| self.shared.visited.load(SeqCst)) {
            last.wake();
        }
    }

    fn call_visitor(&self) {
        self.shared.called.store(true, SeqCst);
        self.shared.interrupt();
    }

    fn dying(&self, more: bool) {
        if more {
            self.shared.dying.fetch_add(1, SeqCst);
            self.shared.want_ticks();
        } else {
            self.shared.dying.fetch_sub(1, SeqCst);
        }
    }

    fn tick(&self) {
        self.shared.ticks.fetch_add(1, Relaxed);
        self.shared.interrupt();
    }

    fn close(&self) {
        self.shared.closing.store(true, SeqCst);
        for worker in &self.shared.workers {
            worker.wake();
        }
        let threads = self.shared.threads.get().map(Threads::take).unwrap_or_default();
        for (worker, thread) in self.shared.workers.iter().zip(threads) {
            // What a task runs in stays for as long as it does: all of it is held by this thread, and by nobody else.
            let runs_on = self.shared.preemption.is_none() && worker.runs.load(SeqCst) != 0;
            // A worker that is itself the one to close the host cannot wait for itself.
            if !runs_on && thread.thread().id() != std::thread::current().id() {
                drop(thread.join());
            }
        }
        self.shared.clear();
    }
}

impl Shared {
    fn want_ticks(&self) {
        if let Some(preemption) = &self.preemption {
            preemption.ticker.want();
        }
    }

    /// Makes every running task look at its flags.
    fn interrupt(&self) {
        if let Some(preemption) = &self.preemption {
            (preemption.interrupt)();
        }
    }

    fn home(&self) -> Home {
        Home(std::ptr::from_ref(self) as usize)
    }

    /// From outside of the workers, or from a hog.
    fn inject(self: &Arc<Shared>, task: Arc<Task>) {
        self.injector.push(task);
        self.notify();
        if self.closing.load(SeqCst) {
            self.clear();
        }
    }

    /// Tasks hold their scheduler: what is queued at its end would keep it for ever.
    fn clear(&self) {
        let workers = self.workers.iter().map(|worker| &worker.queue);
        let left: Vec<_> = workers.chain([&self.injector, &self.preempted]).map(Queue::take_all).collect();
        drop(left);
    }

    /// Wakes an idle worker, if there is one.
    fn wake_idle(&self) -> bool {
        if self.idle_count.load(SeqCst) == 0 {
            return false;
        }
        let woken = {
            let mut idle = self.idle.lock();
            let woken = idle.pop();
            self.idle_count.store(idle.len(), SeqCst);
            woken
        };
        woken.inspect(|index| self.workers[*index].wake()).is_some()
    }

    /// Starts the thread of one more worker, if there is one without. Where the system gives none, the others do the work.
    fn start_worker(self: &Arc<Shared>) -> bool {
        if self.without_thread.load(SeqCst) == 0 {
            return false;
        }
        self.threads.get().is_some_and(|threads| threads.start(self).unwrap_or(false))
    }

    /// Somebody is ready: an idle worker wakes, or a further one begins, or a hog makes room.
    fn notify(self: &Arc<Shared>) {
        // One that has just been started looks soon.
        if self.wake_idle() || self.starting.load(SeqCst) || self.start_worker() {
            return;
        }
        self.make_room();
    }

    /// All have something to do: a hog gives way.
    fn make_room(&self) {
        self.want_ticks();
        let hog = self.workers.iter().find(|worker| worker.runs.load(SeqCst) & RUNS_HOG != 0);
        if let Some(worker) = hog
            && !worker.preempt_hog.swap(true, SeqCst)
        {
            self.interrupt();
        }
    }

    /// Whether somebody is ready whom any worker can take.
    fn has_queued(&self) -> bool {
        let shared = !self.injector.is_empty() || !self.preempted.is_empty();
        shared || self.workers.iter().any(|worker| !worker.queue.is_empty())
    }

    /// Whether somebody is ready, be it in a slot that only one worker can take from.
    fn has_ready(&self) -> bool {
        self.has_queued() || self.workers.iter().any(|worker| worker.slot_taken.load(Relaxed))
    }

    fn steal(&self, thief: usize) -> Option<Arc<Task>> {
        let others = (1..self.workers.len()).map(|step| (thief + step) % self.workers.len());
        for victim in others {
            let mut stolen = self.workers[victim].queue.steal_half();
            let Some(first) = stolen.pop_front() else { continue };
            for task in stolen {
                self.workers[thief].queue.push(task);
            }
            return Some(first);
        }
        None
    }
}

impl Local {
    fn worker(&self) -> &Worker {
        &self.shared.workers[self.index]
    }

    /// The task runs next here. One that was to run next is pushed behind, and may be stolen.
    fn hand_over(&self, task: Arc<Task>) {
        let pushed_out = self.slot.replace(Some(task));
        self.worker().slot_taken.store(true, Release);
        match pushed_out {
            Some(task) => {
                self.worker().queue.push(task);
                self.shared.notify();
            }
            // Who visits and runs nobody yet holds nobody up.
            None if self.worker().runs.load(Relaxed) != 0 => self.shared.want_ticks(),
            None => {}
        }
    }

    fn next(&self) -> Option<Arc<Task>> {
        let shared = &self.shared;
        if !shared.preempted.is_empty() {
            let served = shared.preempted_served_tick.load(Relaxed);
            let overdue = shared.ticks.load(Relaxed).saturating_sub(served) >= PREEMPTED_WAIT_TICKS;
            if overdue && let Some(task) = self.preempted() {
                self.overdue.set(true);
                return Some(task);
            }
        }
        self.turns.set(self.turns.get().wrapping_add(1));
        if self.turns.get().is_multiple_of(INJECTOR_TURNS)
            && let Some(task) = shared.injector.pop()
        {
            return Some(task);
        }
        if self.streak.get() < SLOT_STREAK_MAX
            && let Some(task) = self.take_slot()
        {
            self.streak.set(self.streak.get() + 1);
            return Some(task);
        }
        self.streak.set(0);
        let task = self.worker().queue.pop().or_else(|| shared.injector.pop()).or_else(|| self.take_slot());
        task.or_else(|| shared.steal(self.index)).or_else(|| self.preempted())
    }

    fn take_slot(&self) -> Option<Arc<Task>> {
        let task = self.slot.take();
        if task.is_some() {
            self.worker().slot_taken.store(false, Relaxed);
        }
        task
    }

    fn preempted(&self) -> Option<Arc<Task>> {
        let task = self.shared.preempted.pop();
        if task.is_some() {
            self.shared.preempted_served_tick.store(self.shared.ticks.load(Relaxed), Relaxed);
        }
        task
    }

    fn run(&self, task: Arc<Task>) {
        let worker = self.worker();
        let (hog, metered) = (task.is_hog(), task.is_metered());
        self.hog.set(hog);
        // One that is overdue makes room at the next tick and no sooner: whoever becomes ready meanwhile finds it asked to
        // already, and interrupts nobody.
        let overdue = self.overdue.take();
        if hog {
            worker.preempt_hog.store(overdue, SeqCst);
        }
        let runs = RUNNING | if hog { RUNS_HOG } else { 0 } | if metered { RUNS_METERED } else { 0 };
        worker.runs(runs);
        // Somebody may have become ready between the look at the queues and the mark above.
        if hog && (!self.shared.injector.is_empty() || !worker.queue.is_empty()) {
            worker.preempt_hog.store(true, SeqCst);
        }
        // And who visits may have been called.
        if metered || self.shared.has_ready() || (self.visits && self.shared.is_called()) {
            self.shared.want_ticks();
        }
        let after = task.poll(self.shared.ticks.load(Relaxed));
        // A trusted task that has ended is not to be taken for one that runs on.
        worker.runs(if self.shared.preemption.is_some() { RUNNING } else { 0 });
        self.hog.set(false);
        match after {
            After::Gone => {}
            After::Again(task) | After::Preempted { task, hog: false } => self.put_back(&worker.queue, task),
            After::Preempted { task, hog: true } => self.put_back(&self.shared.preempted, task),
        }
        empty_graves(self.has_next());
    }

    /// Whether somebody waits for a turn here who is no hog.
    fn has_next(&self) -> bool {
        let worker = self.worker();
        worker.slot_taken.load(Relaxed) || !worker.queue.is_empty() || !self.shared.injector.is_empty()
    }

    /// Queues a task that is ready again. If this worker has something else to do, an idle one may take it.
    fn put_back(&self, queue: &Queue, task: Arc<Task>) {
        let others = self.worker().slot_taken.load(Relaxed) || self.shared.has_queued();
        queue.push(task);
        if others && !self.shared.wake_idle() {
            self.shared.start_worker();
        }
    }

    /// Sleeps until woken. Who enqueues looks at the idle workers after the push; we look at the queues after the mark.
    fn idle(&self) {
        empty_graves(false);
        self.worker().runs(0);
        did_something_else();
        {
            let mut idle = self.shared.idle.lock();
            idle.push(self.index);
            self.shared.idle_count.store(idle.len(), SeqCst);
        }
        while !self.worker().woken.swap(false, SeqCst) {
            // The slot may be of somebody whom a dropped future woke, or a timer: nobody else can take that.
            let is_next = || self.worker().slot_taken.load(Relaxed);
            if self.shared.has_queued() || is_next() || self.shared.closing.load(SeqCst) {
                break;
            }
            match self.timers() {
                Some(_) if is_next() => break,
                Some(next) => std::thread::park_timeout(next),
                None => std::thread::park(),
            }
        }
        let mut idle = self.shared.idle.lock();
        idle.retain(|index| *index != self.index);
        self.shared.idle_count.store(idle.len(), SeqCst);
    }
}

fn work(shared: Arc<Shared>, index: usize) {
    *shared.workers[index].thread.lock() = Some(std::thread::current());
    let local = std::rc::Rc::new(Local::new(shared, index));
    LOCAL.set(Some(std::rc::Rc::clone(&local)));
    let first = local.next();
    local.shared.starting.store(false, SeqCst);
    if let Some(task) = first.filter(|_| !local.shared.closing.load(SeqCst)) {
        // Whoever queued something meanwhile may have left it to this thread.
        if local.shared.has_queued() {
            local.shared.notify();
        }
        local.run(task);
    }
    while !local.shared.closing.load(SeqCst) {
        match local.next() {
            Some(task) => local.run(task),
            None => local.idle(),
        }
    }
    empty_graves(false);
    local.worker().runs(0);
    LOCAL.set(None);
}

#[cfg(test)]
mod tests;
