//! `handles`: what the table holds.

use wasmtime::{Caller, Result};

use super::{Definer, State, answer, interface, view};
use crate::port::{CapabilityId, Object};

const HANDLES: &str = interface!("handles");

pub(super) fn link(linker: &mut Definer) -> Result<()> {
    linker.func_wrap(HANDLES, "create-capability", create_capability)?;
    linker.func_wrap(HANDLES, "duplicate", duplicate)?;
    linker.func_wrap(HANDLES, "drop", release)?;
    linker.func_wrap(HANDLES, "kind-of", kind_of)?;
    Ok(())
}

fn create_capability(mut caller: Caller<'_, State>, result: u32) -> Result<u32> {
    let (mut guest, state) = view(&mut caller)?;
    let capability = Object::Capability(CapabilityId(state.place.world.number()));
    let inserted = state.control.table.lock().insert(capability);
    answer(match inserted {
        Ok(handle) => Ok(guest.put_u32s(result, &[handle])?),
        Err(status) => Err(status),
    })
}

fn duplicate(caller: Caller<'_, State>, handle: u32) -> Result<u32> {
    let state = caller.data();
    state.called();
    answer(state.control.table.lock().duplicate(handle))
}

fn release(mut caller: Caller<'_, State>, handle: u32) -> Result<u32> {
    let state = caller.data_mut();
    state.called();
    state.receives.forget(handle);
    state.sends.forget(handle);
    let released = state.control.table.lock().release(handle);
    answer(released.map(|object| {
        if let Some(Object::Receive(port)) = &object {
            state.control.mailbox.close_port(port);
        }
        drop(object);
    }))
}

fn kind_of(mut caller: Caller<'_, State>, handle: u32, result: u32) -> Result<u32> {
    let (mut guest, state) = view(&mut caller)?;
    let kind = state.control.table.lock().find(handle).map(Object::kind);
    answer(match kind {
        Ok(kind) => Ok(guest.put_u32s(result, &[kind.code()])?),
        Err(status) => Err(status),
    })
}
