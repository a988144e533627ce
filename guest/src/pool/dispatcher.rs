//! The dispatcher: the isolate of a pool that owns the queue and the workers.
//!
//! It lives in its event loop and never waits for anybody: what cannot be told to a submitter at once, since there is
//! no room for it, is not told. A worker is active unless its job waits for another job: no job is begun while as many
//! workers as the pool's size are active with one, and while fewer are active another worker is born.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use insula_wire::{Kind, MailboxPolicy, Priority, RemoteError, Status};

use super::PoolStats;
use super::request::{Answer, Header, JobId, Request, Setup};
use super::worker;
use crate::error::JobError;
use crate::event_loop::{self, Listener, TimerId};
use crate::isolate::Isolate;
use crate::limits::Limits;
use crate::message::{Incoming, Kept};
use crate::outcome::Outcome;
use crate::receive_port::{self, ReceivePort};
use crate::send_port::SendPort;
use crate::{report, sys};

/// Bytes of all arguments that are queued: well below what this isolate's own memory holds.
const QUEUED_BYTES_MAX: usize = 64 << 20;

struct Dispatcher {
    setup: Setup,
    requests: SendPort<Request>,
    /// Whether the pool's maker was told that it is there.
    is_ready: bool,
    workers: Vec<Worker>,
    workers_made: u32,
    /// What is awaited within the pool goes first, then by priority, then by age.
    queue: BTreeMap<(Reverse<bool>, Reverse<i32>, u64), Queued>,
    queued_bytes: usize,
    accepted: u64,
    stats: PoolStats,
}

struct Queued {
    job: JobId,
    timeout_nanos: Option<u64>,
    /// The whole request: the worker takes the function and the argument out of it.
    request: Kept,
}

struct Worker {
    id: u32,
    isolate: Isolate,
    notices: Listener,
    failure: Option<RemoteError>,
    state: State,
}

enum State {
    /// Not heard of yet.
    Young,
    Idle(SendPort<()>),
    /// More than enough, until a job waits for another one again.
    Spare(SendPort<()>),
    Busy(Busy),
    /// Killed, since there were enough spare ones too.
    Retired,
}

struct Busy {
    jobs: SendPort<()>,
    /// The job, until it was answered; what it left may go on.
    job: Option<JobId>,
    timer: Option<TimerId>,
    /// The jobs that it waits for.
    waits_for: Vec<JobId>,
    /// Why it was killed.
    killed: Option<Killed>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Killed {
    TimedOut,
    Cancelled,
}

thread_local! {
    static DISPATCHER: RefCell<Option<Dispatcher>> = const { RefCell::new(None) };
}

fn with(act: impl FnOnce(&mut Dispatcher)) {
    DISPATCHER.with_borrow_mut(|dispatcher| dispatcher.iter_mut().next().map(act));
}

/// The entry of the dispatcher.
pub(super) fn dispatch(setup: Setup) -> Result<(), String> {
    let port = receive_port::open(0, MailboxPolicy::Wait).map_err(|refused| refused.to_string())?;
    let port = ReceivePort::<Request>::own(port);
    let requests = port.send_port();
    event_loop::listen(port.handle, |message| {
        let message = message.keep();
        if let Some((request, rest)) = message.front() {
            with(|dispatcher| dispatcher.serve(request, message, rest));
        }
        ().outcome()
    });
    DISPATCHER.set(Some(Dispatcher {
        setup,
        requests,
        is_ready: false,
        workers: Vec::new(),
        workers_made: 0,
        queue: BTreeMap::new(),
        queued_bytes: 0,
        accepted: 0,
        stats: PoolStats::default(),
    }));
    with(Dispatcher::fill);
    Ok(())
}

/// Requests.
impl Dispatcher {
    fn serve(&mut self, request: Request, message: Kept, rest: usize) {
        match request {
            Request::Submit(header) => self.submit(header, message),
            Request::Cancel(job) => self.cancel(&job),
            Request::Stats(port) => {
                let _ = port.try_send(&self.stats());
            }
            Request::Born { worker, jobs } => self.born(worker, jobs),
            Request::Done { worker, failed, free } => self.done(worker, failed, free, &message, rest),
            Request::Free { worker } => self.free(worker),
            Request::Waits { worker, job } => self.waits(worker, job),
            Request::GoesOn { worker, job } => self.goes_on(worker, &job),
        }
        self.assign();
    }

    fn submit(&mut self, header: Header, request: Kept) {
        let Header { answers, priority, timeout_nanos, .. } = header;
        let bytes = request.body().bytes.len();
        let crowded = self.queue.len() >= self.setup.queue_max as usize || self.queued_bytes + bytes > QUEUED_BYTES_MAX;
        if crowded && self.idle().is_none() {
            return tell(&answers, &Answer::Full);
        }
        if answers.try_send(&Answer::Accepted).is_err() {
            return; // nobody waits for it
        }
        self.accepted += 1;
        self.queued_bytes += bytes;
        let place = (Reverse(false), Reverse(priority), self.accepted);
        self.queue.insert(place, Queued { job: answers, timeout_nanos, request });
        self.fill();
    }

    fn cancel(&mut self, job: &JobId) {
        if let Some(queued) = self.unqueue(job) {
            self.stats.cancelled += 1;
            drop(queued);
        } else if let Some(worker) = self.workers.iter_mut().find(|worker| worker.works_on(job)) {
            worker.kill(Killed::Cancelled);
        }
    }

    fn born(&mut self, id: u32, jobs: SendPort<()>) {
        if let Some(worker) = self.worker(id) {
            worker.state = State::Idle(jobs);
        }
        if !self.is_ready && self.workers.iter().all(|worker| matches!(worker.state, State::Idle(_))) {
            self.is_ready = true;
            let _ = self.setup.ready.try_send(&Ok(self.requests.clone()));
        }
    }

    fn done(&mut self, id: u32, failed: bool, free: bool, message: &Kept, answer: usize) {
        let Some(busy) = self.worker(id).and_then(Worker::busy) else { return };
        let Some(job) = busy.job.take() else { return };
        let count = if failed { &mut self.stats.failed } else { &mut self.stats.done };
        *count += 1;
        let told = sys::send(job.handle.number(), message.body_from(answer), None);
        untold(&job, told.err());
        if free {
            self.free(id);
        }
    }

    fn free(&mut self, id: u32) {
        let Some(worker) = self.worker(id) else { return };
        let Some(busy) = worker.busy().filter(|busy| busy.killed.is_none()) else { return };
        busy.timer.take().into_iter().for_each(event_loop::cancel);
        worker.state = State::Idle(busy.jobs.clone());
        self.trim();
    }

    fn waits(&mut self, id: u32, job: JobId) {
        if let Some(queued) = self.queue.iter().find(|(_, queued)| queued.job == job).map(|(place, _)| *place)
            && let Some(moved) = self.queue.remove(&queued)
        {
            self.queue.insert((Reverse(true), queued.1, queued.2), moved);
        }
        if let Some(busy) = self.worker(id).and_then(Worker::busy) {
            busy.waits_for.push(job);
        }
        self.fill();
    }

    fn goes_on(&mut self, id: u32, job: &JobId) {
        if let Some(busy) = self.worker(id).and_then(Worker::busy) {
            busy.waits_for.retain(|other| other != job);
        }
        self.trim();
    }

    fn stats(&self) -> PoolStats {
        let count =
            |counts: fn(&State) -> bool| self.workers.iter().filter(|worker| counts(&worker.state)).count() as u32;
        PoolStats {
            idle: count(|state| matches!(state, State::Young | State::Idle(_))),
            busy: count(|state| matches!(state, State::Busy(_))),
            queued: self.queue.len() as u32,
            ..self.stats
        }
    }
}

/// Workers.
impl Dispatcher {
    fn worker(&mut self, id: u32) -> Option<&mut Worker> {
        self.workers.iter_mut().find(|worker| worker.id == id)
    }

    fn idle(&self) -> Option<usize> {
        self.workers.iter().position(|worker| matches!(worker.state, State::Idle(_)))
    }

    fn active(&self) -> usize {
        self.workers.iter().filter(|worker| worker.is_active()).count()
    }

    /// Has as many workers active as the pool's size, where fewer were born or something is to be done.
    fn fill(&mut self) {
        while self.active() < self.setup.size as usize
            && (self.workers.len() < self.setup.size as usize || self.lacks())
        {
            if self.workers.iter_mut().any(Worker::comes_back) {
                continue;
            }
            if let Err(reason) = self.bear() {
                return self.give_up(&reason);
            }
        }
    }

    /// Whether more jobs are queued than workers are about to take one.
    fn lacks(&self) -> bool {
        let takes = self.workers.iter().filter(|worker| matches!(worker.state, State::Young | State::Idle(_)));
        self.queue.len() > takes.count()
    }

    fn bear(&mut self) -> Result<(), String> {
        let notices = receive_port::open(0, MailboxPolicy::Error).map_err(|refused| refused.to_string())?;
        let notices = ReceivePort::<()>::own(notices);
        let told = notices.send_port();
        self.workers_made += 1;
        let id = self.workers_made;
        let isolate = Isolate::build()
            .scoped()
            .debug_name(format!("pool worker {id}"))
            .limits(Limits::of_numbers(&self.setup.limits))
            .on_error(&told.clone().recast::<RemoteError>())
            .on_exit(&told, ())
            .spawn(worker::work, (id, self.requests.clone()))
            .map_err(|error| error.to_string())?;
        let notices = event_loop::listen(notices.handle, move |notice| {
            with(|dispatcher| dispatcher.notice(id, notice));
            ().outcome()
        });
        self.workers.push(Worker { id, isolate, notices, failure: None, state: State::Young });
        Ok(())
    }

    fn notice(&mut self, id: u32, notice: Incoming) {
        match notice.kind {
            Kind::Error => {
                if let Some(worker) = self.worker(id) {
                    worker.failure = notice.decode().ok();
                }
            }
            Kind::Exit => self.exited(id),
            Kind::Data | Kind::Ping => {}
        }
        self.assign();
    }

    fn exited(&mut self, id: u32) {
        let Some(at) = self.workers.iter().position(|worker| worker.id == id) else { return };
        let Worker { notices, failure, state, .. } = self.workers.swap_remove(at);
        notices.close();
        match state {
            State::Spare(_) | State::Retired => {}
            State::Young => {
                let reason = failure.map_or_else(|| "it ended at birth".to_owned(), |failure| failure.message);
                self.give_up(&reason); // the next one may fare no better: it is born for the next job
            }
            State::Idle(_) => {
                self.stats.replaced += 1;
                self.fill();
            }
            State::Busy(busy) => {
                self.stats.replaced += 1;
                self.settle(busy, failure);
                self.fill();
            }
        }
    }

    /// Tells what became of the job of a worker that ended.
    fn settle(&mut self, busy: Busy, failure: Option<RemoteError>) {
        busy.timer.into_iter().for_each(event_loop::cancel);
        for job in &busy.waits_for {
            self.cancel(job);
        }
        let failure = match busy.killed {
            Some(Killed::Cancelled) => {
                self.stats.cancelled += u64::from(busy.job.is_some());
                return;
            }
            Some(Killed::TimedOut) => Some(JobError::TimedOut),
            None => failure.map(JobError::Remote),
        };
        match (busy.job, failure) {
            (Some(job), failure) => {
                self.stats.failed += 1;
                let ended = || JobError::told("the worker ended without a value".to_owned());
                tell(&job, &Answer::Failed(failure.unwrap_or_else(ended)));
            }
            (None, Some(JobError::Remote(error))) => report::report_error(error), // of what the job had left
            (None, _) => {}
        }
    }

    /// No worker can be born. Where none is active that could take what is queued, all of it fails.
    fn give_up(&mut self, reason: &str) {
        if !self.is_ready {
            self.is_ready = true;
            let _ = self.setup.ready.try_send(&Err(reason.to_owned()));
        }
        if self.active() > 0 {
            return;
        }
        for (_, queued) in std::mem::take(&mut self.queue) {
            self.stats.failed += 1;
            tell(&queued.job, &Answer::Failed(JobError::told(format!("no worker could be born: {reason}"))));
        }
        self.queued_bytes = 0;
    }

    /// Puts idle workers aside that are more than enough, which they are when a job goes on that had waited.
    fn trim(&mut self) {
        while self.active() > self.setup.size as usize {
            let spare = self.workers.iter().filter(|worker| matches!(worker.state, State::Spare(_))).count();
            let Some(idle) = self.idle() else { return };
            let worker = &mut self.workers[idle];
            let before = std::mem::replace(&mut worker.state, State::Retired);
            match before {
                State::Idle(jobs) if spare < self.setup.size as usize => worker.state = State::Spare(jobs),
                _ => worker.isolate.kill(Priority::Immediate),
            }
        }
    }

    /// Gives queued jobs to idle workers.
    fn assign(&mut self) {
        while let Some(idle) = self.idle()
            && let Some((place, queued)) = self.queue.pop_first()
        {
            self.queued_bytes -= queued.request.body().bytes.len();
            let worker = &mut self.workers[idle];
            let State::Idle(jobs) = &worker.state else { unreachable!("it was found idle") };
            let jobs = jobs.clone();
            match sys::send(jobs.handle.number(), queued.request.body(), None) {
                Ok(()) => worker.begin(jobs, queued),
                Err(Status::Closed) => {
                    worker.state = State::Busy(Busy::without_job(jobs)); // it ended, and its exit notice is on the way
                    self.queued_bytes += queued.request.body().bytes.len();
                    self.queue.insert(place, queued);
                }
                Err(status) => {
                    self.stats.failed += 1;
                    let error = JobError::told(format!("the worker does not take the argument: {status}"));
                    tell(&queued.job, &Answer::Failed(error));
                }
            }
        }
    }

    fn unqueue(&mut self, job: &JobId) -> Option<Queued> {
        let place = self.queue.iter().find(|(_, queued)| queued.job == *job).map(|(place, _)| *place)?;
        let queued = self.queue.remove(&place)?;
        self.queued_bytes -= queued.request.body().bytes.len();
        Some(queued)
    }
}

impl Worker {
    fn begin(&mut self, jobs: SendPort<()>, queued: Queued) {
        let id = self.id;
        let timer = queued.timeout_nanos.map(|nanos| {
            event_loop::schedule(Duration::from_nanos(nanos), None, move || {
                with(|dispatcher| dispatcher.worker(id).into_iter().for_each(|worker| worker.kill(Killed::TimedOut)));
                ().outcome()
            })
        });
        self.state = State::Busy(Busy { job: Some(queued.job), timer, ..Busy::without_job(jobs) });
    }

    fn busy(&mut self) -> Option<&mut Busy> {
        match &mut self.state {
            State::Busy(busy) => Some(busy),
            State::Young | State::Idle(_) | State::Spare(_) | State::Retired => None,
        }
    }

    fn works_on(&self, job: &JobId) -> bool {
        matches!(&self.state, State::Busy(busy) if busy.job.as_ref() == Some(job))
    }

    /// Makes a spare one idle again; says whether it was one.
    fn comes_back(&mut self) -> bool {
        if let State::Spare(jobs) = &self.state {
            self.state = State::Idle(jobs.clone());
            return true;
        }
        false
    }

    fn is_active(&self) -> bool {
        match &self.state {
            State::Young | State::Idle(_) => true,
            State::Busy(busy) => busy.waits_for.is_empty(),
            State::Spare(_) | State::Retired => false,
        }
    }

    /// Kills it; its exit notice tells the rest.
    fn kill(&mut self, why: Killed) {
        if let Some(busy) = self.busy() {
            busy.killed.get_or_insert(why);
            self.isolate.kill(Priority::Immediate);
        }
    }
}

impl Busy {
    fn without_job(jobs: SendPort<()>) -> Busy {
        Busy { jobs, job: None, timer: None, waits_for: Vec::new(), killed: None }
    }
}

fn tell(job: &JobId, answer: &Answer<()>) {
    let sent = job.try_send(answer);
    untold(job, sent.is_err().then_some(Status::Full));
}

/// A submitter that could not be told: once nobody holds its port any more, its wait ends too.
fn untold(job: &JobId, error: Option<Status>) {
    if error.is_some() {
        Isolate::current().remove_exit_listener(job);
    }
}
