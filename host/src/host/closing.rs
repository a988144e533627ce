//! The end of all isolates of a host, and of the host's threads.
//!
//! What is checked dies when it is told to. What is trusted may be in the middle of its code and not come to a wait: it
//! is given a moment, and then left behind (semantics 9.4). Its death step runs here, so that everybody sees it dead; its
//! thread goes on in its code until that returns, waits or asks for something of ours, and ends there. All that it
//! touches meanwhile, its Store, its code, the engine with its pool, is held by its own thread.

use std::time::Duration;

use insula_wire::RemoteError;

use super::uncaught::Report;
use super::{Host, Inner};
use crate::control::{Control, Flags};
use crate::exit::{Exit, IsolateId};
use crate::isolate::ended;
use crate::log;
use crate::sync::{Arc, Mutex, Weak};
use crate::until::{self, Bell};

/// How long a host that is shut down waits for whoever reads what its guests printed.
const LAST_WORDS_PATIENCE: Duration = Duration::from_secs(1);

/// How long a trusted isolate that is to end has for coming to a wait.
const TRUSTED_PATIENCE: Duration = Duration::from_millis(250);

impl Host {
    /// Asks every isolate to end by itself: its `stop_requested` becomes true.
    pub fn request_stop(&self) {
        self.inner.links.registry.all().iter().for_each(|control| control.request_stop());
    }

    /// Admits nobody any more, asks all to end, waits for `grace`, and ends the rest. Says who was ended, and how.
    ///
    /// Blocks the calling thread. Every isolate that ends here does so with [`Exit::HostClosed`], or by itself. A trusted
    /// one that does not come to a wait within 250 ms of that is dead all the same, is reported, and is
    /// [left behind](Host::left_behind).
    pub fn shutdown(&self, grace: Duration) -> Vec<(IsolateId, Exit)> {
        self.inner.shutdown(grace)
    }

    /// Isolates of trusted modules that ended in the middle of their code, since the host was closed or a run was over,
    /// and whose code still runs. It has no files, no ports and no other handles any more, and is gone when it next waits,
    /// sends, receives or returns. Until then it keeps its thread, its memory, and the place of both in what all hosts of
    /// the process share.
    ///
    /// Each is reported when it is left behind, as an [`Uncaught`](crate::Uncaught) error.
    #[must_use]
    pub fn left_behind(&self) -> Vec<IsolateId> {
        self.inner.left_behind_now()
    }
}

/// Who is told when a host begins to close, for as long as it is there.
#[derive(Default)]
pub(super) struct Bells(Mutex<Vec<Weak<Bell>>>);

impl Bells {
    fn ring(&self) {
        let bells: Vec<_> = self.0.lock().iter().filter_map(Weak::upgrade).collect();
        bells.iter().for_each(|bell| bell.ring());
    }
}

impl Inner {
    /// Has this rung when the host begins to close; whoever hears it finds the registry closed.
    pub(crate) fn keep_bell(&self, bell: &Arc<Bell>) {
        let mut bells = self.bells.0.lock();
        if bells.len().is_power_of_two() {
            bells.retain(|bell| bell.strong_count() > 0);
        }
        bells.push(Arc::downgrade(bell));
    }

    /// Who is left behind, and still in its code.
    pub(super) fn left_behind_now(&self) -> Vec<IsolateId> {
        let mut left = self.left_behind.lock();
        left.retain(|control| control.flags.any(Flags::LEFT_BEHIND));
        left.iter().map(|control| control.id).collect()
    }

    pub(super) fn shutdown(&self, grace: Duration) -> Vec<(IsolateId, Exit)> {
        let closes = !self.links.registry.is_closed();
        self.links.registry.close();
        self.bells.ring();
        let living = self.links.registry.all();
        if closes {
            log::closing(self.links.number, living.len(), grace);
        }
        living.iter().for_each(|control| control.request_stop());
        if !grace.is_zero() {
            let ends = self.world.after(grace);
            let mut ending = living.iter().map(|control| until::block(&self.world, ends, ended(control)));
            ending.all(|exit| exit.is_some());
        }
        self.end_all();
        self.wait_for(&living);
        self.stdout.drain_for(LAST_WORDS_PATIENCE);
        self.stderr.drain_for(LAST_WORDS_PATIENCE);
        self.reporter.flush();
        living.iter().filter_map(|control| Some((control.id, control.exit()?))).collect()
    }

    /// Ends whoever lives, and waits until nobody does.
    pub(super) fn end_all(&self) {
        let (census, registry) = (&self.links.census, &self.links.registry);
        loop {
            let living = registry.all();
            Control::end_together(&living, &Exit::HostClosed);
            if living.is_empty() {
                // The last one may still be dying; where another was born meanwhile, as a plugin is, it is ended too.
                let born = || (!registry.all().is_empty()).then_some(false);
                if census.changed().wait_until(|| if census.live() == 0 { Some(true) } else { born() }) {
                    break;
                }
                continue;
            }
            let (trusted, checked): (Vec<_>, Vec<_>) =
                living.into_iter().partition(|control| control.flags.any(Flags::TRUSTED));
            self.wait_for(&checked);
            self.see_off(&trusted);
        }
    }

    fn wait_for(&self, dying: &[Arc<Control>]) {
        self.links.census.changed().wait_until(|| all_dead(dying).then_some(()));
    }

    /// Waits until these are dead, for a moment; who is not by then is left behind.
    fn see_off(&self, trusted: &[Arc<Control>]) {
        if !self.links.census.changed().wait_timeout(TRUSTED_PATIENCE, || all_dead(trusted)) {
            trusted.iter().filter(|control| control.exit().is_none()).for_each(|control| self.leave_behind(control));
        }
    }

    /// Declares an isolate dead that is in the middle of its code, unless it dies by itself in this very moment.
    fn leave_behind(&self, control: &Arc<Control>) {
        let exit = control.ending().unwrap_or(Exit::HostClosed);
        control.lineage.end_tree(exit.clone());
        control.flags.set(Flags::LEFT_BEHIND);
        let span = log::span(control);
        if !(self.undertaker)(control, exit, None) {
            return control.flags.clear(Flags::LEFT_BEHIND);
        }
        self.left_behind.lock().push(Arc::clone(control));
        log::left_behind(&span);
        let message =
            "it is trusted, was to end, and did not wait: it is dead, and its thread is left behind in its code";
        let error = RemoteError { message: message.to_owned(), stack: String::new() };
        self.reporter.tell(Report::new(control, &self.links, (error, control.exit()), None));
    }

    /// Whether nobody lives, and nothing is left to be written or told: there is nothing to wait for at the end.
    pub(super) fn is_quiet(&self) -> bool {
        // In this order: whoever lives may print, and have something told.
        let is_written = || [&self.stdout, &self.stderr].into_iter().all(|sink| sink.drain_for(Duration::ZERO));
        self.links.census.live() == 0 && is_written() && self.reporter.is_quiet()
    }

    /// Everything that was printed and reported is out when this returns.
    pub(super) fn flush(&self) {
        self.stdout.drain();
        self.stderr.drain();
        self.reporter.flush();
    }

    /// Ends the threads.
    pub(super) fn close(&self) {
        self.checked.scheduler.close();
        if let Some(trusted) = self.trusted.made() {
            trusted.scheduler.close();
        }
        self.ticker.close();
        self.reporter.close();
        self.crew.close();
        self.desks.close();
        self.observers.close();
        self.tasks.close();
    }
}

fn all_dead(dying: &[Arc<Control>]) -> bool {
    dying.iter().all(|control| control.exit().is_some())
}
