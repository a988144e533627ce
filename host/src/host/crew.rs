//! The threads that host functions run on: made when the first function is, and apart from those of guests and of WASI, so
//! that a function which blocks holds up nobody but its callers.

use std::io;

use tokio::runtime::Handle;

use super::tasks::Tasks;
use super::{Inner, Shares};
use crate::sync::Arc;

/// Threads for functions that block, unless said otherwise.
pub(super) const THREADS: usize = 16;

/// One plugin has at most this part of them, so that others find a thread whatever it calls.
const PART: usize = 4;

/// Tasks that are calls of functions.
pub(crate) struct Crew {
    tasks: Tasks,
    shares: Arc<Shares>,
}

impl Crew {
    /// So many threads for functions that block, and one for those that wait.
    pub(super) fn new(threads: usize) -> Crew {
        Crew { tasks: Tasks::on("insula-function", threads), shares: Shares::of_each((threads / PART).max(1)) }
    }

    /// What each plugin has of the threads for functions that block.
    pub(crate) fn shares(&self) -> &Arc<Shares> {
        &self.shares
    }

    /// Where functions are spawned.
    ///
    /// # Errors
    /// When the system gives no thread, or the host is closed.
    pub(crate) fn handle(&self) -> io::Result<&Handle> {
        Ok(self.tasks.handle()?)
    }

    /// Drops what waits, and leaves what blocks to its end.
    pub(super) fn close(&self) {
        self.tasks.close();
    }
}

impl Inner {
    pub(crate) fn crew(&self) -> &Crew {
        &self.crew
    }
}
