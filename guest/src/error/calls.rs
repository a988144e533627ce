//! Why spawns, requests, computations, questions and jobs failed.

use std::error::Error;
use std::fmt;

use insula_wire::{RemoteError, Status};
use serde::{Deserialize, Serialize};

use super::{RecvError, SendError};
use crate::call::Text;
use crate::sys;

/// A call that the host refused, and its reason in words: which limit, which grant, which argument.
///
/// ```no_run
/// use insula_guest::{Status, names};
///
/// match names::lookup::<String>("log") {
///     Ok(log) => drop(log.send("here I am".to_owned())),
///     Err(refused) if refused.status == Status::NotFound => println!("nobody logs"),
///     Err(refused) => println!("{refused}"), // names the grant that is missing
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// The kind of the reason.
    pub status: Status,
    /// The reason as the host tells it; may be empty.
    pub reason: String,
}

impl Refused {
    /// Asks the host why, at once: the next refusal replaces the reason.
    pub(crate) fn by_host(status: Status) -> Refused {
        Refused { status, reason: sys::text(Text::LastError).unwrap_or_default() }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason.as_str() {
            "" => self.status.fmt(f),
            reason => f.write_str(reason),
        }
    }
}

reads_as_text!(Refused);

/// Why no isolate was born.
///
/// ```no_run
/// use insula_guest::{Isolate, SpawnError, Status};
///
/// # fn worker(_: u32) {}
/// match Isolate::spawn(worker, 1) {
///     Err(SpawnError::Refused(refused)) if refused.status == Status::Limit => println!("there is no room: {refused}"),
///     spawned => drop(spawned?),
/// }
/// # Ok::<(), SpawnError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpawnError {
    /// The initial message, or the response of the exit notice, cannot be sent.
    Message(SendError),
    /// The host refused: an unknown export or module, a limit, a missing grant, options that contradict each other.
    Refused(Refused),
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpawnError::Message(error) => error.fmt(f),
            SpawnError::Refused(refused) => refused.fmt(f),
        }
    }
}

reads_as_text!(SpawnError);

/// Why a control request was not taken. A request without the authority that it needs is no error: it is ignored.
///
/// ```no_run
/// use insula_guest::{ControlError, Isolate, SendPort};
///
/// fn watch(isolate: &Isolate, gone: &SendPort<String>) {
///     match isolate.add_exit_listener(gone, "it is gone".to_owned()) {
///         Err(ControlError::Refused(refused)) => println!("no room for the notice: {refused}"),
///         Err(error) => println!("{error}"),
///         Ok(()) => {}
///     }
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ControlError {
    /// The response cannot be sent.
    Response(SendError),
    /// The host refused: no room for the notice, a port of another type.
    Refused(Refused),
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ControlError::Response(error) => error.fmt(f),
            ControlError::Refused(refused) => refused.fmt(f),
        }
    }
}

reads_as_text!(ControlError);

/// Why a computation gave no value.
///
/// ```no_run
/// use std::time::Duration;
/// use insula_guest::{Isolate, RunError};
///
/// match Isolate::compute(|n: u64| 100 / n, 0)?.join_timeout(Duration::from_secs(1)) {
///     Ok(value) => println!("{value}"),
///     Err(RunError::Remote(error)) => println!("it failed: {error}"), // a division by zero is a panic
///     Err(error) => return Err(error),
/// }
/// # Ok::<(), RunError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunError {
    /// The isolate was not born.
    Spawn(SpawnError),
    /// It failed, was killed, or ended without a result.
    Remote(RemoteError),
    /// It took too long, and was killed.
    TimedOut,
}

impl From<SpawnError> for RunError {
    fn from(error: SpawnError) -> RunError {
        RunError::Spawn(error)
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::Spawn(error) => error.fmt(f),
            RunError::Remote(error) => error.fmt(f),
            RunError::TimedOut => Status::TimedOut.fmt(f),
        }
    }
}

reads_as_text!(RunError);

/// Why a question got no answer; see [`SendPort::ask`](crate::SendPort::ask).
///
/// ```no_run
/// use std::time::Duration;
/// use insula_guest::{AskError, SendPort};
///
/// # fn get(time_of_day: &SendPort<SendPort<u64>>) -> Result<Option<u64>, AskError> {
/// match time_of_day.ask(|reply| reply, Duration::from_secs(1)) {
///     Err(AskError::TimedOut | AskError::Unreachable) => Ok(None),
///     answer => answer.map(Some),
/// }
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AskError {
    /// It was not sent.
    Unasked(SendError),
    /// No answer came in time.
    TimedOut,
    /// Nobody can answer any more: whoever had the port for the answer dropped it, or is dead.
    Unreachable,
    /// What came is no answer.
    Failed(RecvError),
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AskError::Unasked(error) => error.fmt(f),
            AskError::TimedOut => Status::TimedOut.fmt(f),
            AskError::Unreachable => f.write_str("nobody can answer any more"),
            AskError::Failed(error) => error.fmt(f),
        }
    }
}

reads_as_text!(AskError);

/// Why a function of the embedder's gave no answer; see [`HostFunction`](crate::HostFunction).
///
/// ```no_run
/// use std::time::Duration;
/// use insula_guest::{CallError, host_function};
///
/// let now = host_function::<(), u64>("now")?;
/// match now.call_timeout(&(), Duration::from_millis(10)) {
///     Err(CallError::TimedOut) => println!("it takes its time"),
///     now => println!("{}", now?),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallError {
    /// The question was not sent.
    Unsent(SendError),
    /// No answer came in time.
    TimedOut,
    /// There will be no answer: the host is closing, or this isolate's mailbox had no room for it.
    Unanswered,
    /// The host says why there is no answer: the question is of another type, or the answer cannot be sent.
    Failed(RemoteError),
    /// What came is no answer of the type that was asked for.
    Undecodable(RecvError),
}

impl From<SendError> for CallError {
    fn from(error: SendError) -> CallError {
        match error {
            SendError::TimedOut => CallError::TimedOut,
            error => CallError::Unsent(error),
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Unsent(error) => error.fmt(f),
            CallError::TimedOut => Status::TimedOut.fmt(f),
            CallError::Unanswered => f.write_str("there is no answer"),
            CallError::Failed(error) => error.fmt(f),
            CallError::Undecodable(error) => error.fmt(f),
        }
    }
}

reads_as_text!(CallError);

/// Why a job was not submitted to a pool.
///
/// ```no_run
/// use insula_guest::{PoolHandle, SubmitError};
///
/// /// In the pool, or here where the pool has too much to do.
/// fn square(pool: &PoolHandle, number: u64) -> Result<u64, Box<dyn std::error::Error>> {
///     match pool.submit(|number: u64| number * number, number) {
///         Err(SubmitError::Full) => Ok(number * number),
///         job => Ok(job?.join()?),
///     }
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubmitError {
    /// The argument cannot be sent.
    Message(SendError),
    /// As many jobs are queued as may be.
    Full,
    /// The pool has ended.
    Closed,
    /// The host refused the port for the value.
    Refused(Refused),
}

impl From<SendError> for SubmitError {
    fn from(error: SendError) -> SubmitError {
        match error {
            SendError::Closed => SubmitError::Closed,
            error => SubmitError::Message(error),
        }
    }
}

impl fmt::Display for SubmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SubmitError::Message(error) => error.fmt(f),
            SubmitError::Full => f.write_str("the pool's queue is full"),
            SubmitError::Closed => f.write_str("the pool has ended"),
            SubmitError::Refused(refused) => refused.fmt(f),
        }
    }
}

reads_as_text!(SubmitError);

/// Why a job gave no value. An error that the job returned is no such error: it is the value.
///
/// ```no_run
/// use insula_guest::{JobError, Pool};
///
/// let pool = Pool::new(1)?;
/// match pool.submit(|n: u64| 100 / n, 0)?.join() {
///     Ok(value) => println!("{value}"),
///     Err(JobError::Remote(error)) => println!("it failed alone: {error}"),
///     Err(error) => println!("{error}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum JobError {
    /// It failed: a panic, a trap, a kill, a value that cannot be sent.
    Remote(RemoteError),
    /// It took too long, and was killed.
    TimedOut,
    /// The pool ended before the job did.
    Closed,
}

impl JobError {
    /// A failure that is told in words.
    pub(crate) fn told(message: String) -> JobError {
        JobError::Remote(RemoteError { message, stack: String::new() })
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JobError::Remote(error) => error.fmt(f),
            JobError::TimedOut => Status::TimedOut.fmt(f),
            JobError::Closed => f.write_str("the pool has ended"),
        }
    }
}

reads_as_text!(JobError);
