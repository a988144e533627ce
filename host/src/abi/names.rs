//! `names`: where isolates of one namespace find each other. Which one is a grant.

use insula_wire::Status;
use insula_wire::layout::List;
use wasmtime::{Caller, Linker, Result};

use super::memory::Guest;
use super::{State, answer, interface, view};
use crate::control::Flags;
use crate::names::{NAME_BYTES_MAX, NAMES_MAX};
use crate::port::{Object, SendRight};
use crate::sync::Arc;

const NAMES: &str = interface!("names");

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(NAMES, "register", register)?;
    linker.func_wrap(NAMES, "lookup", lookup)?;
    linker.func_wrap(NAMES, "remove", remove)?;
    Ok(())
}

/// The namespace of this isolate and the name of a call, or why there is none.
fn named(guest: &Guest<'_>, state: &mut State, name: List) -> Result<std::result::Result<(String, String), Status>> {
    let Some(namespace) = state.place.namespace.clone() else {
        let text = "names need a grant: Grant::names of an embedder; `insula run` gives one";
        return Ok(Err(state.because(text, Status::Denied)));
    };
    if name.count as usize > NAME_BYTES_MAX {
        return Ok(Err(state.because(format!("a name has at most {NAME_BYTES_MAX} bytes"), Status::Invalid)));
    }
    let name = guest.text(name)?;
    Ok(match name {
        Ok(name) => Ok((namespace, name)),
        Err(status) => Err(state.because("the name is not UTF-8", status)),
    })
}

fn register(mut caller: Caller<'_, State>, at: u32, length: u32, port: u32) -> Result<u32> {
    let (guest, state) = view(&mut caller)?;
    let (namespace, name) = match named(&guest, state, List { pointer: at, count: length })? {
        Ok(named) => named,
        Err(status) => return answer(Err(status)),
    };
    let right = match state.send_port(port) {
        Ok(port) => SendRight::new(&port),
        Err(status) => return answer(Err(status)),
    };
    state.control.flags.set(Flags::NAMED);
    let registered = state.place.links.names.register(&namespace, &name, right, Some(state.control.id));
    answer(registered.map_err(|(status, _)| match status {
        Status::Limit => state.because(format!("an isolate registers at most {NAMES_MAX} names"), status),
        status => state.because(format!("the name `{name}` is in use"), status),
    }))
}

fn lookup(mut caller: Caller<'_, State>, at: u32, length: u32, result: u32) -> Result<u32> {
    let (mut guest, state) = view(&mut caller)?;
    let (namespace, name) = match named(&guest, state, List { pointer: at, count: length })? {
        Ok(named) => named,
        Err(status) => return answer(Err(status)),
    };
    let Some(right) = state.place.links.names.lookup(&namespace, &name) else {
        return answer(Err(state.because(format!("there is no port named `{name}`"), Status::NotFound)));
    };
    let own = Arc::ptr_eq(right.port().mailbox(), &state.control.mailbox);
    let object = if own { Object::Own(Arc::clone(right.port())) } else { Object::Send(right) };
    let inserted = state.control.table.lock().insert(object);
    answer(match inserted {
        Ok(handle) => Ok(guest.put_u32s(result, &[handle])?),
        Err(status) => Err(status),
    })
}

fn remove(mut caller: Caller<'_, State>, at: u32, length: u32) -> Result<u32> {
    let (guest, state) = view(&mut caller)?;
    let (namespace, name) = match named(&guest, state, List { pointer: at, count: length })? {
        Ok(named) => named,
        Err(status) => return answer(Err(status)),
    };
    let removed = state.place.links.names.remove(&namespace, &name, Some(state.control.id));
    answer(removed.map_err(|status| match status {
        Status::Denied => state.because(format!("the name `{name}` belongs to another isolate"), status),
        status => state.because(format!("there is no port named `{name}`"), status),
    }))
}
