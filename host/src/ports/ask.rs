//! A question and its answer, for an embedder.

use std::time::Duration;

use insula_wire::{MailboxPolicy, Status};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{ReceivePort, RecvError, SendPort};
use crate::error::SendError;
use crate::limits::Limits;

/// Why a question got no answer; see [`SendPort::ask`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use insula::{AskError, SendPort};
/// let host = insula::Host::builder().isolates(1).build()?;
/// let questions = host.receive_port::<SendPort<u32>>();
/// let asked = questions.send_port().ask::<u32, _>(|reply| reply, Duration::ZERO);
/// assert_eq!(asked, Err(AskError::TimedOut));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// It was not sent.
    #[error("{0}")]
    Unasked(SendError),
    /// No answer came in time.
    #[error("no answer came in time")]
    TimedOut,
    /// Nobody can answer any more: whoever had the port for the answer dropped it, or is dead.
    #[error("nobody can answer any more")]
    Unreachable,
    /// What came is no answer.
    #[error("{0}")]
    Failed(RecvError),
}

impl<Q: Serialize> SendPort<Q> {
    /// Sends a question that carries a port for the answer, and blocks the calling thread until that comes.
    ///
    /// The port for the answer is new, takes one message, and is closed whatever happens. When whoever has the question
    /// drops the port or dies, the wait is over at once.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use insula::{Host, SendPort};
    /// let host = Host::builder().isolates(1).build()?;
    /// let questions = host.receive_port::<(u64, SendPort<u64>)>();
    /// let squares = questions.send_port();
    /// std::thread::spawn(move || {
    ///     let (of, reply) = questions.recv()?;
    ///     reply.send(of * of).ok();
    ///     Ok::<(), insula::RecvError>(())
    /// });
    /// let answer = squares.ask(|reply| (12, reply), Duration::from_secs(10))?;
    /// assert_eq!(answer, 144_u64);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A question that cannot be sent, no answer, or one that is no `A`; see [`AskError`].
    pub fn ask<A, F>(&self, question: F, timeout: Duration) -> Result<A, AskError>
    where
        A: DeserializeOwned + 'static,
        F: FnOnce(SendPort<A>) -> Q,
    {
        let ends = self.links().world.after(timeout);
        let answers = self.answers();
        self.send_until(&question(answers.send_port()), ends).map_err(unasked)?;
        answers.recv_message_until(ends).and_then(super::receive::data).map_err(unanswered)
    }

    /// As [`SendPort::ask`], as a future, which the caller's own executor may give up after a time. Dropped, it closes the
    /// port for the answer.
    ///
    /// # Errors
    /// As there, but for the time.
    pub async fn ask_async<A, F>(&self, question: F) -> Result<A, AskError>
    where
        A: DeserializeOwned + 'static,
        F: FnOnce(SendPort<A>) -> Q,
    {
        let answers = self.answers();
        let question = question(answers.send_port());
        self.send_async(question).await.map_err(unasked)?;
        answers.recv_async().await.map_err(unanswered)
    }

    fn answers<A: 'static>(&self) -> ReceivePort<A> {
        ReceivePort::open(self.links(), &Limits::default(), MailboxPolicy::Error)
    }
}

fn unasked(error: SendError) -> AskError {
    if error.status == Status::TimedOut { AskError::TimedOut } else { AskError::Unasked(error) }
}

fn unanswered(error: RecvError) -> AskError {
    match error {
        RecvError::TimedOut => AskError::TimedOut,
        RecvError::Unreachable => AskError::Unreachable,
        error => AskError::Failed(error),
    }
}
