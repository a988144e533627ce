//! `names`: where isolates find each other. This host has no name server yet and says so.

use insula_wire::Status;
use wasmtime::{Caller, Linker, Result};

use super::{State, answer, interface};

const NAMES: &str = interface!("names");

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(NAMES, "register", |_: Caller<'_, State>, _at: u32, _length: u32, _port: u32| unsupported())?;
    linker.func_wrap(NAMES, "lookup", |_: Caller<'_, State>, _at: u32, _length: u32, _result: u32| unsupported())?;
    linker.func_wrap(NAMES, "remove", |_: Caller<'_, State>, _at: u32, _length: u32| unsupported())?;
    Ok(())
}

fn unsupported() -> Result<u32> {
    answer(Err(Status::Unsupported))
}
