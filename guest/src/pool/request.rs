//! What the isolates of a pool, and those who submit to it, tell each other.

use serde::{Deserialize, Serialize};

use super::PoolStats;
use crate::error::JobError;
use crate::send_port::SendPort;

/// What the dispatcher is born with.
#[derive(Serialize, Deserialize)]
pub(super) struct Setup {
    pub(super) size: u32,
    pub(super) queue_max: u32,
    pub(super) limits: Vec<(u32, u64)>,
    /// Told where to send requests when all workers are born, or why they are not.
    pub(super) ready: SendPort<Result<SendPort<Request>, String>>,
}

/// A job is known by the port that its answers go to.
pub(super) type JobId = SendPort<Answer<()>>;

/// What the dispatcher is asked and told.
#[derive(Serialize, Deserialize)]
pub(crate) enum Request {
    /// A job. The argument follows.
    Submit(Header),
    Cancel(JobId),
    Stats(SendPort<PoolStats>),
    /// A worker waits for jobs at this port.
    Born {
        worker: u32,
        jobs: SendPort<()>,
    },
    /// A job is over; its [`Answer`] follows. `free`: it left nothing behind.
    Done {
        worker: u32,
        failed: bool,
        free: bool,
    },
    /// What the job had left behind is over too.
    Free {
        worker: u32,
    },
    /// The worker's job waits for another one, of this pool or of another.
    Waits {
        worker: u32,
        job: JobId,
    },
    /// It waits no longer.
    GoesOn {
        worker: u32,
        job: JobId,
    },
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Header {
    pub(super) answers: JobId,
    pub(super) function: u32,
    pub(super) priority: i32,
    pub(super) timeout_nanos: Option<u64>,
}

/// What whoever submitted is told. Those without a value encode the same, whatever `V` is.
#[derive(Serialize, Deserialize)]
pub(crate) enum Answer<V> {
    Accepted,
    Full,
    Failed(JobError),
    Value(V),
}
