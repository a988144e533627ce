//! The death step of a host: the isolate's own, and what is left for the host to do after it.

use std::cell::RefCell;

use insula_wire::RemoteError;

use super::last_words::Graveyard;
use super::origin;
use super::uncaught::{Report, Reporter};
use crate::abi::Place;
use crate::control::{Control, Flags, Links, Registry};
use crate::event::Happened;
use crate::exit::{Exit, IsolateId, Killer};
use crate::isolate::Undertaker;
use crate::log;
use crate::scheduler::poll_began;
use crate::sync::Arc;

/// Bytes of an error's text that observers are told.
const UNCAUGHT_BYTES_MAX: usize = 4 << 10;

/// The death step of this host: the isolate's own, and what is left for the host to do after it. And where it keeps what
/// the dead wrote last.
pub(super) fn undertaker(links: &Arc<Links>, reporter: &Arc<Reporter>) -> (Arc<Undertaker>, Arc<Graveyard>) {
    let (links, reporter, graveyard) = (Arc::clone(links), Arc::clone(reporter), Arc::<Graveyard>::default());
    let last_words = Arc::clone(&graveyard);
    let undertaker: Arc<Undertaker> = Arc::new(move |control: &Arc<Control>, exit: Exit, place: Option<&Place>| {
        let id = control.id;
        // The exit code of a run's main is what the run answers: no news for standard error.
        let handed_on = matches!(exit, Exit::ProcExit { .. }) && control.flags.any(Flags::MAIN);
        let failed = exit.is_failure();
        #[cfg(feature = "testing")]
        let ended = links.world.stage().is_some().then(|| exit.to_string());
        let kind = exit.kind();
        let credit = || {
            if control.flags.any(Flags::NAMED) {
                links.names.forget(id);
            }
            // Before anybody who starts it again can know.
            if failed {
                links.registry.failed(control);
            }
            links.registry.remove(control);
            links.tally.ended(kind);
        };
        let recorded = links.recorder.has_lives().then(|| exit.clone());
        // When it stopped to run: before what it says at its end can be received.
        let at = links.recorder.has_all().then(poll_began);
        at.into_iter().for_each(|at| control.observe_last_words(at));
        let Some(mut dead) = control.die(exit, credit) else {
            came_home(&links, control);
            return false;
        };
        if let (Some(at), Some(said)) = (at, &dead.said) {
            links.recorder.sent(at, id.0, said.to, said.message, said.cost);
        }
        last_words.keep(control);
        #[cfg(feature = "testing")]
        ended.into_iter().for_each(|ended| links.world.note(|| format!("{} ended: {ended}", control.label())));
        if let Some(error) = dead.uncaught.take().filter(|_| !handed_on) {
            // One that is ended from outside is found where it lives.
            let home = if place.is_none() { origin::home(control) } else { None };
            match place.or(home.as_deref()) {
                Some(place) => (place.uncaught)(control, error, Some(dead.exit())),
                None => {
                    note_uncaught(&links, control, &error);
                    reporter.tell(Report::new(control, &links, (error, Some(dead.exit().clone())), None));
                }
            }
        }
        log::ended(control, dead.exit());
        // The last that happens to it, and before anybody who joins it comes back.
        if let Some(exit) = recorded {
            links.recorder.rare(links.world.now(), id, || Happened::Ended { exit });
        }
        end_scoped(&links.registry, id, std::mem::take(&mut dead.scoped));
        drop(dead);
        true
    });
    (undertaker, graveyard)
}

/// Counts an error that nobody listened for, and tells whoever observes of it.
pub(super) fn note_uncaught(links: &Links, control: &Control, error: &RemoteError) {
    links.tally.uncaught();
    let message = || error.message[..error.message.floor_char_boundary(UNCAUGHT_BYTES_MAX)].to_owned();
    links.recorder.rare(links.world.now(), control.id, || Happened::Uncaught { message: message() });
}

/// One that was left behind is out of its code at last: what it got hold of since its death is released.
fn came_home(links: &Links, control: &Control) {
    if !control.flags.any(Flags::LEFT_BEHIND) {
        return;
    }
    if control.flags.any(Flags::NAMED) {
        links.names.forget(control.id);
    }
    let held = control.table.lock().clear();
    drop(held);
    control.flags.clear(Flags::LEFT_BEHIND);
}

thread_local! {
    /// Children that this thread is to end, while it does: a chain of them is ended by a loop, not by recursion.
    static ORPHANS: RefCell<Option<Vec<(IsolateId, IsolateId)>>> = const { RefCell::new(None) };
}

/// Ends the children of a dead parent. One that dies within this loop leaves its own children to it.
fn end_scoped(registry: &Registry, parent: IsolateId, children: Vec<IsolateId>) {
    let children = children.into_iter().map(|child| (parent, child));
    let nested = ORPHANS.with_borrow_mut(|orphans| match orphans {
        Some(orphans) => {
            orphans.extend(children);
            true
        }
        None => {
            *orphans = Some(children.collect());
            false
        }
    });
    if nested {
        return;
    }
    while let Some((parent, child)) = ORPHANS.with_borrow_mut(|orphans| orphans.as_mut().and_then(Vec::pop)) {
        if let Some(child) = registry.find(child) {
            child.end_now(Exit::Killed { by: Killer::Isolate(parent) });
        }
    }
    ORPHANS.set(None);
}
