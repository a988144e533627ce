//! How many isolates live, how many of them only ports can wake, and how many means of waking the embedder holds.
//!
//! Both counts share one word, so that "all asleep" is one look. An isolate is counted asleep after it parked, and
//! uncounted by whoever wakes it, so the count may be too low for a moment and is never too high while an isolate that
//! lives can run.

use crate::sync::Doorbell;
use crate::sync::atomic::{AtomicI64, AtomicU64, Ordering};

const ASLEEP: i64 = 1 << 32;

/// The counts of one host.
#[derive(Debug, Default)]
pub(crate) struct Census {
    counts: AtomicI64,
    held: AtomicU64,
    changes: AtomicU64,
    memory: AtomicU64,
    memory_peak: AtomicU64,
    changed: Doorbell,
}

impl Census {
    /// One more lives.
    pub(crate) fn born(&self) {
        self.counts.fetch_add(1, Ordering::SeqCst);
    }

    /// One less lives. The death step rings when it is done.
    pub(crate) fn died(&self) {
        self.counts.fetch_sub(1, Ordering::SeqCst);
    }

    /// One more waits for ports only.
    pub(crate) fn fell_asleep(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        let before = self.counts.fetch_add(ASLEEP, Ordering::SeqCst);
        if all_asleep(before + ASLEEP) {
            self.changed.ring();
        }
    }

    /// One less waits for ports only.
    pub(crate) fn woke(&self) {
        self.counts.fetch_sub(ASLEEP, Ordering::SeqCst);
    }

    /// How many live.
    pub(crate) fn live(&self) -> usize {
        live(self.counts.load(Ordering::SeqCst)) as usize
    }

    /// Whether some live, and nothing can wake any of them.
    pub(crate) fn all_asleep(&self) -> bool {
        self.held.load(Ordering::SeqCst) == 0 && all_asleep(self.counts.load(Ordering::SeqCst))
    }

    /// The embedder got one more thing by which it can wake an isolate.
    pub(crate) fn hold(&self) {
        self.held.fetch_add(1, Ordering::SeqCst);
    }

    /// The embedder let one go.
    pub(crate) fn let_go(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        if self.held.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.changed.ring();
        }
    }

    /// Moves on with everything after which isolates may be asleep that were not.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// The linear memory of one isolate is another one.
    pub(crate) fn memory_changed(&self, from: u64, to: u64) {
        let more = to.wrapping_sub(from);
        let now = self.memory.fetch_add(more, Ordering::SeqCst).wrapping_add(more);
        self.memory_peak.fetch_max(now, Ordering::SeqCst);
    }

    /// The most linear memory that all isolates had at one time.
    pub(crate) fn memory_bytes_peak(&self) -> u64 {
        self.memory_peak.load(Ordering::SeqCst)
    }

    /// Where to wait for a change of these counts.
    pub(crate) fn changed(&self) -> &Doorbell {
        &self.changed
    }
}

fn live(counts: i64) -> i64 {
    counts & (ASLEEP - 1)
}

fn all_asleep(counts: i64) -> bool {
    live(counts) > 0 && counts >> 32 == live(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asleep_is_all_of_the_living() {
        let census = Census::default();
        assert!(!census.all_asleep());
        census.born();
        census.born();
        census.fell_asleep();
        assert!(!census.all_asleep());
        census.fell_asleep();
        assert!(census.all_asleep());
        census.hold();
        assert!(!census.all_asleep());
        census.let_go();
        census.woke();
        census.woke();
        census.woke();
        census.fell_asleep();
        assert_eq!((census.live(), census.all_asleep()), (2, false));
        census.died();
        census.fell_asleep();
        assert!(census.all_asleep());
    }
}
