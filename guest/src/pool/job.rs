//! A job that was submitted, as whoever did so sees it.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use insula_wire::{Kind, Status};
use serde::de::DeserializeOwned;

use super::PoolHandle;
use super::request::{Answer, JobId, Request};
use super::worker::Waits;
use crate::error::{ControlError, JobError, SubmitError};
use crate::message::Incoming;
use crate::receive_port::ReceivePort;
use crate::task::Receiving;
use crate::time;

/// A job of a [`Pool`](crate::Pool), queued or under way.
///
/// Dropping this value lets the job go on, for a value that nobody gets. It can be [`join`](Job::join)ed, which blocks,
/// or awaited; dropping the future that awaits it cancels the job, as a [`timeout`](crate::task::timeout) does.
///
/// ```no_run
/// # async fn sums(pool: insula_guest::PoolHandle) -> Result<(), Box<dyn std::error::Error>> {
/// let sum = |n: u64| (1..=n).sum::<u64>();
/// let (small, large) = (pool.submit(sum, 10)?, pool.submit(sum, 1 << 30)?);
/// assert_eq!(small.join()?, 55);
/// println!("{}", large.await?);
/// # Ok(())
/// # }
/// ```
pub struct Job<V> {
    pool: PoolHandle,
    answers: ReceivePort<Answer<V>>,
}

impl<V> Job<V> {
    /// Whatever ends the pool is told at the port of the answers too.
    pub(super) fn new(pool: PoolHandle, answers: ReceivePort<Answer<V>>) -> Result<Job<V>, SubmitError> {
        match pool.isolate.add_exit_listener(&answers.send_port().recast(), ()) {
            Ok(()) => Ok(Job { pool, answers }),
            Err(ControlError::Refused(refused)) => Err(SubmitError::Refused(refused)),
            Err(ControlError::Response(error)) => Err(error.into()),
        }
    }

    /// What the dispatcher knows the job by.
    pub(super) fn id(&self) -> JobId {
        self.answers.send_port().recast()
    }

    /// Waits until the pool has accepted the job, or not.
    pub(super) fn accepted(self) -> Result<Job<V>, SubmitError> {
        match accepted(self.answers.incoming(time::NEVER)) {
            Ok(()) => Ok(self),
            Err(error) => Err(error),
        }
    }

    /// Gives it up: it is taken out of the queue, or its worker is killed and replaced.
    pub fn cancel(self) {
        self.pool.requests.send(Request::Cancel(self.id())).ok();
    }
}

#[inline(never)]
fn accepted(answer: Result<Incoming, Status>) -> Result<(), SubmitError> {
    match answer {
        Ok(message) if message.kind == Kind::Data => match message.decode() {
            Ok(Answer::<()>::Accepted) => Ok(()),
            _ => Err(SubmitError::Full),
        },
        _ => Err(SubmitError::Closed),
    }
}

impl<V: DeserializeOwned> Job<V> {
    /// Waits for the value.
    ///
    /// # Errors
    /// When the job failed, timed out, or the pool ended; see [`JobError`].
    pub fn join(self) -> Result<V, JobError> {
        self.join_until(time::NEVER)
    }

    /// Waits for the value so long; then the job is cancelled.
    ///
    /// # Errors
    /// [`JobError::TimedOut`], else as [`join`](Job::join).
    pub fn join_timeout(self, timeout: Duration) -> Result<V, JobError> {
        self.join_until(time::deadline_in(timeout))
    }

    fn join_until(self, deadline: u64) -> Result<V, JobError> {
        let _waits = Waits::begin(&self.id());
        match self.answers.incoming(deadline) {
            Err(Status::TimedOut) => {
                self.cancel();
                Err(JobError::TimedOut)
            }
            answer => value(answer),
        }
    }
}

fn value<V: DeserializeOwned>(answer: Result<Incoming, Status>) -> Result<V, JobError> {
    let message = answer.map_err(|_| JobError::told("the value found no room in this isolate's mailbox".to_owned()))?;
    if message.kind != Kind::Data {
        return Err(JobError::Closed);
    }
    match message.decode() {
        Ok(Answer::Value(value)) => Ok(value),
        Ok(Answer::Failed(error)) => Err(error),
        Ok(Answer::Accepted | Answer::Full) => Err(JobError::Closed),
        Err(error) => Err(JobError::told(error.to_string())),
    }
}

impl<V: DeserializeOwned + 'static> IntoFuture for Job<V> {
    type Output = Result<V, JobError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<V, JobError>>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let _waits = Waits::begin(&self.id());
            let mut unfinished = CancelledOnDrop(Some(self));
            let Some(job) = &unfinished.0 else { return Err(JobError::Closed) };
            let answer = Receiving::new(job.answers.handle.number()).await;
            unfinished.0 = None;
            value(answer)
        })
    }
}

struct CancelledOnDrop<V>(Option<Job<V>>);

impl<V> Drop for CancelledOnDrop<V> {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(Job::cancel);
    }
}

impl<V> Drop for Job<V> {
    fn drop(&mut self) {
        self.pool.isolate.remove_exit_listener(&self.answers.send_port());
    }
}

impl<V> fmt::Debug for Job<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Job").field(&self.answers).finish()
    }
}
