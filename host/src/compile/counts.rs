//! How often a host compiled, how long that took, and how often it did not have to.

use std::time::Duration;

/// Bounds of the times that are told apart, in milliseconds; what takes longer than the last is beside them.
pub(crate) const BOUNDS_MS: [u64; 9] = [1, 5, 25, 100, 500, 2_500, 10_000, 30_000, 60_000];

/// The counts of one host.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    /// Looks into the cache that found the code there.
    pub(crate) hits: u64,
    /// Looks into the cache that did not.
    pub(crate) misses: u64,
    /// Compiles that are over, by how long they took: how many within each bound and not within the one before.
    pub(crate) took: [u64; BOUNDS_MS.len() + 1],
    /// How long they took together.
    pub(crate) time: Duration,
    /// Of them, those of which no code came.
    pub(crate) failed: u64,
}

impl Counts {
    /// One more is over.
    pub(super) fn compiled(&mut self, took: Duration, failed: bool) {
        let within = |bound: &u64| took <= Duration::from_millis(*bound);
        self.took[BOUNDS_MS.iter().position(within).unwrap_or(BOUNDS_MS.len())] += 1;
        self.time += took;
        self.failed += u64::from(failed);
    }

    /// One more look into the cache.
    pub(super) fn looked(&mut self, found: bool) {
        self.hits += u64::from(found);
        self.misses += u64::from(!found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_is_in_the_first_bound_that_it_is_within() {
        let mut counts = Counts::default();
        for (millis, failed) in [(0, false), (1, false), (2, true), (60_001, true)] {
            counts.compiled(Duration::from_millis(millis), failed);
        }
        assert_eq!(counts.took, [2, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!((counts.failed, counts.time), (2, Duration::from_millis(60_004)));
    }
}
