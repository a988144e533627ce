//! The threads that host functions run on: made when the first function is, and apart from those of guests and of WASI, so
//! that a function which blocks holds up nobody but its callers.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};

use super::Inner;
use crate::sync::Mutex;

/// Threads for functions that block, unless said otherwise.
pub(super) const THREADS: usize = 16;

/// A tokio runtime, from the first function on.
pub(crate) struct Crew {
    threads: usize,
    made: Mutex<Option<Runtime>>,
}

impl Crew {
    /// So many threads for functions that block, and one for those that wait.
    pub(super) fn new(threads: usize) -> Crew {
        Crew { threads, made: Mutex::new(None) }
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
        let threads = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(self.threads)
            .thread_name("insula-function")
            .enable_all()
            .build()?;
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
