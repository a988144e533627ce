//! What a host tells by `tracing`: a span for each isolate, and events of births, ends, errors and compiles.
//!
//! Whether anybody listens is the embedder's: where nobody does, each of these looks at one word. The span is what an
//! isolate has of it. It is kept in a slot of the isolate's `Control`, which does not know what it is; it is entered
//! wherever something is done for the isolate that may tell of more, as wasmtime-wasi does, and it is closed when the
//! isolate ends. Turns and messages are not told here: for those there are observers (`event`).

use std::fmt::Display;
use std::time::Duration;

use insula_wire::RemoteError;
pub(crate) use tracing::Span;

use crate::control::Control;
use crate::digest::Sha256;
use crate::exit::Exit;
use crate::printable::{printable, printable_line};
use crate::sync::Arc;

/// What all of it has as its target.
const TARGET: &str = "insula";

/// An isolate of the host of this number was admitted. Its span has the level of errors, so that it is there whatever is
/// listened for, and has no parent: that is where the spawner was, which may end long before it.
pub(crate) fn born(host: u64, control: &Control, module: &str, parent: Option<&Control>) {
    let span = tracing::error_span!(
        target: TARGET,
        parent: None,
        "isolate",
        host,
        isolate = control.id.number(),
        debug_name = &*printable_line(&control.name()),
        module = &*printable_line(module),
        parent = parent.map(|parent| parent.id.number()),
    );
    if span.is_disabled() {
        return;
    }
    if let Some(parent) = parent {
        span.follows_from(self::span(parent).id());
    }
    tracing::debug!(target: TARGET, parent: &span, "born");
    *control.logged.lock() = Some(Arc::new(span));
}

/// The span of an isolate; one that is none where nobody listens, and of the dead.
pub(crate) fn span(control: &Control) -> Span {
    let logged = control.logged.lock().clone();
    logged.as_ref().and_then(|logged| logged.downcast_ref::<Span>()).map_or_else(Span::none, Span::clone)
}

/// It ended.
pub(crate) fn ended(control: &Control, exit: &Exit) {
    let span = span(control);
    let kept = control.logged.lock().take();
    let reason = exit.reason();
    if exit.is_error() {
        tracing::warn!(target: TARGET, parent: &span, reason, exit = &*exit.to_string(), "ended");
    } else {
        tracing::info!(target: TARGET, parent: &span, reason, exit = &*exit.to_string(), "ended");
    }
    drop(kept);
}

/// An error that nobody listened for; with its end, if it is one.
pub(crate) fn uncaught(span: &Span, error: &RemoteError, exit: Option<&Exit>) {
    tracing::error!(
        name: "uncaught error",
        target: TARGET,
        parent: span,
        reason = exit.map(Exit::reason),
        error = &*printable(&error.message),
        stack = &*printable(&error.stack),
        "uncaught error"
    );
}

/// A trusted one was declared dead in the middle of its code.
pub(crate) fn left_behind(span: &Span) {
    tracing::warn!(target: TARGET, parent: span, "left behind");
}

/// A host begins to close.
pub(crate) fn closing(host: u64, living: usize, grace: Duration) {
    let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
    tracing::debug!(target: TARGET, host, living, grace_ms, "host closing");
}

/// A module was compiled, or found compiled in the cache.
pub(crate) fn code(module: &str, bytes: &[u8], took: Duration, from: Source) {
    let took_us = micros(took);
    let text = match from {
        Source::Compiler => "compiled",
        Source::Cache => "taken from the cache",
    };
    let digest = || Sha256::of(bytes).to_string();
    tracing::debug!(target: TARGET, module = &*printable_line(module), sha256 = &*digest(), took_us, "{text}");
}

/// A module was not compiled: it is not valid, its child was killed, or the compiler failed.
pub(crate) fn refused(module: &str, bytes: &[u8], took: Duration, why: &impl Display) {
    let (digest, why) = (|| Sha256::of(bytes).to_string(), || why.to_string());
    let (module, took_us) = (|| printable_line(module), micros(took));
    tracing::debug!(
        target: TARGET,
        module = &*module(),
        sha256 = &*digest(),
        took_us,
        error = &*printable(&why()),
        "not compiled"
    );
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Where code comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    Compiler,
    Cache,
}
