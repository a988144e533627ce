//! What can go wrong, an enum for each operation. Every one of them is for the guest to handle: what the host cannot
//! forgive is a trap, and never comes back as a value. `Debug` of each is its text.

use std::error::Error;
use std::fmt;

use insula_wire::codec::{TOO_DEEP, Unsendable};
use insula_wire::{RemoteError, Status};
use serde::{Deserialize, Serialize};

use crate::call::Text;
use crate::sys;

/// An error whose `Debug` is its text too: that is what a `main` which returns it prints, and half the code.
macro_rules! reads_as_text {
    ($error:ident) => {
        impl fmt::Debug for $error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Error for $error {}
    };
}

/// Why a message was not sent. Nothing of it was delivered, and blobs stay with the sender.
///
/// ```no_run
/// # use insula_guest::{SendError, SendPort};
/// # fn send(port: &SendPort<String>) -> Result<(), SendError> {
/// match port.send("news".to_owned()) {
///     Err(SendError::Closed) => Ok(()), // whom it may concern has left, which is no error in Dart
///     sent => sent,
/// }
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The port is closed, or its isolate is dead.
    Closed,
    /// The mailbox is full, or the sender's share of it.
    Full,
    /// The message is larger than the limit.
    TooLarge,
    /// The value refuses to be serialised, or holds something that cannot be sent, as a blob that was sent before.
    /// [`Unsendable`] says which part of it, in a build with the feature `paths`.
    Unsendable(Unsendable),
    /// The message is nested deeper than 512 levels.
    TooDeep,
    /// The message holds more than 255 ports, capabilities and blobs.
    TooManyCapabilities,
    /// No room was made in time.
    TimedOut,
    /// The host says something else.
    Refused(Status),
}

impl From<Status> for SendError {
    fn from(status: Status) -> SendError {
        match status {
            Status::Closed => SendError::Closed,
            Status::Full => SendError::Full,
            Status::TooLarge => SendError::TooLarge,
            Status::Unsendable => SendError::Unsendable(Unsendable::default()),
            Status::TimedOut => SendError::TimedOut,
            status => SendError::Refused(status),
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Closed => Status::Closed.fmt(f),
            SendError::Full => Status::Full.fmt(f),
            SendError::TooLarge => Status::TooLarge.fmt(f),
            SendError::Unsendable(unsendable) => unsendable.fmt(f),
            SendError::TooDeep => f.write_str(TOO_DEEP),
            SendError::TooManyCapabilities => f.write_str("the message holds more than 255 capabilities"),
            SendError::TimedOut => Status::TimedOut.fmt(f),
            SendError::Refused(status) => status.fmt(f),
        }
    }
}

reads_as_text!(SendError);

/// A message that is not of the type of the port that it came to. It is gone.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Undecodable {
    /// The type that was expected.
    pub type_name: &'static str,
    /// The number of the port, as its `Debug` shows it; 0 for an initial message.
    pub port: u32,
    /// How many of its bytes were in order.
    pub position: usize,
    /// Whether it is nested deeper than 512 levels.
    pub too_deep: bool,
}

impl fmt::Display for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.port != 0 {
            write!(f, "ReceivePort({}): ", self.port)?;
        }
        if self.too_deep {
            return f.write_str(TOO_DEEP);
        }
        write!(f, "the message does not decode as {}, at byte {}", self.type_name, self.position)
    }
}

reads_as_text!(Undecodable);

/// Why a receive got nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecvError {
    /// The port is closed.
    Closed,
    /// Nobody but this isolate can send to the port any more, and nothing is queued.
    Unreachable,
    /// This isolate's handle table has no room for what the message holds; the message is kept.
    /// [`discard`](crate::ReceivePort::discard) drops it.
    TooMany,
    /// The message is not of the port's type; it is gone.
    Undecodable(Undecodable),
    /// The host says something else.
    Refused(Status),
}

impl From<Status> for RecvError {
    fn from(status: Status) -> RecvError {
        match status {
            Status::Closed => RecvError::Closed,
            Status::Unreachable => RecvError::Unreachable,
            Status::TooMany => RecvError::TooMany,
            status => RecvError::Refused(status),
        }
    }
}

impl From<Undecodable> for RecvError {
    fn from(error: Undecodable) -> RecvError {
        RecvError::Undecodable(error)
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecvError::Closed => Status::Closed.fmt(f),
            RecvError::Unreachable => Status::Unreachable.fmt(f),
            RecvError::TooMany => Status::TooMany.fmt(f),
            RecvError::Undecodable(error) => error.fmt(f),
            RecvError::Refused(status) => status.fmt(f),
        }
    }
}

reads_as_text!(RecvError);

/// Why a receive that does not wait got nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryRecvError {
    /// There is nothing now.
    Empty,
    /// The port has nothing and will not.
    Failed(RecvError),
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TryRecvError::Empty => Status::WouldWait.fmt(f),
            TryRecvError::Failed(error) => error.fmt(f),
        }
    }
}

reads_as_text!(TryRecvError);

/// Why a receive that waits for a while got nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecvTimeoutError {
    /// Nothing came in time.
    TimedOut,
    /// The port has nothing and will not.
    Failed(RecvError),
}

impl fmt::Display for RecvTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecvTimeoutError::TimedOut => Status::TimedOut.fmt(f),
            RecvTimeoutError::Failed(error) => error.fmt(f),
        }
    }
}

reads_as_text!(RecvTimeoutError);

/// What was waited for did not come in time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TimedOut;

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Status::TimedOut.fmt(f)
    }
}

reads_as_text!(TimedOut);

/// Why there is no single message.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SingleError {
    /// There is a second one.
    Several,
    /// There is none.
    Failed(RecvError),
}

impl SingleError {
    /// No error, where what came after the only message is the end.
    pub(crate) fn unless_last(next: Result<(), RecvError>) -> Result<(), SingleError> {
        match next {
            Err(RecvError::Closed | RecvError::Unreachable) => Ok(()),
            Ok(()) | Err(RecvError::TooMany | RecvError::Undecodable(_)) => Err(SingleError::Several),
            Err(error @ RecvError::Refused(_)) => Err(SingleError::Failed(error)),
        }
    }
}

impl From<RecvError> for SingleError {
    fn from(error: RecvError) -> SingleError {
        SingleError::Failed(error)
    }
}

impl fmt::Display for SingleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SingleError::Several => f.write_str("there is more than one message"),
            SingleError::Failed(error) => error.fmt(f),
        }
    }
}

reads_as_text!(SingleError);

/// A call that the host refused, and its reason in words: which limit, which grant, which argument.
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

/// Why a job was not submitted to a pool.
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
