//! The isolates that live, by number.

use std::collections::HashMap;

use super::Control;
use crate::exit::{Exit, IsolateId};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Arc, Mutex};

/// The living of one host, never more than it was built for.
pub(crate) struct Registry {
    living: Mutex<Living>,
    isolates_max: u32,
    last: AtomicU64,
}

#[derive(Default)]
struct Living {
    closed: bool,
    isolates: HashMap<IsolateId, Arc<Control>>,
    /// Those whose death step is under way: their places are free, and who listens late is told in the step's order.
    dying: HashMap<IsolateId, Arc<Control>>,
}

/// Why an isolate is not admitted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotAdmitted {
    /// As many as may live do.
    Full(u32),
    /// The host is shut down.
    Closed,
}

impl Registry {
    /// Room for this many.
    pub(crate) fn new(isolates_max: u32) -> Registry {
        Registry { living: Mutex::new(Living::default()), isolates_max, last: AtomicU64::new(0) }
    }

    /// A number for an isolate, from 1 on; it is never given again.
    pub(crate) fn number(&self) -> IsolateId {
        IsolateId(self.last.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Admits an isolate: from here on it is born, and has an exit.
    pub(crate) fn admit(&self, control: &Arc<Control>) -> Result<(), NotAdmitted> {
        let mut living = self.living.lock();
        if living.closed {
            return Err(NotAdmitted::Closed);
        }
        if living.isolates.len() >= self.isolates_max as usize {
            return Err(NotAdmitted::Full(self.isolates_max));
        }
        living.isolates.insert(control.id, Arc::clone(control));
        Ok(())
    }

    /// Gives back the place of one whose death step has begun. It is found until [`Registry::remove`].
    pub(crate) fn depart(&self, id: IsolateId) {
        let mut living = self.living.lock();
        if let Some(control) = living.isolates.remove(&id) {
            living.dying.insert(id, control);
        }
    }

    /// Takes a dead one out.
    pub(crate) fn remove(&self, id: IsolateId) {
        let mut living = self.living.lock();
        let removed = (living.isolates.remove(&id), living.dying.remove(&id));
        drop(living);
        drop(removed);
    }

    /// The isolate of this number, if it lives, or its death is not over.
    pub(crate) fn find(&self, id: IsolateId) -> Option<Arc<Control>> {
        let living = self.living.lock();
        living.isolates.get(&id).or_else(|| living.dying.get(&id)).cloned()
    }

    /// All that live, in the order of their birth.
    pub(crate) fn all(&self) -> Vec<Arc<Control>> {
        let mut all: Vec<Arc<Control>> = self.living.lock().isolates.values().cloned().collect();
        all.sort_by_key(|control| control.id);
        all
    }

    /// All that live and descend from this one, itself not among them.
    pub(crate) fn descendants(&self, ancestor: IsolateId) -> Vec<Arc<Control>> {
        let mut all = self.all();
        all.retain(|control| control.lineage.descends_from(ancestor));
        all
    }

    /// Admits nobody from here on.
    pub(crate) fn close(&self) {
        self.living.lock().closed = true;
    }
}

/// Who spawned whom. It outlives the dead, so that a tree stays a tree.
#[derive(Debug)]
pub(crate) struct Lineage {
    id: IsolateId,
    parent: Option<Arc<Lineage>>,
    /// Set before a kill of the whole tree looks who is in it; whoever is admitted later looks at it.
    ended: Mutex<Option<Exit>>,
}

impl Lineage {
    /// The line of a child of `parent`, or of the embedder.
    pub(crate) fn new(id: IsolateId, parent: Option<&Arc<Lineage>>) -> Arc<Lineage> {
        Arc::new(Lineage { id, parent: parent.cloned(), ended: Mutex::new(None) })
    }

    /// Nobody is born into this tree any more.
    pub(crate) fn end_tree(&self, exit: Exit) {
        self.ended.lock().get_or_insert(exit);
    }

    /// Why a new member of this line is to end at once.
    pub(crate) fn tree_ended(&self) -> Option<Exit> {
        let mut line = self.parent.as_ref();
        while let Some(member) = line {
            if let Some(exit) = &*member.ended.lock() {
                return Some(exit.clone());
            }
            line = member.parent.as_ref();
        }
        None
    }

    fn descends_from(&self, ancestor: IsolateId) -> bool {
        let mut line = self.parent.as_ref();
        while let Some(member) = line {
            if member.id == ancestor {
                return true;
            }
            line = member.parent.as_ref();
        }
        false
    }
}

impl Drop for Lineage {
    /// By a loop: a chain of a hundred thousand spawns would overflow the stack otherwise.
    fn drop(&mut self) {
        let mut next = self.parent.take();
        while let Some(parent) = next {
            next = Arc::into_inner(parent).and_then(|mut parent| parent.parent.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_dropped_without_recursion() {
        let mut line = Lineage::new(IsolateId(0), None);
        for id in 1..200_000 {
            line = Lineage::new(IsolateId(id), Some(&line));
        }
        assert!(line.descends_from(IsolateId(0)));
        assert!(!line.descends_from(IsolateId(199_999)));
    }
}
