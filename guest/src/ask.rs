//! A question and its answer.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{AskError, RecvError, RecvTimeoutError, SendError};
use crate::receive_port::ReceivePort;
use crate::send_port::SendPort;
use crate::time;

impl<Q: Serialize> SendPort<Q> {
    /// Sends a question that carries a port for the answer, and waits for the answer.
    ///
    /// The port for the answer is new, takes one message, and is closed whatever happens: a late answer finds it closed.
    /// When whoever has the question drops the port or dies, the wait is over at once.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use insula_guest::{Isolate, ReceivePort, SendPort};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct Square { of: u64, reply: SendPort<u64> }
    ///
    /// fn squares(to_main: SendPort<SendPort<Square>>) {
    ///     let questions = ReceivePort::<Square>::new();
    ///     to_main.send(questions.send_port()).ok();
    ///     for question in questions {
    ///         question.reply.send(question.of * question.of).ok();
    ///     }
    /// }
    ///
    /// let port = ReceivePort::new();
    /// Isolate::spawn(squares, port.send_port())?;
    /// let squares = port.first()?;
    /// let answer = squares.ask(|reply| Square { of: 12, reply }, Duration::from_secs(1))?;
    /// assert_eq!(answer, 144);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A question that cannot be sent, no answer, or one that is no `A`; see [`AskError`].
    ///
    /// # Panics
    /// When this isolate may have no more ports.
    pub fn ask<A, F>(&self, question: F, timeout: Duration) -> Result<A, AskError>
    where
        A: DeserializeOwned,
        F: FnOnce(SendPort<A>) -> Q,
    {
        let deadline = time::deadline_in(timeout);
        let reply = ReceivePort::new();
        self.send_until(&question(reply.send_port()), deadline).map_err(unasked)?;
        reply.recv_until(deadline).map_err(unanswered)
    }
}

fn unasked(error: SendError) -> AskError {
    match error {
        SendError::TimedOut => AskError::TimedOut,
        error => AskError::Unasked(error),
    }
}

fn unanswered(error: RecvTimeoutError) -> AskError {
    match error {
        RecvTimeoutError::TimedOut => AskError::TimedOut,
        RecvTimeoutError::Failed(RecvError::Unreachable) => AskError::Unreachable,
        RecvTimeoutError::Failed(error) => AskError::Failed(error),
    }
}
