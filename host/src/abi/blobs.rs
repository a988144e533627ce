//! `blobs`: bytes that move with a send.

use insula_wire::Status;
use insula_wire::layout::List;
use wasmtime::{Caller, Result};

use super::memory::Fields;
use super::{Definer, State, answer, interface, view};
use crate::port::{Blob, Object};
use crate::sync::Arc;

const BLOBS: &str = interface!("blobs");

/// Parts that one blob can be put together from.
const PARTS_MAX: u32 = 65_536;

pub(super) fn link(linker: &mut Definer) -> Result<()> {
    linker.func_wrap(BLOBS, "create", create)?;
    linker.func_wrap(BLOBS, "length", length)?;
    linker.func_wrap(BLOBS, "read", read)?;
    linker.func_wrap(BLOBS, "take", take)?;
    Ok(())
}

fn create(mut caller: Caller<'_, State>, parts: u32, count: u32, result: u32) -> Result<u32> {
    let (mut guest, state) = view(&mut caller)?;
    if count > PARTS_MAX {
        return answer(Err(state.because(format!("a blob has at most {PARTS_MAX} parts"), Status::Invalid)));
    }
    let mut lists = Vec::new();
    for part in guest.elements(List { pointer: parts, count }, size_of::<List>() as u32)? {
        lists.push(guest.bytes(Fields::new(part).list())?);
    }
    let length: u64 = lists.iter().map(|part| part.len() as u64).sum();
    let limit = state.limits.blob_bytes_max;
    if !state.control.table.lock().has_room_for_blobs(length) {
        return answer(Err(state.because(format!("the limit of {limit} bytes in blobs is reached"), Status::Limit)));
    }
    let blob = Object::Blob(Blob::new(lists.concat()));
    let inserted = state.control.table.lock().insert(blob);
    match inserted {
        Ok(handle) => guest.put_u32s(result, &[handle])?,
        Err(status) => return answer(Err(state.because("the handle table is full", status))),
    }
    answer(Ok(()))
}

/// The blob that a handle names.
fn blob(state: &State, handle: u32) -> std::result::Result<Arc<Blob>, Status> {
    match state.control.table.lock().find(handle)? {
        Object::Blob(blob) => Ok(Arc::clone(blob)),
        Object::Receive(_) | Object::Own(_) | Object::Send(_) | Object::Capability(_) | Object::Control(_) => {
            Err(Status::WrongKind)
        }
    }
}

fn length(mut caller: Caller<'_, State>, handle: u32, result: u32) -> Result<u32> {
    let (mut guest, state) = view(&mut caller)?;
    answer(match blob(state, handle) {
        Ok(blob) => Ok(guest.put_u64(result, blob.len())?),
        Err(status) => Err(status),
    })
}

fn read(mut caller: Caller<'_, State>, handle: u32, offset: u64, at: u32, capacity: u32, result: u32) -> Result<u32> {
    let (mut guest, state) = view(&mut caller)?;
    let blob = match blob(state, handle) {
        Ok(blob) => blob,
        Err(status) => return answer(Err(status)),
    };
    let rest = usize::try_from(offset).ok().and_then(|offset| blob.bytes().get(offset..)).unwrap_or_default();
    let target = guest.bytes_mut(List { pointer: at, count: capacity })?;
    let copied = rest.len().min(target.len());
    target[..copied].copy_from_slice(&rest[..copied]);
    guest.put_u32s(result, &[copied as u32])?;
    answer(Ok(()))
}

fn take(mut caller: Caller<'_, State>, handle: u32, at: u32, capacity: u32, result: u32) -> Result<u32> {
    let (mut guest, state) = view(&mut caller)?;
    let blob = match blob(state, handle) {
        Ok(blob) => blob,
        Err(status) => return answer(Err(status)),
    };
    if blob.len() > u64::from(capacity) {
        return answer(Err(Status::BufferTooSmall));
    }
    let length = blob.len() as u32;
    guest.bytes_mut(List { pointer: at, count: length })?.copy_from_slice(blob.bytes());
    guest.put_u32s(result, &[length])?;
    let taken = state.control.table.lock().take_blob(handle);
    answer(taken.map(drop))
}
