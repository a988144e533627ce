//! A value that is computed in an isolate of its own.

use std::time::Duration;

use insula_wire::{Kind, Priority, RemoteError, Status};
use serde::de::DeserializeOwned;

use crate::error::RunError;
use crate::isolate::Isolate;
use crate::receive_port::ReceivePort;
use crate::time;

/// A computation under way; see [`Isolate::compute`].
///
/// Dropping this value lets the isolate go on, for a result that nobody gets.
///
/// ```no_run
/// use insula_guest::Isolate;
///
/// let sum = |(from, to): (u64, u64)| (from..=to).sum::<u64>();
/// let halves = [Isolate::compute(sum, (1, 500))?, Isolate::compute(sum, (501, 1000))?];
/// let mut total = 0;
/// for half in halves {
///     total += half.join()?;
/// }
/// assert_eq!(total, 500_500);
/// # Ok::<(), insula_guest::RunError>(())
/// ```
#[derive(Debug)]
pub struct Computation<V> {
    pub(crate) port: ReceivePort<V>,
    pub(crate) isolate: Isolate,
}

impl<V> Computation<V> {
    /// The isolate that computes.
    #[must_use]
    pub fn isolate(&self) -> &Isolate {
        &self.isolate
    }

    /// Gives it up: the isolate is killed.
    pub fn cancel(self) {
        self.isolate.kill(Priority::Immediate);
    }
}

impl<V: DeserializeOwned> Computation<V> {
    /// Waits for the value.
    ///
    /// # Errors
    /// [`RunError::Remote`] when the isolate failed, was killed, or ended without a value.
    pub fn join(self) -> Result<V, RunError> {
        self.join_until(time::NEVER)
    }

    /// Waits for the value so long; then the isolate is killed.
    ///
    /// # Errors
    /// [`RunError::TimedOut`], else as [`join`](Computation::join).
    pub fn join_timeout(self, timeout: Duration) -> Result<V, RunError> {
        self.join_until(time::deadline_in(timeout))
    }

    /// The value comes before the end, and so does an error, which the end then confirms.
    fn join_until(self, deadline: u64) -> Result<V, RunError> {
        let mut failure = None;
        loop {
            let message = match self.port.incoming(deadline) {
                Ok(message) => message,
                Err(Status::TimedOut) => {
                    self.isolate.kill(Priority::Immediate);
                    return Err(RunError::TimedOut);
                }
                Err(_) => break,
            };
            match message.kind {
                Kind::Data => return message.decode().map_err(|error| remote(error.to_string())),
                Kind::Error => failure = message.decode::<RemoteError>().ok(),
                Kind::Exit => break,
                Kind::Ping => {}
            }
        }
        let failure = failure.map(RunError::Remote);
        Err(failure.unwrap_or_else(|| remote("the isolate ended without a result".to_owned())))
    }
}

fn remote(message: String) -> RunError {
    RunError::Remote(RemoteError { message, stack: String::new() })
}
