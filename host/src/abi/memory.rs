//! The only code that turns a guest's pointer and length into bytes.
//!
//! A pointer outside of the guest's memory is a trap of that guest. Nothing is allocated before the bounds are checked.

use insula_wire::Status;
use insula_wire::layout::{self, List};
use wasmtime::{Caller, Extern, Result, Trap};

use super::{Ended, State};
use crate::control::Flags;
use crate::exit::Exit;

/// The linear memory of the guest that calls.
pub(crate) struct Guest<'a>(&'a mut [u8]);

/// The memory and the state of the guest that calls.
///
/// # Errors
/// A trap where the module exports no memory; [`Ended`] where the isolate is to end: without epoch checks it would not
/// hear of it between its waits.
pub(crate) fn view<'a>(caller: &'a mut Caller<'_, State>) -> Result<(Guest<'a>, &'a mut State)> {
    let control = &caller.data().control;
    if control.flags.any(Flags::END) {
        return Err(Ended::error(control.ending().unwrap_or(Exit::HostClosed)));
    }
    let memory = match caller.data().memory {
        Some(memory) => memory,
        // A start function runs before the instance is handed out.
        None => match caller.get_export("memory") {
            Some(Extern::Memory(memory)) => *caller.data_mut().memory.insert(memory),
            Some(_) | None => return Err(Trap::MemoryOutOfBounds.into()),
        },
    };
    let (bytes, state) = memory.data_and_store_mut(caller);
    state.called();
    // What is refused from here on has its own reason.
    state.last_error.clear();
    Ok((Guest(bytes), state))
}

impl Guest<'_> {
    /// These bytes.
    pub(crate) fn bytes(&self, list: List) -> Result<&[u8]> {
        let range = range(list.pointer, u64::from(list.count))?;
        self.0.get(range).ok_or_else(|| Trap::MemoryOutOfBounds.into())
    }

    /// These bytes, to be filled.
    pub(crate) fn bytes_mut(&mut self, list: List) -> Result<&mut [u8]> {
        let range = range(list.pointer, u64::from(list.count))?;
        self.0.get_mut(range).ok_or_else(|| Trap::MemoryOutOfBounds.into())
    }

    /// A text; what is not UTF-8 has no meaning.
    pub(crate) fn text(&self, list: List) -> Result<Result<String, Status>> {
        Ok(std::str::from_utf8(self.bytes(list)?).map(str::to_owned).map_err(|_| Status::Invalid))
    }

    /// The elements of a list, each this many bytes.
    pub(crate) fn elements(&self, list: List, size: u32) -> Result<std::slice::ChunksExact<'_, u8>> {
        let range = range(list.pointer, u64::from(list.count) * u64::from(size))?;
        let bytes = self.0.get(range).ok_or(Trap::MemoryOutOfBounds)?;
        Ok(bytes.chunks_exact(size as usize))
    }

    /// A list of handles, and of any other u32.
    pub(crate) fn handles(&self, list: List) -> Result<Vec<u32>> {
        Ok(self.elements(list, 4)?.map(u32_of).collect())
    }

    /// Fills a list of handles.
    pub(crate) fn put_handles(&mut self, pointer: u32, handles: &[u32]) -> Result<()> {
        for (at, handle) in (0_u32..).zip(handles) {
            let pointer = pointer.checked_add(at * 4).ok_or(Trap::MemoryOutOfBounds)?;
            self.put_u32s(pointer, &[*handle])?;
        }
        Ok(())
    }

    /// Writes numbers one after another: a record of u32 fields.
    pub(crate) fn put_u32s(&mut self, pointer: u32, values: &[u32]) -> Result<()> {
        let count = u32::try_from(values.len() * 4).expect("records are small");
        let target = self.bytes_mut(List { pointer, count })?;
        for (target, value) in target.chunks_exact_mut(4).zip(values) {
            target.copy_from_slice(&value.to_le_bytes());
        }
        Ok(())
    }

    /// Writes a u64.
    pub(crate) fn put_u64(&mut self, pointer: u32, value: u64) -> Result<()> {
        self.put_u32s(pointer, &[value as u32, (value >> 32) as u32])
    }

    /// Copies as much of the text as the buffer holds, and says how long it is.
    pub(crate) fn put_text(&mut self, buffer: List, text: &str, length: u32) -> Result<()> {
        let target = self.bytes_mut(buffer)?;
        let copied = target.len().min(text.len());
        target[..copied].copy_from_slice(&text.as_bytes()[..copied]);
        self.put_u32s(length, &[u32::try_from(text.len()).unwrap_or(u32::MAX)])
    }

    /// A `spawn-options` record.
    pub(crate) fn spawn_options(&self, pointer: u32) -> Result<layout::SpawnOptions> {
        let mut fields = Fields::of(self, pointer, size_of::<layout::SpawnOptions>())?;
        Ok(layout::SpawnOptions {
            message: fields.payload(),
            debug_name: fields.list(),
            paused: fields.u32(),
            errors_are_fatal: fields.u32(),
            scoped: fields.u32(),
            inherit_grants: fields.u32(),
            on_exit: fields.u32(),
            on_exit_schema: fields.u64(),
            on_exit_response: fields.payload(),
            on_error: fields.u32(),
            on_error_schema: fields.u64(),
            limits: fields.list(),
            grants: fields.list(),
        })
    }

    /// A `payload` record.
    pub(crate) fn payload(&self, pointer: u32) -> Result<layout::Payload> {
        Ok(Fields::of(self, pointer, size_of::<layout::Payload>())?.payload())
    }
}

fn range(pointer: u32, length: u64) -> Result<std::ops::Range<usize>> {
    let start = u64::from(pointer);
    let end = start + length;
    let inside = |at: u64| usize::try_from(at).map_err(|_| Trap::MemoryOutOfBounds);
    Ok(inside(start)?..inside(end)?)
}

/// A record, read field by field in the order of its C layout.
pub(crate) struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    fn of(guest: &'a Guest<'_>, pointer: u32, size: usize) -> Result<Fields<'a>> {
        let count = u32::try_from(size).expect("records are small");
        Ok(Fields { bytes: guest.bytes(List { pointer, count })?, at: 0 })
    }

    /// The record in these bytes.
    pub(crate) fn new(bytes: &'a [u8]) -> Fields<'a> {
        Fields { bytes, at: 0 }
    }

    /// The next field.
    pub(crate) fn u32(&mut self) -> u32 {
        let value = u32_of(&self.bytes[self.at..self.at + 4]);
        self.at += 4;
        value
    }

    /// The next field, which is aligned to 8.
    pub(crate) fn u64(&mut self) -> u64 {
        self.at = self.at.next_multiple_of(8);
        let (low, high) = (self.u32(), self.u32());
        u64::from(low) | u64::from(high) << 32
    }

    /// The next field.
    pub(crate) fn list(&mut self) -> List {
        List { pointer: self.u32(), count: self.u32() }
    }

    fn payload(&mut self) -> layout::Payload {
        layout::Payload { bytes: self.list(), capabilities: self.list() }
    }
}

fn u32_of(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes.try_into().expect("the caller gives four bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(pointer: u32, count: u32) -> List {
        List { pointer, count }
    }

    #[test]
    fn pointers_at_the_edges_trap_and_never_wrap() {
        let mut bytes = vec![0; 16];
        let mut guest = Guest(&mut bytes);
        assert!(guest.bytes(list(16, 0)).is_ok());
        assert!(guest.bytes(list(0, 16)).is_ok());
        for (pointer, count) in [(17, 0), (0, 17), (u32::MAX, 1), (u32::MAX, u32::MAX), (8, u32::MAX)] {
            assert!(guest.bytes(list(pointer, count)).is_err(), "{pointer} {count}");
            assert!(guest.bytes_mut(list(pointer, count)).is_err(), "{pointer} {count}");
        }
        assert!(guest.handles(list(4, u32::MAX)).is_err());
        assert!(guest.put_u32s(13, &[1]).is_err());
        assert!(guest.put_handles(u32::MAX - 1, &[1, 2]).is_err());
        assert!(guest.put_handles(8, &[1, 2]).is_ok());
        assert_eq!(guest.handles(list(8, 2)).unwrap(), [1, 2]);
    }

    #[test]
    fn records_are_read_as_c_lays_them_out() {
        let mut bytes: Vec<u8> = (0..=255).collect();
        let guest = Guest(&mut bytes);
        let options = guest.spawn_options(8).unwrap();
        let at = |offset: usize| u32::from_le_bytes(std::array::from_fn(|n| (8 + offset + n) as u8));
        assert_eq!(options.on_exit, at(std::mem::offset_of!(layout::SpawnOptions, on_exit)));
        let schema = std::mem::offset_of!(layout::SpawnOptions, on_error_schema);
        assert_eq!(options.on_error_schema, u64::from(at(schema)) | u64::from(at(schema + 4)) << 32);
        assert_eq!(options.grants.count, at(std::mem::offset_of!(layout::SpawnOptions, grants) + 4));
        assert!(guest.spawn_options(256 - 8).is_err());
    }
}
