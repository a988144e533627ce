//! How a life ended: what wasmtime's result means as an [`Exit`].

use wasmtime::{Error, Trap, WasmBacktrace};

use crate::abi::{Ended, State};
use crate::control::Flags;
use crate::exit::{Exit, Frame};

/// The exit that a finished call means. `state` knows what the guest reported before it.
pub(super) fn exit_of(result: Result<(), Error>, state: &mut State) -> Exit {
    let error = match result {
        Ok(()) => return Exit::Returned,
        Err(error) => error,
    };
    if let Some(Ended(exit)) = error.downcast_ref::<Ended>() {
        return exit.clone();
    }
    let entered = state.control.flags.any(Flags::ENTERED);
    let exit = match error.downcast_ref::<Trap>() {
        Some(trap) => trapped(*trap, &error, state),
        None => untrapped(&error, state, entered),
    };
    let told_as_itself = matches!(exit, Exit::Limit { .. } | Exit::HostFault { .. });
    match exit.error() {
        Some(error) if !entered && !told_as_itself => Exit::StartFailed { error },
        Some(_) | None => exit,
    }
}

fn trapped(trap: Trap, error: &Error, state: &mut State) -> Exit {
    let frames = frames(error);
    let reported = state.panic.take().filter(|_| state.panicking.get());
    match (trap, reported, state.refused.take()) {
        (Trap::UnreachableCodeReached, Some((message, place)), _) => Exit::Panicked { message, place, frames },
        (Trap::UnreachableCodeReached, None, Some((which, value))) => Exit::Limit { which: which.to_owned(), value },
        (Trap::UnreachableCodeReached, None, None) => Exit::Trapped { kind: "unreachable".to_owned(), frames },
        (trap, _, _) => Exit::Trapped { kind: words(trap), frames },
    }
}

/// The trap's kind without the prefix that all of wasmtime's have.
fn words(trap: Trap) -> String {
    let text = trap.to_string();
    text.strip_prefix("wasm trap: ").unwrap_or(&text).to_owned()
}

/// An error without a trap: the host could not give what an instance needs, or an import failed.
fn untrapped(error: &Error, state: &mut State, entered: bool) -> Exit {
    if let Some((which, value)) = state.refused.take() {
        return Exit::Limit { which: which.to_owned(), value };
    }
    let frames = frames(error);
    let message = error.root_cause().to_string();
    if frames.is_empty() && !entered {
        return Exit::HostFault { message };
    }
    Exit::Trapped { kind: message, frames }
}

fn frames(error: &Error) -> Vec<Frame> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    backtrace.frames().iter().map(frame).collect()
}

/// Bytes of one function's name that a frame keeps: a name is the guest's, and may be as long as it likes.
const NAME_BYTES_MAX: usize = 512;

fn frame(frame: &wasmtime::FrameInfo) -> Frame {
    let name = frame.func_name().map(|name| {
        let demangled = match name.len() {
            0..=NAME_BYTES_MAX => format!("{:#}", rustc_demangle::demangle(name)),
            _ => name.to_owned(),
        };
        demangled.chars().take(NAME_BYTES_MAX).collect()
    });
    let offset = frame.module_offset().map_or(0, |offset| offset as u64);
    Frame { function: name, index: frame.func_index(), offset }
}
