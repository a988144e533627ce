//! `names`: where isolates of one namespace find each other. Which one is a grant. Host functions are found here too, by
//! names of their own, each as it was given.

use insula_wire::layout::List;
use insula_wire::{FUNCTION_PREFIX, Status};
use wasmtime::{Caller, Result};

use super::memory::Guest;
use super::{Definer, State, answer, interface, view};
use crate::control::Flags;
use crate::names::{NAME_BYTES_MAX, NAMES_MAX};
use crate::port::{Object, SendRight};
use crate::sync::Arc;

const NAMES: &str = interface!("names");

pub(super) fn link(linker: &mut Definer) -> Result<()> {
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
    Ok(name_of(guest, state, name)?.map(|name| (namespace, name)))
}

fn name_of(guest: &Guest<'_>, state: &mut State, name: List) -> Result<std::result::Result<String, Status>> {
    if name.count as usize > NAME_BYTES_MAX {
        return Ok(Err(state.because(format!("a name has at most {NAME_BYTES_MAX} bytes"), Status::Invalid)));
    }
    let name = guest.text(name)?;
    Ok(name.map_err(|status| state.because("the name is not UTF-8", status)))
}

fn register(mut caller: Caller<'_, State>, at: u32, length: u32, port: u32) -> Result<u32> {
    let (guest, state) = view(&mut caller)?;
    let (namespace, name) = match named(&guest, state, List { pointer: at, count: length })? {
        Ok(named) => named,
        Err(status) => return answer(Err(status)),
    };
    if name.starts_with(FUNCTION_PREFIX) {
        let text = format!("names that begin with `{FUNCTION_PREFIX}` are those of host functions");
        return answer(Err(state.because(text, Status::Invalid)));
    }
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
    let right = match found(&guest, state, List { pointer: at, count: length })? {
        Ok(right) => right,
        Err(status) => return answer(Err(status)),
    };
    let own = Arc::ptr_eq(right.port().mailbox(), &state.control.mailbox);
    let object = if own { Object::Own(Arc::clone(right.port())) } else { Object::Send(right) };
    let inserted = state.control.table.lock().insert(object);
    answer(match inserted {
        Ok(handle) => Ok(guest.put_u32s(result, &[handle])?),
        Err(status) => Err(status),
    })
}

/// What a name means: a host function that the isolate was given, or a port of its namespace.
fn found(guest: &Guest<'_>, state: &mut State, name: List) -> Result<std::result::Result<SendRight, Status>> {
    let function = match name_of(guest, state, name)? {
        Ok(name) => name.strip_prefix(FUNCTION_PREFIX).map(str::to_owned),
        Err(status) => return Ok(Err(status)),
    };
    if let Some(name) = function {
        let mut functions = state.place.functions.iter().flat_map(|functions| functions.iter());
        let given = functions.find(|given| *given.name == *name).map(|given| given.right.clone());
        let text =
            || format!("the host function `{name}` is not given to this isolate: Spawn::function of an embedder");
        return Ok(given.ok_or_else(|| state.because(text(), Status::Denied)));
    }
    let (namespace, name) = match named(guest, state, name)? {
        Ok(named) => named,
        Err(status) => return Ok(Err(status)),
    };
    let known = state.place.links.names.lookup(&namespace, &name);
    Ok(known.ok_or_else(|| state.because(format!("there is no port named `{name}`"), Status::NotFound)))
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
