//! The threads of the workers: one from the start, each further one when somebody is ready and no worker is idle. A
//! machine may have many cores, and a program one isolate.

use std::io;
use std::thread::{Builder, JoinHandle};

use super::{Shared, work};
use crate::sync::atomic::Ordering::Relaxed;
use crate::sync::{Arc, Mutex};

pub(super) struct Threads {
    name: String,
    /// Those of the first workers, in their order; none when they are to end.
    started: Mutex<Option<Vec<JoinHandle<()>>>>,
}

impl Threads {
    /// Threads that are called `name` and a number.
    pub(super) fn new(name: &str) -> Threads {
        Threads { name: name.to_owned(), started: Mutex::new(Some(Vec::new())) }
    }

    /// Starts that of one more worker. False: all have theirs, or are to end.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(&self, shared: &Arc<Shared>) -> io::Result<bool> {
        let mut started = self.started.lock();
        let Some(threads) = &mut *started else { return Ok(false) };
        let index = threads.len();
        if index == shared.workers.len() {
            return Ok(false);
        }
        let theirs = Arc::clone(shared);
        threads.push(Builder::new().name(format!("{}-{index}", self.name)).spawn(move || work(theirs, index))?);
        shared.without_thread.store(shared.workers.len() - threads.len(), Relaxed);
        Ok(true)
    }

    /// All of them; no further ones are started.
    pub(super) fn take(&self) -> Vec<JoinHandle<()>> {
        self.started.lock().take().unwrap_or_default()
    }
}
