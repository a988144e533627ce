//! `blobs`: bytes that move with a send. This host does not have them yet and says so.

use insula_wire::Status;
use wasmtime::{Caller, Linker, Result};

use super::{State, answer, interface};

const BLOBS: &str = interface!("blobs");

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(BLOBS, "create", |_: Caller<'_, State>, _parts: u32, _count: u32, _result: u32| unsupported())?;
    linker.func_wrap(BLOBS, "length", |_: Caller<'_, State>, _blob: u32, _result: u32| unsupported())?;
    linker.func_wrap(
        BLOBS,
        "read",
        |_: Caller<'_, State>, _blob: u32, _offset: u64, _at: u32, _capacity: u32, _result: u32| unsupported(),
    )?;
    linker.func_wrap(BLOBS, "take", |_: Caller<'_, State>, _blob: u32, _at: u32, _capacity: u32, _result: u32| {
        unsupported()
    })?;
    Ok(())
}

fn unsupported() -> Result<u32> {
    answer(Err(Status::Unsupported))
}
