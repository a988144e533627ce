//! The threads of the workers: none before somebody is there to run, and each further one when somebody is ready and no
//! worker is idle. A machine may have many cores, and a program one isolate.

use std::io;
use std::sync::OnceLock;
use std::thread::{Builder, JoinHandle, available_parallelism};

use super::{Shared, work};
use crate::sync::atomic::Ordering::SeqCst;
use crate::sync::{Arc, Mutex};

/// How many workers may have something to do at once.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Workers {
    /// So many.
    Exactly(usize),
    /// As many as the process may use: the CPUs that it may run on, and what a limit of CPU time leaves of them. That is in files
    /// of the system's, which take a twentieth of a start to read, so they are read when a second one is wanted.
    OfMachine,
}

impl Workers {
    /// No fewer than there may be.
    pub(super) fn most(self) -> usize {
        match self {
            Workers::Exactly(workers) => workers,
            #[cfg(target_os = "linux")]
            Workers::OfMachine => {
                let cpus = rustix::thread::sched_getaffinity(None).map(|cpus| cpus.count() as usize);
                cpus.map_or_else(|_| self.at_once(), |cpus| cpus.max(1))
            }
            #[cfg(not(target_os = "linux"))]
            Workers::OfMachine => self.at_once(),
        }
    }

    fn at_once(self) -> usize {
        match self {
            Workers::Exactly(workers) => workers,
            Workers::OfMachine => available_parallelism().map_or(1, usize::from),
        }
    }
}

pub(super) struct Threads {
    name: String,
    workers: Workers,
    /// As many as may have threads, once that matters.
    at_once: OnceLock<usize>,
    /// None when they are to end.
    started: Mutex<Option<Started>>,
}

#[derive(Default)]
struct Started {
    /// Those of the first workers, in their order.
    handles: Vec<JoinHandle<()>>,
    /// The last worker is a thread that is not ours.
    is_visited: bool,
}

impl Threads {
    /// Threads that are called `name` and a number.
    pub(super) fn new(name: &str, workers: Workers) -> Threads {
        let (name, started) = (name.to_owned(), Mutex::new(Some(Started::default())));
        Threads { name, workers, at_once: OnceLock::new(), started }
    }

    /// Whether one more worker may have a thread, or be visited.
    fn has_place(&self, started: &Started, shared: &Shared) -> bool {
        let taken = started.taken();
        taken == 0 || taken < *self.at_once.get_or_init(|| self.workers.at_once().min(shared.workers.len()))
    }

    fn tell(&self, started: &Started, shared: &Shared) {
        let places = self.at_once.get().copied().unwrap_or(shared.workers.len());
        shared.without_thread.store(places.saturating_sub(started.taken()), SeqCst);
    }

    /// Starts the first one, if there is none.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start_first(&self, shared: &Arc<Shared>) -> io::Result<()> {
        let mut started = self.started.lock();
        match &mut *started {
            Some(started) if started.handles.is_empty() => self.start_in(started, shared).map(|_| ()),
            Some(_) | None => Ok(()),
        }
    }

    /// Starts that of one more worker. False: all have theirs, or are to end.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(&self, shared: &Arc<Shared>) -> io::Result<bool> {
        let mut started = self.started.lock();
        started.as_mut().map_or(Ok(false), |started| self.start_in(started, shared))
    }

    fn start_in(&self, started: &mut Started, shared: &Arc<Shared>) -> io::Result<bool> {
        let index = started.handles.len();
        if !self.has_place(started, shared) {
            self.tell(started, shared);
            return Ok(false);
        }
        let theirs = Arc::clone(shared);
        shared.starting.store(true, SeqCst);
        let thread = Builder::new().name(format!("{}-{index}", self.name)).spawn(move || work(theirs, index));
        if thread.is_err() {
            shared.starting.store(false, SeqCst);
            // Whoever queued something meanwhile left it to this thread.
            if shared.has_queued() {
                shared.make_room();
            }
        }
        started.handles.push(thread?);
        self.tell(started, shared);
        Ok(true)
    }

    /// Whether the last worker has no thread, and gets none from here on: somebody takes its place.
    pub(super) fn give_place(&self, shared: &Shared) -> bool {
        let mut started = self.started.lock();
        match &mut *started {
            Some(started) if !started.is_visited && self.has_place(started, shared) => {
                started.is_visited = true;
                self.tell(started, shared);
                true
            }
            Some(_) | None => false,
        }
    }

    /// Whoever took it is gone.
    pub(super) fn take_place_back(&self, shared: &Shared) {
        if let Some(started) = &mut *self.started.lock() {
            started.is_visited = false;
            self.tell(started, shared);
        }
    }

    /// All of them; no further ones are started.
    pub(super) fn take(&self) -> Vec<JoinHandle<()>> {
        self.started.lock().take().unwrap_or_default().handles
    }
}

impl Started {
    /// Workers that have a thread, or somebody's.
    fn taken(&self) -> usize {
        self.handles.len() + usize::from(self.is_visited)
    }
}
