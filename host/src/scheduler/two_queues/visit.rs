//! A thread that is a worker for a while: whoever waits for a run works for it meanwhile, so that a program of one isolate
//! needs no thread but that.

use std::rc::Rc;
use std::task::{Wake, Waker};
use std::time::Duration;

use super::super::{did_something_else, polls_on, task::empty_graves};
use super::{LOCAL, Local, Shared, TwoQueues};
use crate::sync::atomic::Ordering::{Relaxed, SeqCst};
use crate::sync::{Arc, Doorbell};

/// This thread in the place of the last worker, which has none of its own. It leaves when this goes.
pub(crate) struct Visit {
    local: Rc<Local>,
}

impl Visit {
    /// None where all workers have threads, where somebody visits already, and on a thread that is a worker.
    pub(super) fn begin(shared: &Arc<Shared>) -> Option<Visit> {
        if Local::is_here(|_| true) || !shared.threads.get()?.give_place(shared) {
            return None;
        }
        let index = shared.workers.len() - 1;
        *shared.workers[index].thread.lock() = Some(std::thread::current());
        let local = Rc::new(Local { visits: true, ..Local::new(Arc::clone(shared), index) });
        LOCAL.set(Some(Rc::clone(&local)));
        shared.visited.store(true, SeqCst);
        Some(Visit { local })
    }

    /// Works until `look` answers something, which is asked now, and after every ring after which that may be so. A task that
    /// this thread runs makes room for that. Whether it may be so is asked by who rings, under whatever locks. Before this
    /// thread sleeps it calls `waits`.
    pub(crate) fn until<R>(
        &self,
        bell: &Doorbell,
        may_be: impl Fn() -> bool + Send + Sync + 'static,
        mut look: impl FnMut() -> Option<R>,
        waits: impl Fn(),
    ) -> R {
        let shared = &self.local.shared;
        let caller = Caller { shared: Arc::clone(shared), may_be: Box::new(may_be) };
        let _called = bell.call(Waker::from(Arc::new(caller)));
        shared.called.store(true, SeqCst);
        loop {
            if shared.called.load(Relaxed) && shared.called.swap(false, SeqCst) {
                if let Some(seen) = look() {
                    return seen;
                }
                // That took no guest's time.
                did_something_else();
            }
            match self.local.next() {
                Some(task) => self.local.run(task),
                None => {
                    waits();
                    self.local.idle();
                }
            }
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let (local, shared) = (&self.local, &self.local.shared);
        shared.visited.store(false, SeqCst);
        empty_graves(false);
        did_something_else();
        LOCAL.set(None);
        let worker = local.worker();
        worker.runs(0);
        worker.thread.lock().take();
        for task in local.take_slot().into_iter().chain(worker.queue.take_all()) {
            shared.injector.push(task);
        }
        worker.woken.store(false, SeqCst);
        worker.preempt_hog.store(false, SeqCst);
        shared.threads.get().into_iter().for_each(|threads| threads.take_place_back(shared));
        // Somebody may have been queued for this thread to take.
        if shared.has_queued() {
            shared.notify();
        }
    }
}

impl Local {
    /// Fires the timers that are due, where the system has given no thread for that when one was wanted and this one has
    /// nothing else to do. Answers how long it is to the next.
    pub(super) fn timers(&self) -> Option<Duration> {
        let ticker = &self.shared.preemption.as_ref().filter(|_| self.visits)?.ticker;
        ticker.is_missing().then(|| ticker.fire())
    }
}

impl TwoQueues {
    /// Whether the thread that this is visits, and is to look at what it waits for.
    pub(crate) fn is_called() -> bool {
        Local::is_here(|local| local.visits && local.shared.is_called())
    }
}

impl Shared {
    /// Whether somebody visits who is to look at what it waits for, and does something else.
    pub(super) fn is_called(&self) -> bool {
        let works = || self.workers.last().is_some_and(|visitor| visitor.runs.load(SeqCst) != 0);
        self.called.load(SeqCst) && self.visited.load(SeqCst) && works()
    }
}

/// Who calls the visitor away from its work, to look.
struct Caller {
    shared: Arc<Shared>,
    may_be: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Wake for Caller {
    fn wake(self: Arc<Caller>) {
        let Caller { shared, may_be } = &*self;
        if !shared.visited.load(SeqCst) || !may_be() {
            return;
        }
        shared.called.store(true, SeqCst);
        let Some(visitor) = shared.workers.last() else { return };
        visitor.wake();
        // On its own thread it looks as soon as what it polls is over, or waits.
        let is_here = Local::is_here(|local| local.visits && Arc::ptr_eq(&local.shared, shared));
        let looks_soon = is_here && !polls_on();
        if !looks_soon && visitor.runs.load(SeqCst) != 0 {
            shared.want_ticks();
            shared.interrupt();
        }
    }
}
