//! Accounts of trees: what the descendants of an isolate have together (semantics 9.3).
//!
//! An isolate that bounds its descendants has an account, and so has the host. Whoever is below charges every account
//! above, and the accounts of the dead stay as long as somebody is below them: so spawning and dying evades nothing.
//! Where nothing is bounded there is nothing to charge.

use crate::sync::Arc;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::warning::{Alarm, Watched};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charge {
    /// Live descendants.
    Isolates,
    /// Bytes of linear memory, and of blobs.
    Memory,
    /// Bytes that wait in mailboxes.
    Queued,
}

/// The most that all descendants may have together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) isolates: Option<u64>,
    pub(crate) memory: Option<u64>,
    pub(crate) queued: Option<u64>,
}

/// Accounts that one line may have: trees within trees that each bound what is below.
pub(crate) const DEPTH_MAX: u32 = 256;

/// A bound that would be exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exceeded {
    /// The limit's name.
    pub(crate) which: &'static str,
    /// Its value.
    pub(crate) value: u64,
}

/// What the descendants of one isolate, or all isolates of a host, have together.
#[derive(Debug)]
pub(crate) struct Account {
    above: Option<Arc<Account>>,
    /// Accounts from here up.
    depth: u32,
    bounds: Bounds,
    counts: [AtomicU64; 3],
    /// Of whoever has these bounds, where the embedder wants to be warned.
    alarm: Option<Arc<Alarm>>,
}

impl Account {
    /// The account that children charge: the one above where nothing is bounded here.
    pub(crate) fn below(
        above: Option<&Arc<Account>>,
        bounds: Bounds,
        alarm: Option<&Arc<Alarm>>,
    ) -> Option<Arc<Account>> {
        if bounds == Bounds::default() {
            return above.cloned();
        }
        let depth = 1 + above.map_or(0, |above| above.depth);
        let (above, alarm) = (above.cloned(), alarm.cloned());
        Some(Arc::new(Account { above, depth, bounds, counts: Default::default(), alarm }))
    }

    /// Whether another account can be below: every charge walks the line.
    pub(crate) fn may_be_above(&self) -> bool {
        self.depth < DEPTH_MAX
    }

    fn line(&self) -> impl Iterator<Item = &Account> {
        std::iter::successors(Some(self), |account| account.above.as_deref())
    }

    /// Those of the line that bound this, with the count and the bound.
    fn bounding(&self, what: Charge) -> impl Iterator<Item = (&AtomicU64, u64)> {
        self.line().filter_map(move |account| Some((&account.counts[what as usize], account.bounds.of(what)?)))
    }

    /// Counts so much more in every account from here up, or in none.
    ///
    /// # Errors
    /// The first bound that would be exceeded.
    pub(crate) fn charge(&self, what: Charge, amount: u64) -> Result<(), Exceeded> {
        for (at, (count, bound)) in self.bounding(what).enumerate() {
            let within = |had: u64| had.checked_add(amount).filter(|sum| *sum <= bound);
            if count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, within).is_err() {
                self.bounding(what).take(at).for_each(|(count, _)| give_back(count, amount));
                return Err(Exceeded { which: what.watched().name(), value: bound });
            }
        }
        self.warn(what);
        Ok(())
    }

    /// Shows the alarms of the line what is counted now.
    fn warn(&self, what: Charge) {
        for account in self.line() {
            if let (Some(alarm), Some(bound)) = (&account.alarm, account.bounds.of(what)) {
                alarm.look(what.watched(), account.counts[what as usize].load(Ordering::SeqCst), bound);
            }
        }
    }

    /// As charge, for what is there already.
    pub(crate) fn charge_in_any_case(&self, what: Charge, amount: u64) {
        for (count, _) in self.bounding(what) {
            count.fetch_add(amount, Ordering::SeqCst);
        }
        self.warn(what);
    }

    /// Whether so much more is within every bound now.
    pub(crate) fn has_room(&self, what: Charge, amount: u64) -> bool {
        self.bounding(what).all(|(count, bound)| count.load(Ordering::SeqCst).saturating_add(amount) <= bound)
    }

    /// Counts so much less.
    pub(crate) fn credit(&self, what: Charge, amount: u64) {
        self.bounding(what).for_each(|(count, _)| give_back(count, amount));
    }

    /// What is counted here.
    #[cfg(test)]
    pub(crate) fn count(&self, what: Charge) -> u64 {
        self.counts[what as usize].load(Ordering::SeqCst)
    }
}

fn give_back(count: &AtomicU64, amount: u64) {
    count.fetch_sub(amount, Ordering::SeqCst);
}

impl Charge {
    fn watched(self) -> Watched {
        match self {
            Charge::Isolates => Watched::Descendants,
            Charge::Memory => Watched::TreeMemory,
            Charge::Queued => Watched::TreeQueuedBytes,
        }
    }
}

impl Bounds {
    fn of(&self, what: Charge) -> Option<u64> {
        match what {
            Charge::Isolates => self.isolates,
            Charge::Memory => self.memory,
            Charge::Queued => self.queued,
        }
    }
}

impl Drop for Account {
    /// By a loop: a long line of accounts would overflow the stack otherwise.
    fn drop(&mut self) {
        let mut next = self.above.take();
        while let Some(above) = next {
            next = Arc::into_inner(above).and_then(|mut above| above.above.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(bound: u64) -> Bounds {
        Bounds { memory: Some(bound), ..Bounds::default() }
    }

    #[test]
    fn s9_3_what_a_descendant_has_counts_against_every_ancestor() {
        let top = Account::below(None, memory(10), None).unwrap();
        let middle = Account::below(Some(&top), Bounds { isolates: Some(2), ..memory(8) }, None).unwrap();
        assert_eq!(middle.charge(Charge::Memory, 7), Ok(()));
        assert_eq!(middle.charge(Charge::Memory, 2), Err(Exceeded { which: "tree-memory", value: 8 }));
        assert_eq!(top.charge(Charge::Memory, 3), Ok(()));
        assert_eq!(middle.charge(Charge::Memory, 1), Err(Exceeded { which: "tree-memory", value: 10 }));
        assert_eq!((middle.count(Charge::Memory), top.count(Charge::Memory)), (7, 10), "a refusal charges nobody");
        middle.credit(Charge::Memory, 7);
        top.credit(Charge::Memory, 3);
        assert_eq!((middle.count(Charge::Memory), top.count(Charge::Memory)), (0, 0));
    }

    #[test]
    fn s9_3_the_account_of_the_dead_stays_for_those_below() {
        let above = Account::below(None, Bounds { isolates: Some(1), ..Bounds::default() }, None);
        let heir = Account::below(above.as_ref(), Bounds::default(), None).unwrap();
        drop(above);
        assert_eq!(heir.charge(Charge::Isolates, 1), Ok(()));
        assert_eq!(heir.charge(Charge::Isolates, 1), Err(Exceeded { which: "descendants", value: 1 }));
        assert!(!heir.has_room(Charge::Isolates, 1) && heir.has_room(Charge::Queued, u64::MAX));
    }

    #[test]
    fn where_nothing_is_bounded_there_is_no_account() {
        assert!(Account::below(None, Bounds::default(), None).is_none());
    }

    #[test]
    fn a_long_line_is_dropped_without_recursion() {
        let mut line = None;
        for _ in 0..200_000 {
            line = Account::below(line.as_ref(), memory(1), None);
        }
        assert!(line.is_some());
    }
}
