//! `report`: what a guest tells the host about its errors.

use insula_wire::layout::List;
use insula_wire::{RemoteError, Status};
use wasmtime::{Caller, Result};

use super::{Definer, Ended, State, answer, answer_after, in_call, interface, view};
use crate::control::{Call, Flags, Reported};
use crate::exit::Exit;
use crate::sync::Arc;

const REPORT: &str = interface!("report");

/// Bytes of a reported text that are kept.
const TEXT_BYTES_MAX: u32 = 16 << 10;

pub(super) fn link(linker: &mut Definer) -> Result<()> {
    linker.func_wrap(REPORT, "panic", panic)?;
    linker.func_wrap(REPORT, "entered", entered)?;
    linker.func_wrap(REPORT, "error", error)?;
    linker.func_wrap(REPORT, "last-error", last_error)?;
    linker.func_wrap_async(REPORT, "resolve", |caller, (stack, length, at, capacity, result)| {
        Box::new(resolve(caller, text(stack, length), text(at, capacity), result))
    })?;
    Ok(())
}

fn text(pointer: u32, count: u32) -> List {
    List { pointer, count }
}

/// A reported text, lossy where it is not UTF-8: it is only ever shown.
fn shown(bytes: &[u8]) -> String {
    let kept = bytes.len().min(TEXT_BYTES_MAX as usize);
    String::from_utf8_lossy(&bytes[..kept]).into_owned()
}

fn panic(mut caller: Caller<'_, State>, message: u32, length: u32, place: u32, place_length: u32) -> Result<u32> {
    let (guest, state) = view(&mut caller)?;
    let report = (shown(guest.bytes(text(message, length))?), shown(guest.bytes(text(place, place_length))?));
    state.panic = Some(report);
    state.panicking.set(true);
    answer(Ok(()))
}

fn entered(caller: Caller<'_, State>) -> Result<u32> {
    let state = caller.data();
    state.called();
    state.control.flags.set(Flags::ENTERED);
    answer(Ok(()))
}

fn error(mut caller: Caller<'_, State>, message: u32, length: u32) -> Result<u32> {
    let (guest, state) = view(&mut caller)?;
    let error = RemoteError { message: shown(guest.bytes(text(message, length))?), stack: String::new() };
    if !state.control.flags.any(Flags::ENTERED) {
        return Err(Ended::error(Exit::StartFailed { error }));
    }
    match state.control.report(error) {
        Reported::Fatal(exit) => return Err(Ended::error(exit)),
        Reported::Uncaught(error) => (state.place.uncaught)(&state.control, error, None),
        Reported::Told => {
            #[cfg(feature = "testing")]
            state.place.world.note(|| format!("{} tells its listeners an error", state.control.label()));
        }
    }
    answer(Ok(()))
}

fn last_error(mut caller: Caller<'_, State>, at: u32, capacity: u32, result: u32) -> Result<u32> {
    let last_error = std::mem::take(&mut caller.data_mut().last_error);
    let (mut guest, state) = view(&mut caller)?;
    let put = guest.put_text(text(at, capacity), &last_error, result);
    state.last_error = last_error;
    put?;
    answer(Ok(()))
}

async fn resolve(mut caller: Caller<'_, State>, stack: List, buffer: List, result: u32) -> Result<u32> {
    let (guest, state) = view(&mut caller)?;
    if stack.count > TEXT_BYTES_MAX {
        return answer(Err(Status::TooLarge));
    }
    let _at_work = state.place.world.at_work();
    let (control, resolving) = (Arc::clone(&state.control), (state.place.resolve)(shown(guest.bytes(stack)?)));
    let resolved = in_call(&control, Call::Resolve, resolving).await;
    answer_after(&caller, Call::Resolve);
    let (mut guest, _) = view(&mut caller)?;
    guest.put_text(buffer, &resolved, result)?;
    answer(Ok(()))
}
