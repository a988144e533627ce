//! A value that is computed in an isolate of its own, for an embedder.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use insula_wire::{Kind, MailboxPolicy, Priority, RemoteError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{ReceivePort, Received, RecvError, SendPort};
use crate::error::SpawnError;
use crate::host::Host;
use crate::isolate::{Isolate, Module};
use crate::limits::Limits;
use crate::port::codec;
use crate::spawn::Spawn;
use crate::world::{NEVER, Nanos};

/// Why a computation gave no value.
///
/// ```
/// assert_eq!(insula::RunError::TimedOut.to_string(), "the computation took too long");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// It failed, was killed, or ended without a result.
    #[error("{0}")]
    Remote(RemoteError),
    /// It took too long, and was killed.
    #[error("the computation took too long")]
    TimedOut,
}

/// A computation under way; see [`Host::compute`].
///
/// Dropping this value lets the isolate go on, for a result that nobody gets.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::{Host, Spawn};
/// let host = Host::builder().build()?;
/// let module = host.load_file("numbers.wasm")?; // a guest with `export_computation!(square as "square")`
/// let computation = host.compute::<u64, u64>(&module, Spawn::entry("square"), &12)?;
/// assert_eq!(computation.join()?, 144);
/// # Ok(())
/// # }
/// ```
pub struct Computation<V> {
    port: ReceivePort<V>,
    isolate: Isolate,
}

impl Host {
    /// Spawns an isolate that computes a value of `argument`: its entry is an export that a guest made with
    /// `export_computation!`. What `spawn` says otherwise holds, but for its message and its listeners, which are the
    /// computation's own. Dart's `Isolate.run`.
    ///
    /// # Errors
    /// As [`Host::spawn`].
    pub fn compute<A, V>(&self, module: &Module, spawn: Spawn, argument: &A) -> Result<Computation<V>, SpawnError>
    where
        A: Serialize + ?Sized,
        V: 'static,
    {
        // One port of any type for the value, the errors and the end, in the order in which they happened.
        let port = ReceivePort::<V>::untyped(self.inner().links(), &Limits::default(), MailboxPolicy::Error);
        let to_port: SendPort<V> = port.send_port();
        let spawn = spawn.message(&(&to_port, argument));
        let spawn = spawn.told_of_exit(to_port.right().clone(), codec::encode(&(), Kind::Data));
        let isolate = self.spawn(module, spawn.told_of_errors(to_port.right().clone()))?;
        Ok(Computation { port, isolate })
    }
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
    /// Blocks until the value is there.
    ///
    /// # Errors
    /// [`RunError::Remote`] when the isolate failed, was killed, or ended without a value.
    pub fn join(self) -> Result<V, RunError> {
        self.join_until(NEVER)
    }

    /// Blocks for the value so long; then the isolate is killed.
    ///
    /// # Errors
    /// [`RunError::TimedOut`], else as [`Computation::join`].
    pub fn join_timeout(self, timeout: Duration) -> Result<V, RunError> {
        let ends = self.isolate.links().world.after(timeout);
        self.join_until(ends)
    }

    fn join_until(self, ends: Nanos) -> Result<V, RunError> {
        let mut failure = None;
        loop {
            let received = self.port.recv_message_until(ends);
            if matches!(received, Err(RecvError::TimedOut)) {
                self.isolate.kill(Priority::Immediate);
                return Err(RunError::TimedOut);
            }
            if let Some(end) = end_with(received, &mut failure) {
                return end;
            }
        }
    }
}

/// What a message says of how the computation ended, if it does. An error is kept until the end that follows.
fn end_with<V>(
    received: Result<Received<V>, RecvError>,
    failure: &mut Option<RemoteError>,
) -> Option<Result<V, RunError>> {
    match received {
        Ok(Received::Data(value)) => Some(Ok(value)),
        Ok(Received::Error(error)) => {
            *failure = Some(error);
            None
        }
        // The end has the response `()`, which is no value of most types.
        _ => Some(Err(RunError::Remote(failure.take().unwrap_or_else(|| RemoteError {
            message: "the isolate ended without a result".to_owned(),
            stack: String::new(),
        })))),
    }
}

/// Awaiting a computation waits for its value. Dropping the future kills the isolate, since nobody can get the value any
/// more.
impl<V: DeserializeOwned + 'static> IntoFuture for Computation<V> {
    type Output = Result<V, RunError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<V, RunError>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        struct Unfinished(Option<Isolate>);
        impl Drop for Unfinished {
            fn drop(&mut self) {
                self.0.take().inspect(|isolate| isolate.kill(Priority::Immediate));
            }
        }
        Box::pin(async move {
            let mut unfinished = Unfinished(Some(self.isolate));
            let mut failure = None;
            loop {
                let received = self.port.recv_message_async().await;
                if let Some(end) = end_with(received, &mut failure) {
                    unfinished.0 = None;
                    return end;
                }
            }
        })
    }
}

impl<V> fmt::Debug for Computation<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Computation").field("isolate", &self.isolate).finish_non_exhaustive()
    }
}
