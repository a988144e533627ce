//! What one isolate charges to the accounts of its ancestors, and what its own children charge.

use crate::account::{Account, Bounds, Charge, DEPTH_MAX, Exceeded};
use crate::sync::Arc;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::warning::Alarm;

/// The accounts above an isolate, and the one that its children charge.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    above: Option<Arc<Account>>,
    below: Option<Arc<Account>>,
    memory: AtomicU64,
    memory_peak: AtomicU64,
}

impl Accounts {
    /// Of a new child below this account, which counts as one of its isolates from now on.
    ///
    /// # Errors
    /// The bound that leaves no room for one more.
    pub(crate) fn open(
        above: Option<&Arc<Account>>,
        bounds: Bounds,
        alarm: Option<&Arc<Alarm>>,
    ) -> Result<Accounts, Exceeded> {
        if let Some(above) = above {
            if bounds != Bounds::default() && !above.may_be_above() {
                return Err(Exceeded { which: "nested trees", value: DEPTH_MAX.into() });
            }
            above.charge(Charge::Isolates, 1)?;
        }
        Ok(Accounts { above: above.cloned(), below: Account::below(above, bounds, alarm), ..Accounts::default() })
    }

    /// The accounts above.
    pub(crate) fn above(&self) -> Option<&Arc<Account>> {
        self.above.as_ref()
    }

    /// What children charge.
    pub(crate) fn below(&self) -> Option<&Arc<Account>> {
        self.below.as_ref()
    }

    /// Its linear memory, which has `current` bytes, is to have `desired`. A growth that was charged and then failed is
    /// made good here.
    ///
    /// # Errors
    /// The bound that would be exceeded.
    pub(super) fn grow(&self, current: u64, desired: u64) -> Result<(), Exceeded> {
        let charged = self.memory.swap(current, Ordering::SeqCst);
        if let Some(above) = &self.above {
            above.credit(Charge::Memory, charged.saturating_sub(current));
            above.charge(Charge::Memory, desired.saturating_sub(current))?;
        }
        self.memory.store(desired, Ordering::SeqCst);
        self.memory_peak.fetch_max(desired, Ordering::SeqCst);
        Ok(())
    }

    /// Its linear memory.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.memory.load(Ordering::SeqCst)
    }

    /// The most linear memory that it had.
    pub(super) fn memory_bytes_peak(&self) -> u64 {
        self.memory_peak.load(Ordering::SeqCst)
    }

    /// It is dead, or was not born: nothing of it counts any more. Mailbox and table give back their own. Answers with its
    /// linear memory until now.
    pub(super) fn close(&self) -> u64 {
        let memory = self.memory.swap(0, Ordering::SeqCst);
        if let Some(above) = &self.above {
            above.credit(Charge::Memory, memory);
            above.credit(Charge::Isolates, 1);
        }
        memory
    }
}
