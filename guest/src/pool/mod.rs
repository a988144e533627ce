//! A pool: few isolates that work on many jobs, one after another.
//!
//! Whoever makes a pool spawns one isolate, the [`dispatcher`], which owns the queue and spawns the [`worker`]s; all of
//! them are scoped, so that they end with whoever made the pool. A job travels as the number of a function and an
//! encoded argument: the dispatcher decodes neither. Everything that is told of a job comes from the dispatcher, in one
//! order: that it is accepted, then its value or why there is none. The dispatcher never waits for anybody.

mod dispatcher;
mod job;
mod request;
pub(crate) mod worker;

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use insula_wire::{MailboxPolicy, Priority, Status};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::entry;
use crate::error::{Refused, SpawnError, SubmitError};
use crate::isolate::Isolate;
use crate::limits::Limits;
use crate::message::Outgoing;
use crate::receive_port::{self, ReceivePort};
use crate::send_port::SendPort;
use crate::time;

use request::{Answer, Header, Request, Setup};

pub use job::Job;

/// Isolates that work on jobs, as many at once as the pool's size, from a bounded queue.
///
/// A job is a fn item or a closure that captures nothing, with one argument, as [`Isolate::compute`] takes; it runs in
/// an isolate that other jobs ran in before, so it finds globals as they left them. A job that panics or traps fails
/// alone: whoever submitted it gets the error, and another isolate takes the place of the one that it ended. What a job
/// left to the event loop (listeners, timers, tasks) belongs to it: the next job begins when that is over.
///
/// A job may submit to its own pool and wait for that: while it waits its worker does not count, and what it waits for
/// goes first, so that this works in a pool of one, and across two pools. Waiting for an isolate that in turn waits for
/// the pool is not seen.
///
/// Dropping this value ends the pool, its isolates, and the jobs that are queued or under way: those who wait for them
/// get [`JobError::Closed`](crate::JobError::Closed). What is sent to others is a [`PoolHandle`].
///
/// ```no_run
/// use insula_guest::Pool;
///
/// let pool = Pool::new(4)?;
/// let jobs = (1..=10_u64).map(|n| pool.submit(|n| (1..=n).product::<u64>(), n));
/// for job in jobs.collect::<Result<Vec<_>, _>>()? {
///     println!("{}", job.join()?);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Pool {
    handle: PoolHandle,
    dispatcher: Isolate,
}

impl Pool {
    /// A pool of so many workers, which are born when this returns.
    ///
    /// # Errors
    /// When the host refuses the isolates.
    pub fn new(size: u32) -> Result<Pool, SpawnError> {
        Pool::build(size).start()
    }

    /// A pool to be made, with options.
    pub fn build(size: u32) -> PoolOptions {
        PoolOptions { size, queue_max: 1024, limits: Limits::default() }
    }

    /// The right to submit jobs to this pool, to be sent to other isolates of this module.
    #[must_use]
    pub fn handle(&self) -> PoolHandle {
        self.handle.clone()
    }

    /// Ends the pool, as dropping it does.
    pub fn close(self) {}
}

impl Deref for Pool {
    type Target = PoolHandle;

    fn deref(&self) -> &PoolHandle {
        &self.handle
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.dispatcher.kill(Priority::Immediate); // the workers are its scoped children
    }
}

/// A pool to be made: options first, then [`start`](PoolOptions::start).
///
/// ```no_run
/// use insula_guest::{Limits, Pool};
///
/// let pool = Pool::build(2).queue(16).limits(Limits::default().memory(64 << 20)).start()?;
/// # Ok::<(), insula_guest::SpawnError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "there is no pool until `start` is called"]
pub struct PoolOptions {
    size: u32,
    queue_max: u32,
    limits: Limits,
}

impl PoolOptions {
    /// How many jobs may wait for a worker, 1024 unless said otherwise. All their arguments together have 64 MiB.
    pub fn queue(mut self, jobs: u32) -> PoolOptions {
        self.queue_max = jobs;
        self
    }

    /// What each worker is bounded by, within this isolate's own limits.
    pub fn limits(mut self, limits: Limits) -> PoolOptions {
        self.limits = limits;
        self
    }

    /// The pool, with its workers born.
    ///
    /// # Errors
    /// When the host refuses the isolates, or the size is 0.
    pub fn start(self) -> Result<Pool, SpawnError> {
        let refused = |status, reason: &str| SpawnError::Refused(Refused { status, reason: reason.to_owned() });
        if self.size == 0 {
            return Err(refused(Status::Invalid, "a pool has at least one worker"));
        }
        let ready = ReceivePort::new();
        let limits = self.limits.to_numbers();
        let setup = Setup { size: self.size, queue_max: self.queue_max, limits, ready: ready.send_port() };
        let born = Isolate::build().scoped().errors_are_fatal(false).debug_name("pool");
        let dispatcher = born.spawn(dispatcher::dispatch, setup)?;
        let error = match ready.recv() {
            Ok(Ok(requests)) => {
                let isolate = dispatcher.clone().without_pause().without_terminate();
                return Ok(Pool { handle: PoolHandle { requests, isolate }, dispatcher });
            }
            Ok(Err(reason)) => refused(Status::Limit, &reason),
            Err(_) => refused(Status::Closed, "the pool ended before it began"),
        };
        dispatcher.kill(Priority::Immediate);
        Err(error)
    }
}

/// The right to submit jobs to a [`Pool`]: a value that can be cloned and sent, also as the argument of a job.
///
/// It means something only to isolates of the pool's own module, since jobs travel as numbers of functions. It does not
/// keep the pool alive.
///
/// ```no_run
/// use insula_guest::{Pool, PoolHandle};
///
/// fn sum((pool, numbers): (PoolHandle, Vec<u64>)) -> u64 {
///     if numbers.len() < 2 {
///         return numbers.iter().sum();
///     }
///     let (left, right) = numbers.split_at(numbers.len() / 2);
///     let left = pool.submit(sum, (pool.clone(), left.to_vec())).expect("the queue has room");
///     let right = sum((pool, right.to_vec()));
///     left.join().expect("nothing panics") + right
/// }
///
/// let pool = Pool::new(2)?;
/// println!("{}", pool.submit(sum, (pool.handle(), (1..=100).collect()))?.join()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PoolHandle {
    requests: SendPort<Request>,
    isolate: Isolate,
}

impl PoolHandle {
    /// Submits a job, of priority 0 and without a timeout. It waits only for the pool to accept it.
    ///
    /// A job goes on when its submitter has ended: one that may never end needs a [timeout](Submit::timeout), or it holds
    /// its worker for good.
    ///
    /// # Errors
    /// When the queue is full, the pool has ended, or the argument cannot be sent; see [`SubmitError`].
    pub fn submit<F, A, V>(&self, f: F, argument: A) -> Result<Job<V>, SubmitError>
    where
        F: Fn(A) -> V + Copy + 'static,
        A: Serialize + DeserializeOwned,
        V: Serialize + DeserializeOwned,
    {
        self.job().submit(f, argument)
    }

    /// A job to be submitted with options.
    pub fn job(&self) -> Submit<'_> {
        Submit { pool: self, priority: 0, timeout: None }
    }

    /// What the pool does at the moment, and what it did.
    ///
    /// # Errors
    /// [`SubmitError::Closed`] when the pool has ended.
    pub fn stats(&self) -> Result<PoolStats, SubmitError> {
        let port = ReceivePort::try_open(MailboxPolicy::Error).map_err(SubmitError::Refused)?;
        self.requests.send(Request::Stats(port.send_port()))?;
        port.recv().map_err(|_| SubmitError::Closed)
    }
}

impl fmt::Debug for PoolHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PoolHandle").field(&self.requests).finish()
    }
}

/// A job to be submitted: options first, then [`submit`](Submit::submit).
///
/// ```no_run
/// use std::time::Duration;
/// # let pool = insula_guest::Pool::new(1)?;
/// let job = pool.job().priority(7).timeout(Duration::from_secs(1)).submit(|text: String| text.len(), "four".into())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "there is no job until `submit` is called"]
pub struct Submit<'a> {
    pool: &'a PoolHandle,
    priority: i32,
    timeout: Option<Duration>,
}

impl Submit<'_> {
    /// The higher goes first; of the same priority, the one that was accepted first.
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// How long it may take from when a worker begins it; then it is killed, and fails with
    /// [`JobError::TimedOut`](crate::JobError::TimedOut).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Submits the job; see [`PoolHandle::submit`].
    ///
    /// # Errors
    /// As [`PoolHandle::submit`].
    pub fn submit<F, A, V>(self, f: F, argument: A) -> Result<Job<V>, SubmitError>
    where
        F: Fn(A) -> V + Copy + 'static,
        A: Serialize + DeserializeOwned,
        V: Serialize + DeserializeOwned,
    {
        let answers = receive_port::open(0, MailboxPolicy::Error).map_err(SubmitError::Refused)?;
        let answers = ReceivePort::<Answer<V>>::own(answers);
        let timeout_nanos = self.timeout.map(time::nanoseconds);
        let (function, priority) = (entry::number_of_job(f), self.priority);
        let job = Job::new(self.pool.clone(), answers)?;
        let header = Header { answers: job.id(), function, priority, timeout_nanos };
        let message = (Request::Submit(header), argument);
        self.pool.requests.send_outgoing(&Outgoing::encode(&message)?)?;
        drop(message);
        job.accepted()
    }
}

/// What a pool does and did; see [`PoolHandle::stats`].
///
/// ```no_run
/// # let pool = insula_guest::Pool::new(2)?;
/// assert_eq!(pool.stats()?.idle, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PoolStats {
    /// Workers that have nothing to do, without those that are kept for the next job that waits for another.
    pub idle: u32,
    /// Workers with a job, or with what one left; also those whose job waits for another one of the pool.
    pub busy: u32,
    /// Jobs that wait for a worker.
    pub queued: u32,
    /// Jobs that gave a value.
    pub done: u64,
    /// Jobs that failed or timed out.
    pub failed: u64,
    /// Jobs that were cancelled, queued or under way.
    pub cancelled: u64,
    /// Workers that ended and had another put in their place.
    pub replaced: u64,
}
