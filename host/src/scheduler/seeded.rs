//! One thread, and a seed that draws which ready isolate runs next.
//!
//! The order in which isolates become ready is kept, and the choice depends on nothing but that order and the seed. It
//! finds what depends on an order that nobody promised; semantics tests run under it as well.

#[cfg(feature = "testing")]
mod staged;

use std::collections::VecDeque;
use std::sync::{Condvar, PoisonError};
use std::thread::JoinHandle;

use super::task::{After, Task, empty_graves};
use super::{Home, Scheduler, Ticker, did_something_else};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use crate::sync::{Arc, Mutex};
use crate::world::Chance;

/// The scheduler of a host with a seed.
pub(crate) struct Seeded {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    ready: std::sync::Mutex<VecDeque<Arc<Task>>>,
    bell: Condvar,
    running: AtomicBool,
    metered: AtomicBool,
    ticks: AtomicU64,
    closing: AtomicBool,
    dying: std::sync::atomic::AtomicI64,
    ticker: Arc<Ticker>,
    interrupt: Box<dyn Fn() + Send + Sync>,
    #[cfg(feature = "testing")]
    staged: Option<staged::Staged>,
}

impl Seeded {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(
        seed: u64,
        ticker: &Arc<Ticker>,
        interrupt: Box<dyn Fn() + Send + Sync>,
    ) -> std::io::Result<Arc<Seeded>> {
        let shared = Arc::new(Shared {
            ready: std::sync::Mutex::new(VecDeque::new()),
            bell: Condvar::new(),
            running: AtomicBool::new(false),
            metered: AtomicBool::new(false),
            ticks: AtomicU64::new(0),
            closing: AtomicBool::new(false),
            dying: std::sync::atomic::AtomicI64::new(0),
            ticker: Arc::clone(ticker),
            interrupt,
            #[cfg(feature = "testing")]
            staged: ticker.world().stage().map(staged::Staged::new),
        });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("insula-seeded".to_owned());
        let thread = thread.spawn(move || work(&theirs, seed))?;
        Ok(Arc::new(Seeded { shared, thread: Mutex::new(Some(thread)) }))
    }
}

impl Scheduler for Seeded {
    fn home(&self) -> Home {
        Home(Arc::as_ptr(&self.shared) as usize)
    }

    fn enqueue(&self, task: Arc<Task>) {
        self.shared.push(task);
        if self.shared.running.load(SeqCst) {
            self.shared.ticker.want();
        }
    }

    fn ticks(&self) -> u64 {
        self.shared.ticks()
    }

    #[cfg(feature = "testing")]
    fn wants_room(&self) -> bool {
        self.shared.staged.is_some() && !self.shared.lock().is_empty()
    }

    fn is_contended(&self) -> bool {
        let running = self.shared.running.load(SeqCst);
        self.shared.dying.load(SeqCst) > 0
            || running && (self.shared.metered.load(SeqCst) || !self.shared.lock().is_empty())
    }

    fn dying(&self, more: bool) {
        #[cfg(feature = "testing")]
        self.shared.staged.iter().for_each(|staged| staged.dying(more));
        if more {
            self.shared.dying.fetch_add(1, SeqCst);
            self.shared.ticker.want();
        } else {
            self.shared.dying.fetch_sub(1, SeqCst);
        }
    }

    fn tick(&self) {
        self.shared.ticks.fetch_add(1, Relaxed);
        (self.shared.interrupt)();
    }

    fn close(&self) {
        self.shared.closing.store(true, SeqCst);
        #[cfg(feature = "testing")]
        self.shared.staged.iter().for_each(staged::Staged::close);
        drop(self.shared.lock());
        self.shared.bell.notify_all();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
        {
            drop(thread.join());
        }
        self.shared.clear();
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Arc<Task>>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ticks(&self) -> u64 {
        let ticks = self.ticks.load(Relaxed);
        #[cfg(feature = "testing")]
        if let Some(staged) = &self.staged {
            return staged.slices(ticks);
        }
        ticks
    }

    fn push(&self, task: Arc<Task>) {
        #[cfg(feature = "testing")]
        self.staged.iter().for_each(staged::Staged::begins);
        self.lock().push_back(task);
        self.bell.notify_one();
        if self.closing.load(SeqCst) {
            self.clear();
        }
    }

    /// Tasks hold their scheduler: what is queued at its end would keep it for ever.
    fn clear(&self) {
        let left = std::mem::take(&mut *self.lock());
        #[cfg(feature = "testing")]
        self.staged.iter().for_each(staged::Staged::close);
        drop(left);
    }

    /// Waits until somebody is ready, and draws one.
    fn draw(&self, chance: &mut Chance) -> Option<Arc<Task>> {
        let mut ready = self.lock();
        while ready.is_empty() && !self.closing.load(SeqCst) {
            did_something_else();
            ready = self.bell.wait(ready).unwrap_or_else(PoisonError::into_inner);
        }
        let drawn = chance.below(ready.len().max(1) as u64);
        ready.remove(drawn as usize)
    }
}

impl Shared {
    /// Runs a task until it waits, or its slice is over.
    fn poll(&self, task: Arc<Task>) -> After {
        let metered = task.is_metered();
        #[cfg(feature = "testing")]
        let metered = metered || self.staged.is_some();
        self.metered.store(metered, SeqCst);
        self.running.store(true, SeqCst);
        if metered || !self.lock().is_empty() {
            self.ticker.want();
        }
        let after = task.poll(self.ticks());
        self.running.store(false, SeqCst);
        after
    }
}

fn work(shared: &Shared, seed: u64) {
    let mut chance = Chance::new(seed);
    #[cfg(feature = "testing")]
    if let Some(staged) = &shared.staged {
        return staged::work(shared, staged, chance);
    }
    while !shared.closing.load(SeqCst) {
        let Some(task) = shared.draw(&mut chance) else { continue };
        match shared.poll(task) {
            After::Gone => {}
            After::Again(task) | After::Preempted { task, .. } => shared.push(task),
        }
        empty_graves(false);
    }
}
