//! Who waits for a run, and is called to something else.

use super::Host;
use crate::scheduler::Scheduler;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, Ordering};

/// Calls whoever waits in [`Host::run_attended`] to what it attends to: from any thread, and from a handler of signals, since
/// it takes no lock, asks for no memory and makes no call of the system. That is why there is such a thing: a guest that
/// computes has the thread that waits for it, and there may be no other.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::{Spawn, Wait};
/// let host = insula::Host::builder().isolates(1).build()?;
/// let module = host.load("empty", b"(module (memory (export \"memory\") 1) (func (export \"_start\")))")?;
/// let summons = host.summons();
/// summons.call();
/// let mut attended = 0;
/// host.run_attended(&module, Spawn::main(), Wait::All, &summons, || attended += 1)?;
/// assert!(attended > 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Summons {
    /// Somebody called, and nobody came yet.
    called: Arc<AtomicBool>,
    scheduler: Arc<dyn Scheduler>,
}

impl std::fmt::Debug for Summons {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Summons").finish_non_exhaustive()
    }
}

impl Summons {
    /// Calls it. A call that comes in the very moment at which a guest is given the CPU may be heard only when the guest waits:
    /// who needs to be heard calls again until it is.
    pub fn call(&self) {
        self.called.store(true, Ordering::SeqCst);
        self.scheduler.call_visitor();
    }

    /// Whether somebody called since this was asked the last time.
    pub(super) fn take(&self) -> bool {
        self.called.load(Ordering::Relaxed) && self.called.swap(false, Ordering::SeqCst)
    }
}

impl Host {
    /// What calls the thread of a run of this host, in [`Host::run_attended`].
    #[must_use]
    pub fn summons(&self) -> Summons {
        Summons { called: Arc::default(), scheduler: Arc::clone(&self.inner().checked.scheduler) }
    }
}
