//! A worker of a pool: an isolate that waits for a job, calls its function, and tells the dispatcher what came of it.

use std::cell::{Cell, RefCell};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::request::{Answer, JobId, Request};
use crate::error::JobError;
use crate::message::{Kept, Outgoing};
use crate::receive_port::ReceivePort;
use crate::send_port::SendPort;
use crate::{event_loop, sys, time};

struct Worker {
    id: u32,
    requests: SendPort<Request>,
}

thread_local! {
    /// Which worker this isolate is, if it is one.
    static WORKER: RefCell<Option<Worker>> = const { RefCell::new(None) };
    /// The job that begins.
    static JOB: Cell<Option<Kept>> = const { Cell::new(None) };
}

/// The entry of a worker.
pub(super) fn work((id, requests): (u32, SendPort<Request>)) {
    let jobs = ReceivePort::<()>::new();
    WORKER.set(Some(Worker { id, requests: requests.clone() }));
    requests.send(Request::Born { worker: id, jobs: jobs.send_port() }).ok();
    while let Ok(message) = jobs.incoming(time::NEVER) {
        let job = message.keep();
        let Some((Request::Submit(header), _)) = job.front() else { continue };
        let function = header.function;
        drop(header);
        JOB.set(Some(job));
        sys::function_at(function)();
        if !event_loop::is_over() {
            event_loop::run();
            requests.send(Request::Free { worker: id }).ok();
        }
    }
}

/// Calls the function of the job that begins, for its argument; `entry` knows the types.
pub(crate) fn work_on<F, A, V>(function: F)
where
    F: Fn(A) -> V,
    A: DeserializeOwned,
    V: Serialize,
{
    // What came with the argument is decoded by now, and the job's own answers are the dispatcher's.
    let argument = JOB.take().and_then(|job| job.front()).map(|((_, argument), _): ((Request, A), usize)| argument);
    let Some(argument) = argument else {
        let message = format!("the argument does not decode as {}", std::any::type_name::<A>());
        return done(true, &Answer::<()>::Failed(JobError::told(message)));
    };
    done(false, &Answer::Value(function(argument)));
}

fn done<V: Serialize>(failed: bool, answer: &Answer<V>) {
    let free = event_loop::is_over();
    let sent = with_worker(|worker| {
        let message = Outgoing::encode(&(Request::Done { worker: worker.id, failed, free }, answer))?;
        worker.requests.send_outgoing(&message)
    });
    if let Some(Err(error)) = sent {
        let answer = Answer::<()>::Failed(JobError::told(format!("the value cannot be sent: {error}")));
        with_worker(|worker| {
            let message = Outgoing::encode(&(Request::Done { worker: worker.id, failed: true, free }, answer))?;
            worker.requests.send_outgoing(&message)
        });
    }
}

fn with_worker<R>(act: impl FnOnce(&Worker) -> R) -> Option<R> {
    WORKER.with_borrow(|worker| worker.as_ref().map(act))
}

/// As long as it lives, the job of this worker waits for another job: one of its own pool, or one that may wait for its
/// own pool in turn.
pub(super) struct Waits(JobId);

impl Waits {
    /// Nothing where this isolate is no worker.
    pub(super) fn begin(job: &JobId) -> Option<Waits> {
        with_worker(|worker| {
            worker.requests.send(Request::Waits { worker: worker.id, job: job.clone() }).ok();
            Waits(job.clone())
        })
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        with_worker(|worker| worker.requests.send(Request::GoesOn { worker: worker.id, job: self.0.clone() }).ok());
    }
}
