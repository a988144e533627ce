//! Fair shares: how much of something each of many may have at one time, so that a greedy one leaves room for others.

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::exit::IsolateId;
use crate::hash::NumberMap;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex};

/// What each has now, by whom: an isolate that the embedder spawned stands for all that descend from it.
pub(crate) struct Shares {
    each: AtomicUsize,
    taken: Mutex<NumberMap<IsolateId, usize>>,
    given_back: Notify,
}

/// One of them, until it is dropped.
pub(crate) struct Share {
    shares: Arc<Shares>,
    of: IsolateId,
}

impl Shares {
    /// So many for each.
    pub(crate) fn of_each(each: usize) -> Arc<Shares> {
        let (each, taken) = (AtomicUsize::new(each), Mutex::default());
        Arc::new(Shares { each, taken, given_back: Notify::new() })
    }

    /// From now on so many for each. Who has more keeps it.
    pub(crate) fn set_each(&self, each: usize) {
        self.each.store(each, Ordering::SeqCst);
        self.given_back.notify_waiters();
    }

    /// Whether this one may have one more.
    pub(crate) fn has_room(&self, of: IsolateId) -> bool {
        self.taken.lock().get(&of).copied().unwrap_or_default() < self.each.load(Ordering::SeqCst)
    }

    /// One more for this one, if it may have that.
    pub(crate) fn take(self: &Arc<Shares>, of: IsolateId) -> Option<Share> {
        let mut taken = self.taken.lock();
        let has = taken.entry(of).or_default();
        if *has >= self.each.load(Ordering::SeqCst) {
            return None;
        }
        *has += 1;
        Some(Share { shares: Arc::clone(self), of })
    }

    /// Done when somebody gave something back after this was called, also where nobody waited for it yet.
    pub(crate) fn given_back(&self) -> Notified<'_> {
        self.given_back.notified()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.shares.taken.lock();
        if let Some(has) = taken.get_mut(&self.of) {
            *has -= 1;
            if *has == 0 {
                taken.remove(&self.of);
            }
        }
        drop(taken);
        self.shares.given_back.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_share_and_gives_it_back() {
        let shares = Shares::of_each(2);
        let (greedy, modest) = (IsolateId(1), IsolateId(2));
        let taken = [shares.take(greedy), shares.take(greedy)];
        assert!(taken.iter().all(Option::is_some) && shares.take(greedy).is_none());
        assert!(shares.take(modest).is_some());
        shares.set_each(3);
        assert!(shares.take(greedy).is_some());
        drop(taken);
        assert!(shares.taken.lock().is_empty(), "nobody is remembered");
    }
}
