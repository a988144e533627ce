//! One thread, and a seed that draws which ready isolate runs next.
//!
//! The order in which isolates become ready is kept, and the choice depends on nothing but that order and the seed. It
//! finds what depends on an order that nobody promised; semantics tests run under it as well.

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
}

impl Seeded {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(
        seed: u64,
        io: &tokio::runtime::Handle,
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
        });
        let (theirs, io) = (Arc::clone(&shared), io.clone());
        let thread = std::thread::Builder::new().name("insula-seeded".to_owned()).spawn(move || {
            let _context = io.enter();
            work(&theirs, seed);
        })?;
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
        self.shared.ticks.load(Relaxed)
    }

    fn is_contended(&self) -> bool {
        let running = self.shared.running.load(SeqCst);
        self.shared.dying.load(SeqCst) > 0
            || running && (self.shared.metered.load(SeqCst) || !self.shared.lock().is_empty())
    }

    fn dying(&self, more: bool) {
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

    fn push(&self, task: Arc<Task>) {
        self.lock().push_back(task);
        self.bell.notify_one();
        if self.closing.load(SeqCst) {
            self.clear();
        }
    }

    /// Tasks hold their scheduler: what is queued at its end would keep it for ever.
    fn clear(&self) {
        let left = std::mem::take(&mut *self.lock());
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

fn work(shared: &Shared, seed: u64) {
    let mut chance = Chance::new(seed);
    while !shared.closing.load(SeqCst) {
        let Some(task) = shared.draw(&mut chance) else { continue };
        shared.metered.store(task.is_metered(), SeqCst);
        shared.running.store(true, SeqCst);
        if task.is_metered() || !shared.lock().is_empty() {
            shared.ticker.want();
        }
        let after = task.poll(shared.ticks.load(Relaxed));
        shared.running.store(false, SeqCst);
        match after {
            After::Gone => {}
            After::Again(task) | After::Preempted { task, .. } => shared.push(task),
        }
        empty_graves(false);
    }
}
