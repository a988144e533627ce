//! The threads that host functions run on: made when the first function is, and apart from those of guests and of WASI, so
//! that a function which blocks holds up nobody but its callers.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};

use super::{Inner, Shares, tasks};
use crate::sync::{Arc, Mutex};

/// Threads for functions that block, unless said otherwise.
pub(super) const THREADS: usize = 16;

/// One plugin has at most this part of them, so that others find a thread whatever it calls.
const PART: usize = 4;

/// A tokio runtime, from the first function on.
pub(crate) struct Crew {
    threads: usize,
    shares: Arc<Shares>,
    made: Mutex<Option<Runtime>>,
}

impl Crew {
    /// So many threads for functions that block, and one for those that wait.
    pub(super) fn new(threads: usize) -> Crew {
        Crew { threads, shares: Shares::of_each((threads / PART).max(1)), made: Mutex::new(None) }
    }

    /// What each plugin has of the threads for functions that block.
    pub(crate) fn shares(&self) -> &Arc<Shares> {
        &self.shares
    }

    /// Where functions are spawned.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn handle(&self) -> io::Result<Handle> {
        let mut made = self.made.lock();
        if let Some(made) = &*made {
            return Ok(made.handle().clone());
        }
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).max_blocking_threads(self.threads).thread_name("insula-function").enable_all();
        let threads = tasks::made(|| builder.build())?;
        Ok(made.insert(threads).handle().clone())
    }

    /// Drops what waits, and leaves what blocks to its end.
    pub(super) fn close(&self) {
        let made = self.made.lock().take();
        if let Some(threads) = made {
            threads.shutdown_background();
        }
    }
}

impl Inner {
    pub(crate) fn crew(&self) -> &Crew {
        &self.crew
    }
}
