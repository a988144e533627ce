//! The isolates that live, by number.

use super::vacancies::Vacancies;
use super::{Control, Flags, Used};
use crate::exit::{Exit, IsolateId};
use crate::hash::NumberMap;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Arc, Mutex, Weak};
use crate::usage::Usage;
use crate::warning::{Alarm, Watched};

/// The living of one host, never more than it was built for.
pub(crate) struct Registry {
    living: Mutex<Living>,
    isolates_max: u32,
    trusted_max: u32,
    last: AtomicU64,
    /// Of those that the embedder spawned.
    vacancies: Vacancies,
    /// Where the embedder wants to be warned.
    alarm: Option<Arc<Alarm>>,
}

#[derive(Default)]
struct Living {
    closed: bool,
    isolates: NumberMap<IsolateId, Arc<Control>>,
    /// How many of them are of trusted modules.
    trusted: usize,
    /// What those used that are taken out.
    used: Used,
}

/// Why an isolate is not admitted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotAdmitted {
    /// As many of its kind as may live do.
    Full(u32),
    /// The host is shut down.
    Closed,
}

impl Registry {
    /// Room for this many, and for this many of trusted modules.
    pub(crate) fn new(isolates_max: u32, trusted_max: u32) -> Registry {
        let (living, last) = (Mutex::new(Living::default()), AtomicU64::new(0));
        Registry { living, isolates_max, trusted_max, last, vacancies: Vacancies::default(), alarm: None }
    }

    /// The same, where an alarm looks how many live.
    pub(crate) fn watched_by(self, alarm: Option<Arc<Alarm>>) -> Registry {
        Registry { alarm, ..self }
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
        let trusted = control.flags.any(Flags::TRUSTED);
        let (live, max) = match trusted {
            true => (living.trusted, self.trusted_max),
            false => (living.isolates.len() - living.trusted, self.isolates_max),
        };
        if live >= max as usize {
            return Err(NotAdmitted::Full(max));
        }
        living.isolates.insert(control.id, Arc::clone(control));
        living.trusted += usize::from(trusted);
        control.lineage.born(&self.vacancies);
        if let Some(alarm) = self.alarm.as_ref().filter(|_| !trusted) {
            alarm.look(Watched::Isolates, live as u64 + 1, max.into());
        }
        Ok(())
    }

    /// One is dying of a failure: who is born in its place is told from others.
    pub(crate) fn failed(&self, control: &Control) {
        control.lineage.failed(&self.vacancies);
    }

    /// Takes a dead one out.
    pub(crate) fn remove(&self, control: &Control) {
        // Dead, it uses no more, and its counters are looked at without a lock held.
        let used = control.used();
        let mut living = self.living.lock();
        let removed = living.isolates.remove(&control.id);
        if removed.is_some() {
            living.trusted -= usize::from(control.flags.any(Flags::TRUSTED));
            living.used.add(&used);
            control.lineage.died();
        }
        drop(living);
        drop(removed);
    }

    /// What all used, the dead too, and what the living have.
    pub(crate) fn usage(&self, now: u64) -> Usage {
        let living = self.living.lock();
        let isolates: Vec<Arc<Control>> = living.isolates.values().cloned().collect();
        let mut usage = living.used.to_usage();
        drop(living);
        isolates.iter().for_each(|control| usage += &control.usage(now));
        usage
    }

    /// How many of trusted modules live, and may.
    #[cfg(feature = "metrics")]
    pub(crate) fn trusted(&self) -> (usize, u32) {
        (self.living.lock().trusted, self.trusted_max)
    }

    /// The isolate of this number, if it lives.
    pub(crate) fn find(&self, id: IsolateId) -> Option<Arc<Control>> {
        self.living.lock().isolates.get(&id).cloned()
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

    /// Whether nobody is admitted any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.living.lock().closed
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
    /// Whom the embedder spawned, of its line.
    root: IsolateId,
    /// Generations from there to here.
    depth: u64,
    /// How many live that it spawned.
    children: AtomicU64,
    /// Those of them that failed.
    vacancies: Vacancies,
    /// What it has in common with whoever takes its place; 0 where nobody does.
    kin: AtomicU64,
    /// How many failed in its place before it.
    restarts: AtomicU64,
    spawned_by: Option<IsolateId>,
    /// Whose child it counts as.
    spawner: Weak<Lineage>,
    parent: Mutex<Option<Arc<Lineage>>>,
    /// Nobody refers to the isolate any more: nobody can end its tree, if nobody has.
    is_forgotten: AtomicBool,
    /// Set before a kill of the whole tree looks who is in it; whoever is admitted later looks at it.
    ended: Mutex<Option<Exit>>,
}

impl Lineage {
    /// The line of a child of `parent`, or of the embedder.
    pub(crate) fn new(id: IsolateId, parent: Option<&Arc<Lineage>>) -> Arc<Lineage> {
        parent.into_iter().for_each(|parent| parent.shorten());
        let root = parent.map_or(id, |parent| parent.root);
        let spawned_by = parent.map(|parent| parent.id);
        let depth = parent.map_or(0, |parent| parent.depth + 1);
        let spawner = parent.map(Arc::downgrade).unwrap_or_default();
        let (parent, ended) = (Mutex::new(parent.cloned()), Mutex::new(None));
        Arc::new(Lineage {
            id,
            root,
            depth,
            children: AtomicU64::new(0),
            vacancies: Vacancies::default(),
            kin: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
            spawned_by,
            spawner,
            parent,
            is_forgotten: AtomicBool::new(false),
            ended,
        })
    }

    /// The isolate of its line that the embedder spawned: it stands for the plugin, also when it is dead.
    pub(crate) fn root(&self) -> IsolateId {
        self.root
    }

    /// Who spawned it, if that is anybody but the embedder.
    pub(crate) fn spawner(&self) -> Option<IsolateId> {
        self.spawned_by
    }

    /// Generations between that one and it.
    pub(crate) fn depth(&self) -> u64 {
        self.depth
    }

    /// What it has in common with whoever takes its place if it fails.
    pub(crate) fn is_of(&self, kin: u64) {
        self.kin.store(kin, Ordering::Relaxed);
    }

    /// How many failed in its place before it.
    pub(crate) fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// It lives.
    fn born(&self, of_embedder: &Vacancies) {
        let spawner = self.spawner.upgrade();
        if let Some(spawner) = &spawner {
            spawner.children.fetch_add(1, Ordering::SeqCst);
        }
        let kin = self.kin.load(Ordering::Relaxed);
        if let Some(vacancies) = self.vacancies_around(spawner.as_deref(), of_embedder).filter(|_| kin != 0) {
            self.restarts.store(vacancies.take(kin), Ordering::Relaxed);
        }
    }

    /// It fails.
    fn failed(&self, of_embedder: &Vacancies) {
        let (kin, spawner) = (self.kin.load(Ordering::Relaxed), self.spawner.upgrade());
        if let Some(vacancies) = self.vacancies_around(spawner.as_deref(), of_embedder).filter(|_| kin != 0) {
            vacancies.leave(kin, self.restarts());
        }
    }

    /// Where who is spawned by the same one takes its place; nowhere when that one is gone.
    fn vacancies_around<'a>(&self, spawner: Option<&'a Lineage>, of_embedder: &'a Vacancies) -> Option<&'a Vacancies> {
        match self.spawned_by {
            Some(_) => spawner.map(|spawner| &spawner.vacancies),
            None => Some(of_embedder),
        }
    }

    /// It lives no more.
    fn died(&self) {
        if let Some(spawner) = self.spawner.upgrade() {
            spawner.children.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// How many live that it spawned.
    pub(super) fn children(&self) -> u64 {
        self.children.load(Ordering::SeqCst)
    }

    fn parent(&self) -> Option<Arc<Lineage>> {
        self.parent.lock().clone()
    }

    /// Leaves out ancestors that nobody refers to any more: else a program that is its own heir for ever would have a
    /// line that grows, and every birth would walk it.
    fn shorten(&self) {
        while let Some(parent) = self.parent() {
            let counts = !parent.is_forgotten.load(Ordering::SeqCst) || parent.ended.lock().is_some();
            if counts {
                break;
            }
            let above = parent.parent();
            let forgotten = std::mem::replace(&mut *self.parent.lock(), above);
            drop(forgotten);
        }
    }

    /// Nobody refers to its isolate any more.
    pub(super) fn forget(&self) {
        self.is_forgotten.store(true, Ordering::SeqCst);
    }

    /// Nobody is born into this tree any more.
    pub(crate) fn end_tree(&self, exit: Exit) {
        self.ended.lock().get_or_insert(exit);
    }

    /// Why a new member of this line is to end at once.
    pub(crate) fn tree_ended(&self) -> Option<Exit> {
        let mut line = self.parent();
        while let Some(member) = line {
            if let Some(exit) = &*member.ended.lock() {
                return Some(exit.clone());
            }
            line = member.parent();
        }
        None
    }

    fn descends_from(&self, ancestor: IsolateId) -> bool {
        let mut line = self.parent();
        while let Some(member) = line {
            if member.id == ancestor {
                return true;
            }
            line = member.parent();
        }
        false
    }
}

impl Drop for Lineage {
    /// By a loop: a chain of a hundred thousand spawns would overflow the stack otherwise.
    fn drop(&mut self) {
        let mut next = self.parent.lock().take();
        while let Some(parent) = next {
            next = Arc::into_inner(parent).and_then(|parent| parent.parent.lock().take());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_heirs_stays_short() {
        let mut line = Lineage::new(IsolateId(0), None);
        for id in 1..1_000 {
            let heir = Lineage::new(IsolateId(id), Some(&line));
            line.forget();
            line = heir;
        }
        let last = Lineage::new(IsolateId(1_000), Some(&line));
        let length = std::iter::successors(last.parent(), |member| member.parent()).count();
        assert_eq!(length, 1, "only who can still be named is in it");
        assert!(last.descends_from(IsolateId(999)));
    }

    #[test]
    fn a_tree_that_was_ended_stays_ended_when_its_root_is_forgotten() {
        let root = Lineage::new(IsolateId(0), None);
        let child = Lineage::new(IsolateId(1), Some(&root));
        root.end_tree(Exit::HostClosed);
        root.forget();
        assert_eq!(Lineage::new(IsolateId(2), Some(&child)).tree_ended(), Some(Exit::HostClosed));
    }

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
