//! How a life ended: what wasmtime's result means as an [`Exit`].

use wasmtime::{Error, Trap, WasmBacktrace};

use crate::abi::{Ended, State};
use crate::control::Flags;
use crate::exit::{Exit, Frame};
use crate::module::Code;

/// The exit that a finished call means. `state` knows what the guest reported before it.
pub(super) fn exit_of(result: &Result<(), Error>, code: &Code, state: &mut State) -> Exit {
    let error = match result {
        Ok(()) => return Exit::Returned,
        Err(error) => error,
    };
    if let Some(Ended(exit)) = error.downcast_ref::<Ended>() {
        return exit.clone();
    }
    let entered = state.control.flags.any(Flags::ENTERED);
    let exit = match error.downcast_ref::<Trap>() {
        Some(trap) => trapped(*trap, frames(error, code), state),
        None => untrapped(error, code, state, entered),
    };
    let told_as_itself = matches!(exit, Exit::Limit { .. } | Exit::HostFault { .. });
    if entered || told_as_itself {
        return exit;
    }
    match exit.error() {
        Some(error) => Exit::StartFailed { error },
        None => exit,
    }
}

fn trapped(trap: Trap, frames: Vec<Frame>, state: &mut State) -> Exit {
    let reported = state.panic.take().filter(|_| state.panicking.get());
    match (trap, reported, state.refused.take()) {
        (Trap::OutOfFuel, ..) => {
            Exit::Limit { which: "fuel".to_owned(), value: state.limits.fuel_max.unwrap_or(u64::MAX) }
        }
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
fn untrapped(error: &Error, code: &Code, state: &mut State, entered: bool) -> Exit {
    if let Some((which, value)) = state.refused.take() {
        return Exit::Limit { which: which.to_owned(), value };
    }
    let frames = frames(error, code);
    let message = error.root_cause().to_string();
    if frames.is_empty() && !entered {
        return Exit::HostFault { message };
    }
    Exit::Trapped { kind: message, frames }
}

fn frames(error: &Error, code: &Code) -> Vec<Frame> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    backtrace.frames().iter().map(|of| frame(of, code)).collect()
}

fn frame(frame: &wasmtime::FrameInfo, code: &Code) -> Frame {
    let function = frame.func_name().map(|name| code.names.shown(frame.func_index(), name));
    let offset = frame.module_offset().map_or(0, |offset| offset as u64);
    Frame { function, index: frame.func_index(), offset }
}
