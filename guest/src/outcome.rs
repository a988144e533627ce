//! What an entry, a handler or a timer may return.

use std::fmt::Display;
use std::ops::ControlFlow;

/// What an isolate's own functions may return: nothing (or never), a `Result` of it, or whether to go on.
///
/// An error becomes an uncaught error of the isolate: listeners get its text, and where errors are fatal, as by default,
/// the isolate ends. `Break` out of a handler closes its port, out of a periodic timer cancels it; out of an entry it
/// means nothing.
///
/// ```no_run
/// use insula_guest::{Isolate, SendError, SendPort};
///
/// fn fallible(port: SendPort<u32>) -> Result<(), SendError> {
///     port.send(1)?;
///     port.send(2)
/// }
/// # let port = insula_guest::ReceivePort::new();
/// Isolate::spawn(fallible, port.send_port())?;
/// # Ok::<(), insula_guest::SpawnError>(())
/// ```
pub trait Outcome {
    /// Whether to go on, or the text of the error.
    ///
    /// # Errors
    /// When the function failed.
    fn outcome(self) -> Result<ControlFlow<()>, String>;
}

impl Outcome for () {
    fn outcome(self) -> Result<ControlFlow<()>, String> {
        Ok(ControlFlow::Continue(()))
    }
}

impl Outcome for ControlFlow<()> {
    fn outcome(self) -> Result<ControlFlow<()>, String> {
        Ok(self)
    }
}

impl<O: Outcome, E: Display> Outcome for Result<O, E> {
    fn outcome(self) -> Result<ControlFlow<()>, String> {
        match self {
            Ok(done) => done.outcome(),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// `!`, which has no name of its own in stable Rust: the result of a function that never returns.
type Never = <fn() -> ! as Returns>::Value;

#[doc(hidden)]
pub trait Returns {
    type Value;
}

impl<V> Returns for fn() -> V {
    type Value = V;
}

/// For an entry that ends only when it is killed, or by a panic.
impl Outcome for Never {
    fn outcome(self) -> Result<ControlFlow<()>, String> {
        self
    }
}
