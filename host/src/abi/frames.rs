//! Where a guest is in its code.

use wasmtime::{AsContext, WasmBacktrace};

use super::State;
use crate::control::{At, Call, Flags, Found};
use crate::exit::Frame;

/// Bytes of a function's name that are kept.
const FUNCTION_NAME_BYTES_MAX: usize = 512;

/// Where the guest is, innermost first, as many frames as a trap has. Names are left as the module has them: few of these
/// are ever shown.
pub(crate) fn frames(store: impl AsContext<Data = State>) -> Vec<Frame> {
    let frame = |frame: &wasmtime::FrameInfo| {
        let function =
            frame.func_name().map(|name| name[..name.floor_char_boundary(FUNCTION_NAME_BYTES_MAX)].to_owned());
        Frame { function, index: frame.func_index(), offset: frame.module_offset().map_or(0, |offset| offset as u64) }
    };
    WasmBacktrace::force_capture(store).frames().iter().map(frame).collect()
}

/// Answers whoever asked meanwhile where a guest is whose call is over: while it went on, its frames were out of reach.
pub(crate) fn answer_after(store: impl AsContext<Data = State>, call: Call) {
    let control = &store.as_context().data().control;
    if control.flags.any(Flags::ASKED) {
        control.answer(Found { at: At::Call(Some(call)), frames: frames(&store) });
    }
}

/// Answers whoever asked where a guest is that has a CPU.
pub(crate) fn answer_in_code(store: impl AsContext<Data = State>) {
    let control = &store.as_context().data().control;
    if control.flags.any(Flags::ASKED) {
        control.answer(Found { at: At::Code, frames: frames(&store) });
    }
}
