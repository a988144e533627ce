//! For whoever looks at a mailbox and wants no message of it.

use super::{Awaited, Mailbox};
use crate::sync::atomic::Ordering;

impl Mailbox {
    /// A message that somebody observes sets out for here at this time. Whoever takes it learns of that before.
    pub(crate) fn observe(&self, at: u64) {
        self.observed.fetch_max(at, Ordering::Relaxed);
    }

    /// When the last message set out for here that somebody observed, of those that could be taken by now.
    pub(crate) fn observed(&self) -> u64 {
        self.observed.load(Ordering::Relaxed)
    }

    /// Whether a message waits here with something by which its receiver could reach an isolate.
    pub(crate) fn holds_capabilities(&self) -> bool {
        let inner = self.inner.lock();
        let mut queued = inner.slots.iter().flat_map(|slot| slot.queue.iter());
        queued.any(|queued| !queued.message.attachments.is_empty())
    }

    /// Messages and bytes that are queued or reserved.
    pub(crate) fn load(&self) -> (u64, u64) {
        self.inner.lock().budget.load()
    }

    /// Messages that came in so far, and their bytes.
    pub(crate) fn arrived(&self) -> (u64, u64) {
        let inner = self.inner.lock();
        (inner.arrived, inner.arrived_bytes)
    }

    /// The ports that its owner waits on, for a report; empty where it does not wait.
    pub(crate) fn waits_on(&self) -> Vec<u64> {
        let inner = self.inner.lock();
        match &inner.waiting {
            None => Vec::new(),
            Some((Awaited::Port(port), _)) => vec![*port],
            Some((Awaited::Any(ports), _)) => ports.iter().map(|port| port.id).collect(),
            Some((Awaited::Listened, _)) => {
                let listened = inner.slots.iter().filter(|slot| slot.listened);
                listened.filter_map(|slot| slot.port.as_ref()).map(|port| port.id).collect()
            }
        }
    }
}
