//! Who observes what happens in a host: each is given all of it, in batches, on one thread of their own.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::thread::{JoinHandle, ThreadId};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};

use super::Host;
use super::recording::Kept;
use super::sampling::Sampling;
use crate::event::{Batch, Detail, Event, Happened, Recorder};
use crate::sync::{Arc, Mutex, Weak};

/// How long events wait for their observers, about.
const BATCH: Duration = Duration::from_millis(10);

impl Host {
    /// Gives the observer all that happens in this host from now on, until the [`Observation`] is dropped.
    ///
    /// It is called with one batch of events after another, every 10 ms or so where there are some, on a thread that all
    /// observers of a host share, and not under way of what happens: an observer that takes its time is told later, and
    /// holds up no isolate. Events of a batch are in the order of time; one that was put down late may be in the next
    /// batch. Up to 262,144 events of a thread wait; of those beyond, the number is told ([`Happened::Missed`]). An observer
    /// that panics is told no more.
    ///
    /// What is observed costs each turn and each message of every isolate a look at the clock and three words; a host that
    /// nobody observes looks at one. [`Host::record`] keeps the same for less.
    ///
    /// # Errors
    /// Where the system gives no thread.
    ///
    /// [`Happened::Missed`]: crate::Happened::Missed
    pub fn observe(&self, observer: impl FnMut(&[Event]) + Send + 'static) -> io::Result<Observation> {
        self.inner.observers.add(&self.inner.links.recorder, Wants::All, Told::Call(Box::new(observer)))
    }

    /// As [`Host::observe`], with spans: each life is one, and within it each message that is taken is one until the next
    /// is taken ([`Happened::Entered`]). Its parent is the span in which the message was sent, whoever sent it; a message
    /// that carries no [`TraceContext`](crate::TraceContext) begins a trace.
    ///
    /// Each birth and each message costs one event more.
    ///
    /// # Errors
    /// As there.
    ///
    /// [`Happened::Entered`]: crate::Happened::Entered
    pub fn observe_spans(&self, observer: impl FnMut(&[Event]) + Send + 'static) -> io::Result<Observation> {
        self.inner.observers.add(&self.inner.links.recorder, Wants::Spans, Told::Call(Box::new(observer)))
    }

    /// As [`Host::observe`], for births, uncaught errors and ends only: it costs turns and messages nothing.
    ///
    /// # Errors
    /// As there.
    pub fn observe_lives(&self, observer: impl FnMut(&[Event]) + Send + 'static) -> io::Result<Observation> {
        self.inner.observers.add(&self.inner.links.recorder, Wants::Lives, Told::Call(Box::new(observer)))
    }
}

/// An observer's place at a host. Dropped, it waits until the observer was told all that happened before, and ends it.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let host = insula::Host::builder().isolates(1).build()?;
/// let observation = host.observe(|events| println!("{events:?}"))?;
/// drop(observation);
/// # Ok(())
/// # }
/// ```
#[must_use = "dropped, it ends the observation"]
pub struct Observation {
    number: u64,
    observers: Weak<Observers>,
    sampling: Option<Sampling>,
}

impl Observation {
    /// Whether this is the thread that calls the observers: it cannot wait for itself.
    #[cfg(feature = "otlp")]
    pub(crate) fn is_on_its_thread(&self) -> bool {
        let observers = self.observers.upgrade();
        observers.is_some_and(|observers| observers.telling.get() == Some(&std::thread::current().id()))
    }

    /// The same, and this goes on for as long.
    pub(super) fn with_sampling(mut self, sampling: Sampling) -> Observation {
        self.sampling = Some(sampling);
        self
    }
}

/// What an observer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// Births, errors, ends.
    Lives,
    /// Those, and samples.
    Samples,
    /// All but samples and spans.
    All,
    /// All but samples.
    Spans,
}

impl Wants {
    fn detail(self) -> Detail {
        match self {
            Wants::Lives | Wants::Samples => Detail::Lives,
            Wants::All => Detail::All,
            Wants::Spans => Detail::Spans,
        }
    }

    /// Whether this is told.
    pub(super) fn has(self, what: &Happened) -> bool {
        match self {
            Wants::Lives => what.is_of_lives(),
            Wants::Samples => what.is_of_lives() || what.is_sample(),
            Wants::All => !what.is_sample() && !matches!(what, Happened::Entered { .. }),
            Wants::Spans => !what.is_sample(),
        }
    }
}

impl std::fmt::Debug for Observation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Observation").finish_non_exhaustive()
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        drop(self.sampling.take());
        if let Some(observers) = self.observers.upgrade() {
            observers.ask(|done| Job::Remove(self.number, done));
        }
    }
}

/// What an observer is called by.
type Call = dyn FnMut(&[Event]) + Send;

/// How an observer is told.
pub(super) enum Told {
    /// It is called.
    Call(Box<Call>),
    /// It keeps what there is as it was put down.
    Keep(Arc<Mutex<Kept>>),
}

struct Observer {
    number: u64,
    wants: Wants,
    told: Told,
}

/// The observers of one host.
#[derive(Default)]
pub(super) struct Observers {
    thread: Mutex<Option<Thread>>,
    /// Held until the last of them is told, when the host closes.
    closing: Mutex<()>,
    /// The thread that tells them.
    telling: OnceLock<ThreadId>,
    last: crate::sync::atomic::AtomicU64,
}

struct Thread {
    jobs: Sender<Job>,
    handle: JoinHandle<()>,
}

enum Job {
    Add(Observer, Sender<()>),
    Remove(u64, Sender<()>),
}

impl Observers {
    pub(super) fn add(
        self: &Arc<Observers>,
        recorder: &Arc<Recorder>,
        wants: Wants,
        told: Told,
    ) -> io::Result<Observation> {
        let number = self.last.fetch_add(1, crate::sync::atomic::Ordering::Relaxed);
        let mut thread = self.thread.lock();
        if thread.is_none() {
            let (jobs, theirs) = unbounded();
            let recorder = Arc::clone(recorder);
            let work = move || Work { recorder, observers: Vec::new(), events: Vec::new() }.run(&theirs);
            let handle = std::thread::Builder::new().name("insula-observers".to_owned()).spawn(work)?;
            let _ = self.telling.set(handle.thread().id());
            *thread = Some(Thread { jobs, handle });
        }
        drop(thread);
        // It is told all that happens from here on.
        self.ask(|done| Job::Add(Observer { number, wants, told }, done));
        Ok(Observation { number, observers: Arc::downgrade(self), sampling: None })
    }

    /// Has the thread do this, and waits until it is done, or until all is told because the host closes; an observer cannot
    /// wait for itself.
    fn ask(&self, job: impl FnOnce(Sender<()>) -> Job) {
        let own = self.telling.get() == Some(&std::thread::current().id());
        let (done, is_done) = bounded(1);
        let asked = self.thread.lock().as_ref().is_some_and(|thread| thread.jobs.send(job(done)).is_ok());
        match (own, asked) {
            (true, _) => {}
            (false, true) => _ = is_done.recv(),
            (false, false) => drop(self.closing.lock()),
        }
    }

    /// Tells all of them what happened until now, and ends the thread.
    pub(super) fn close(&self) {
        let _closing = self.closing.lock();
        let thread = self.thread.lock().take();
        if let Some(Thread { jobs, handle }) = thread {
            drop(jobs);
            if handle.thread().id() != std::thread::current().id() {
                drop(handle.join());
            }
        }
    }
}

struct Work {
    recorder: Arc<Recorder>,
    observers: Vec<Observer>,
    /// Room for those of a batch.
    events: Vec<Event>,
}

impl Work {
    fn run(mut self, jobs: &Receiver<Job>) {
        let mut batch = Batch::default();
        loop {
            let job = match self.observers.is_empty() {
                true => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => jobs.recv_timeout(BATCH),
            };
            self.recorder.drain(&mut batch);
            self.tell(&mut batch);
            match job {
                Ok(Job::Add(observer, done)) => {
                    self.observers.push(observer);
                    self.record();
                    let _ = done.send(());
                }
                Ok(Job::Remove(number, done)) => {
                    self.observers.retain(|observer| observer.number != number);
                    self.record();
                    let _ = done.send(());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.recorder.record(Detail::Nothing),
            }
        }
    }

    /// Has as much recorded as somebody wants.
    fn record(&self) {
        let most = self.observers.iter().map(|observer| observer.wants.detail()).max();
        self.recorder.record(most.unwrap_or(Detail::Nothing));
    }

    fn tell(&mut self, batch: &mut Batch) {
        let mut callers = 0;
        for observer in &self.observers {
            match &observer.told {
                Told::Keep(kept) => kept.lock().keep(batch),
                Told::Call(_) => callers += 1,
            }
        }
        if callers > 0 {
            self.events(batch);
        }
        self.recorder.take_back(batch);
        if callers > 0 {
            self.call();
        }
    }

    /// What is in the batch as events, in the order of time.
    fn events(&mut self, batch: &mut Batch) {
        let Batch { parts, extras, missed, .. } = batch;
        self.events.clear();
        self.recorder.events(parts, extras, &mut self.events);
        if *missed > 0 {
            let at = self.events.last().map_or(Duration::ZERO, |last| last.at);
            self.events.push(Event { at, isolate: None, what: Happened::Missed { events: *missed } });
        }
    }

    /// Calls those who are called.
    fn call(&mut self) {
        let before = self.observers.len();
        let all = &self.events;
        let mut parts: Vec<(Wants, Vec<Event>)> = Vec::new();
        self.observers.retain_mut(|Observer { wants, told, .. }| {
            let Told::Call(told) = told else { return true };
            // Most of the time all of it is what somebody wants who wants all; it is not copied then.
            let events = if all.iter().all(|event| wants.has(&event.what)) {
                all
            } else {
                let known = parts.iter().position(|(known, _)| known == wants);
                let at = known.unwrap_or_else(|| {
                    parts.push((*wants, all.iter().filter(|event| wants.has(&event.what)).cloned().collect()));
                    parts.len() - 1
                });
                &parts[at].1
            };
            // An observer's panic is its own; it is told no more.
            events.is_empty() || catch_unwind(AssertUnwindSafe(|| told(events))).is_ok()
        });
        if self.observers.len() < before {
            self.record();
        }
    }
}
