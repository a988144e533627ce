//! How a spawned isolate begins: from a function that its parent named, through the initial message, to the event loop.
//!
//! A parent cannot hand code to a child, but both are instances of one module, in which a function has the same number
//! everywhere. So [`number_of`] a function is that of a trampoline made for it, which knows its types: it fetches and
//! decodes the message, calls the function, and reports what it returned. The function itself needs no bytes to travel:
//! a fn item, or a closure that captures nothing, is a value of size zero.

use insula_wire::Status;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::call::{Source, Text};
use crate::error::RecvError;
use crate::isolate::Isolate;
use crate::message::Incoming;
use crate::outcome::Outcome;
use crate::pool::worker;
use crate::send_port::SendPort;
use crate::sys;
use crate::{event_loop, report};

/// The number under which a child of this module finds `entry`.
pub(crate) fn number_of<F, T, R>(_entry: F) -> u32
where
    F: Fn(T) -> R + Copy + 'static,
    T: DeserializeOwned,
    R: Outcome,
{
    fn trampoline<F, T, R>()
    where
        F: Fn(T) -> R + Copy + 'static,
        T: DeserializeOwned,
        R: Outcome,
    {
        begin(sys::conjure::<F>());
    }
    sys::index_of(trampoline::<F, T, R>)
}

/// The number under which a child finds a `computation`, which exits with what that returns.
pub(crate) fn number_of_computation<F, A, V>(_computation: F) -> u32
where
    F: Fn(A) -> V + Copy + 'static,
    A: DeserializeOwned,
    V: Serialize,
{
    fn trampoline<F, A, V>()
    where
        F: Fn(A) -> V + Copy + 'static,
        A: DeserializeOwned,
        V: Serialize,
    {
        compute(sys::conjure::<F>());
    }
    sys::index_of(trampoline::<F, A, V>)
}

/// Exits with what a computation returns.
fn compute<F, A, V>(computation: F)
where
    F: Fn(A) -> V,
    A: DeserializeOwned,
    V: Serialize,
{
    begin(|(result, argument): (SendPort<V>, A)| Err::<(), _>(Isolate::exit(&result, computation(argument))));
}

/// The number under which a worker of a pool finds a `job`.
pub(crate) fn number_of_job<F, A, V>(_job: F) -> u32
where
    F: Fn(A) -> V + Copy + 'static,
    A: DeserializeOwned,
    V: Serialize,
{
    fn trampoline<F, A, V>()
    where
        F: Fn(A) -> V + Copy + 'static,
        A: DeserializeOwned,
        V: Serialize,
    {
        worker::work_on(sys::conjure::<F>());
    }
    sys::index_of(trampoline::<F, A, V>)
}

/// The name of a function for people: its path from the last module on.
pub(crate) fn name_of<F>() -> &'static str {
    last_name(std::any::type_name::<F>())
}

/// By bytes: the searches of `str` would be the largest functions of a small program.
fn last_name(path: &'static str) -> &'static str {
    let mut start = 0;
    for (at, pair) in path.as_bytes().windows(3).enumerate() {
        match pair {
            b"::{" => {}
            [b':', b':', _] => start = at + 2,
            [b'<', ..] => break,
            _ => {}
        }
    }
    path.get(start..).unwrap_or(path)
}

/// The life of a spawned isolate, with `entry` as what it does first.
pub(crate) fn enter(entry: impl FnOnce()) {
    report::install_hook();
    entry();
    event_loop::run();
}

/// The life of an isolate that computes a value for an embedder.
#[doc(hidden)]
pub fn enter_computation<F, A, V>(computation: F)
where
    F: Fn(A) -> V,
    A: DeserializeOwned,
    V: Serialize,
{
    sys::construct();
    enter(|| compute(computation));
}

/// The life of an isolate that was spawned by an export's name.
#[doc(hidden)]
pub fn enter_export<F, T, R>(entry: F)
where
    F: Fn(T) -> R,
    T: DeserializeOwned,
    R: Outcome,
{
    sys::construct();
    enter(|| begin(entry));
}

fn begin<F, T, R>(entry: F)
where
    F: Fn(T) -> R,
    T: DeserializeOwned,
    R: Outcome,
{
    let outcome = birth_message().and_then(|message| {
        let _ = sys::report_entered(); // until here it was birth that failed
        entry(message).outcome()
    });
    if let Err(error) = outcome {
        report::uncaught(&error);
    }
}

/// The message that this isolate was born with, once: for the `main` of a module that was spawned with
/// [`Spawn::spawn_module`](crate::Spawn::spawn_module), or by an embedder. Its arguments are
/// [`std::env::args`], after the module's name.
///
/// ```no_run
/// use insula_guest::SendPort;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let reply: SendPort<String> = insula_guest::initial_message()?.ok_or("spawned without a port")?;
///     reply.send("hello from another module".to_owned())?;
///     Ok(())
/// }
/// ```
///
/// # Errors
/// When the message is not a `T`, or this isolate's handle table has no room for what it holds.
pub fn initial_message<T: DeserializeOwned>() -> Result<Option<T>, RecvError> {
    report::install_hook();
    match Incoming::take(Source::Birth) {
        Err(Status::NotFound) => Ok(None),
        taken => {
            let message = taken?.decode();
            let _ = sys::report_entered(); // a failed start would be over with the entry that this is called from
            Ok(Some(message?))
        }
    }
}

/// A value that this isolate was configured with, by its name. None without the grant for it, `Grant::config` of an
/// embedder's or [`Grant::Config`](crate::Grant::Config) of a parent's.
///
/// ```no_run
/// let threshold: f64 = insula_guest::config("threshold").and_then(|text| text.parse().ok()).unwrap_or(0.5);
/// ```
#[must_use]
pub fn config(name: &str) -> Option<String> {
    sys::text(Text::Config(name)).ok()
}

fn birth_message<T: DeserializeOwned>() -> Result<T, String> {
    let message = match Incoming::take(Source::Birth) {
        Err(Status::NotFound) => Incoming::none(),
        taken => taken.map_err(|status| status.to_string())?,
    };
    message.decode().map_err(|error| format!("initial message: {error}"))
}

#[cfg(test)]
mod tests {
    use super::last_name;

    #[test]
    fn a_function_is_called_by_its_last_name() {
        assert_eq!(last_name("pingpong::worker"), "worker");
        assert_eq!(last_name("app::jobs::Job<app::Kind>::run"), "Job<app::Kind>::run");
        assert_eq!(last_name("app::main::{{closure}}"), "main::{{closure}}");
        assert_eq!(last_name("worker"), "worker");
    }
}
