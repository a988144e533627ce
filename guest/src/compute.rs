//! A value that is computed in an isolate of its own.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use insula_wire::{Kind, Priority, RemoteError, Status};
use serde::de::DeserializeOwned;

use crate::error::RunError;
use crate::isolate::Isolate;
use crate::message::Incoming;
use crate::receive_port::ReceivePort;
use crate::task::Receiving;
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
            if let Some(end) = end_with(message, &mut failure) {
                return end;
            }
        }
        Err(without_value(failure))
    }
}

/// Awaiting a computation waits for its value. Dropping the future kills the isolate, since nobody can get the value any
/// more: so do a [`timeout`](crate::task::timeout) that passes and a [`select`](crate::task::select) that is lost.
impl<V: DeserializeOwned + 'static> IntoFuture for Computation<V> {
    type Output = Result<V, RunError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<V, RunError>>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let mut unfinished = KilledOnDrop(Some(self.isolate));
            let mut failure = None;
            let end = loop {
                let Ok(message) = Receiving::new(self.port.handle.number()).await else { break None };
                let end = end_with(message, &mut failure);
                if end.is_some() {
                    break end;
                }
            };
            unfinished.0 = None;
            end.unwrap_or_else(|| Err(without_value(failure)))
        })
    }
}

struct KilledOnDrop(Option<Isolate>);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        self.0.take().inspect(|isolate| isolate.kill(Priority::Immediate));
    }
}

/// What a message says of how the computation ended, if it does. An error is kept until the end that follows.
fn end_with<V: DeserializeOwned>(message: Incoming, failure: &mut Option<RemoteError>) -> Option<Result<V, RunError>> {
    match message.kind {
        Kind::Data => return Some(message.decode().map_err(|error| remote(error.to_string()))),
        Kind::Error => *failure = message.decode().ok(),
        Kind::Exit => return Some(Err(without_value(failure.take()))),
        Kind::Ping => {}
    }
    None
}

fn without_value(failure: Option<RemoteError>) -> RunError {
    failure.map_or_else(|| remote("the isolate ended without a result".to_owned()), RunError::Remote)
}

fn remote(message: String) -> RunError {
    RunError::Remote(RemoteError { message, stack: String::new() })
}

/// Gives a function to embedders as a computation: `Host::compute(&module, Spawn::entry("square"), &12)` there gets what
/// it returns.
///
/// An error that the function returns comes back as it is, inside of the value. The name is one lower-case word.
///
/// ```no_run
/// fn square(number: u64) -> u64 {
///     number * number
/// }
/// insula_guest::export_computation!(square as "square");
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export_computation {
    ($entry:path as $name:literal) => {
        $crate::__export!($crate::enter_computation, $entry, $name);
    };
}
