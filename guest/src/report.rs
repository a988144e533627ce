//! What this isolate tells the host of its own failures: panics, uncaught errors; and what stacks mean.

use std::fmt::Display;
use std::io::Write;
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use insula_wire::RemoteError;

use crate::call::Text;
use crate::sys;

static HOOKED: AtomicBool = AtomicBool::new(false);

/// Has panics told to the host: their text and place become the error that listeners get, or that the host prints
/// where nobody listens. Takes the place of the hook that is there, once; a program that wants its own sets it after.
///
/// Called by whatever the SDK makes first. A panic before that goes through Rust's own hook to stderr.
pub(crate) fn install_hook() {
    if cfg!(target_family = "wasm") && !HOOKED.swap(true, Relaxed) {
        std::panic::set_hook(Box::new(tell_panic));
    }
}

fn tell_panic(info: &PanicHookInfo<'_>) {
    let text = info.payload_as_str().unwrap_or("a panic whose payload is no text");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    if sys::panicked(text, &place).is_err() {
        let _ = writeln!(std::io::stderr(), "panicked at {place}: {text}");
    }
}

/// Raises an error that nothing in this isolate handles, as if an entry or a listener had returned it.
///
/// Error listeners get it, or the host prints it where there are none. Where errors are fatal, as by default, this
/// isolate ends and the call does not return (semantics 4.6).
///
/// ```no_run
/// insula_guest::report_error("the disk is on fire");
/// ```
pub fn report_error(error: impl Display) {
    uncaught(&error.to_string());
}

pub(crate) fn uncaught(text: &str) {
    flush();
    let _ = sys::uncaught(text);
}

/// Writes out what `print!` left without a line's end: an isolate may end without Rust's own cleanup.
pub(crate) fn flush() {
    let _ = std::io::stdout().flush();
}

/// The same error with file and line in its stack, where its module carries them.
///
/// Waits while the host reads the module's debug information, for the first error of a module.
///
/// ```no_run
/// # let errors = insula_guest::ReceivePort::<insula_guest::RemoteError>::new();
/// if let Ok(error) = errors.recv() {
///     println!("{}", insula_guest::resolve(&error).stack);
/// }
/// ```
#[must_use]
pub fn resolve(error: &RemoteError) -> RemoteError {
    let stack = sys::text(Text::Frames(&error.stack)).unwrap_or_else(|_| error.stack.clone());
    RemoteError { message: error.message.clone(), stack }
}
