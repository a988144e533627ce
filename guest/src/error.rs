//! What can go wrong, an enum for each operation. Every one of them is for the guest to handle: what the host cannot
//! forgive is a trap, and never comes back as a value. `Debug` of each is its text.

use std::error::Error;
use std::fmt;

use insula_wire::Status;
use insula_wire::codec::{TOO_DEEP, Unsendable};

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

mod calls;

pub use calls::{AskError, CallError, ControlError, JobError, Refused, RunError, SpawnError, SubmitError};

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
///
/// ```no_run
/// # let port = insula_guest::ReceivePort::<u32>::new();
/// if let Err(insula_guest::RecvError::Undecodable(message)) = port.recv() {
///     println!("no {}, after {} bytes", message.type_name, message.position);
/// }
/// ```
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
///
/// ```no_run
/// use insula_guest::RecvError;
///
/// # fn receive(port: &insula_guest::ReceivePort<String>) -> Result<Option<String>, RecvError> {
/// match port.recv() {
///     Err(RecvError::Closed | RecvError::Unreachable) => Ok(None), // the end, as of a loop over the port
///     received => received.map(Some),
/// }
/// # }
/// ```
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
///
/// ```no_run
/// use insula_guest::TryRecvError;
///
/// # let port = insula_guest::ReceivePort::<String>::new();
/// match port.try_recv() {
///     Ok(line) => println!("{line}"),
///     Err(TryRecvError::Empty) => println!("perhaps later"),
///     Err(error) => println!("never: {error}"),
/// }
/// ```
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
///
/// ```no_run
/// use std::time::Duration;
/// use insula_guest::RecvTimeoutError;
///
/// # let port = insula_guest::ReceivePort::<String>::new();
/// match port.recv_timeout(Duration::from_secs(1)) {
///     Ok(line) => println!("{line}"),
///     Err(RecvTimeoutError::TimedOut) => println!("perhaps later"),
///     Err(error) => println!("never: {error}"),
/// }
/// ```
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
///
/// ```no_run
/// use std::time::Duration;
/// use insula_guest::{TimedOut, task};
///
/// # async fn all_day() {}
/// # async fn work() {
/// let done = task::timeout(Duration::from_secs(1), all_day()).await;
/// assert_eq!(done, Err(TimedOut));
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TimedOut;

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Status::TimedOut.fmt(f)
    }
}

reads_as_text!(TimedOut);

/// Why there is no single message.
///
/// ```no_run
/// use insula_guest::SingleError;
///
/// # let port = insula_guest::ReceivePort::<String>::new();
/// match port.single() {
///     Ok(answer) => println!("{answer}"),
///     Err(SingleError::Several) => println!("they do not agree"),
///     Err(error) => println!("no answer: {error}"),
/// }
/// ```
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
