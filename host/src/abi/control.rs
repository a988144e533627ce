//! `control`: control over an isolate that one holds a handle of.
//!
//! A request without the authority it needs is ignored (semantics 3.1); so is one to an isolate that is dead, but for
//! an exit listener, who is answered at once.

use insula_wire::layout::List;
use insula_wire::{Priority, Status};
use wasmtime::{Caller, Result};

use super::isolates::{error_schema_of, listener, payload};
use super::ports::Moves;
use super::{Definer, Ended, State, answer, interface, view};
use crate::control::{Control, Flags};
use crate::exit::{Exit, Killer};
use crate::port::{CapabilityId, Message, Object, SendRight};
use crate::sync::Arc;

const CONTROL: &str = interface!("control");

pub(super) fn link(linker: &mut Definer) -> Result<()> {
    linker.func_wrap(CONTROL, "pause", pause)?;
    linker.func_wrap(CONTROL, "resume", resume)?;
    linker.func_wrap(CONTROL, "kill", kill)?;
    linker.func_wrap(CONTROL, "kill-tree", kill_tree)?;
    linker.func_wrap(CONTROL, "request-stop", request_stop)?;
    linker.func_wrap(CONTROL, "stop-requested", stop_requested)?;
    linker.func_wrap(CONTROL, "set-stop-listener", set_stop_listener)?;
    linker.func_wrap(CONTROL, "ping", ping)?;
    linker.func_wrap(CONTROL, "add-exit-listener", add_exit_listener)?;
    linker.func_wrap(CONTROL, "remove-exit-listener", remove_exit_listener)?;
    linker.func_wrap(CONTROL, "add-error-listener", add_error_listener)?;
    linker.func_wrap(CONTROL, "remove-error-listener", remove_error_listener)?;
    linker.func_wrap(CONTROL, "set-errors-fatal", set_errors_fatal)?;
    linker.func_wrap(CONTROL, "debug-name", debug_name)?;
    Ok(())
}

/// The isolate that a control port names, be it dead by now.
fn target(state: &State, handle: u32) -> std::result::Result<Arc<Control>, Status> {
    state.called();
    match state.control.table.lock().find(handle)? {
        Object::Control(control) => Ok(Control::of(control)),
        Object::Receive(_) | Object::Own(_) | Object::Send(_) | Object::Capability(_) | Object::Blob(_) => {
            Err(Status::WrongKind)
        }
    }
}

/// The capability that a handle names. Handle 0 is none, and a request without one is ignored.
fn capability(state: &State, handle: u32) -> std::result::Result<Option<CapabilityId>, Status> {
    if handle == 0 {
        return Ok(None);
    }
    match state.control.table.lock().find(handle)? {
        Object::Capability(id) => Ok(Some(*id)),
        Object::Receive(_) | Object::Own(_) | Object::Send(_) | Object::Control(_) | Object::Blob(_) => {
            Err(Status::WrongKind)
        }
    }
}

/// The isolate, if whoever asks may terminate it.
fn terminable(state: &State, isolate: u32, terminate: u32) -> std::result::Result<Option<Arc<Control>>, Status> {
    let authority = capability(state, terminate)?;
    let isolate = target(state, isolate)?;
    Ok((authority == Some(isolate.terminate_capability)).then_some(isolate))
}

fn pause(caller: Caller<'_, State>, isolate: u32, authority: u32, token: u32) -> Result<u32> {
    let state = caller.data();
    let parts = target(state, isolate).and_then(|isolate| {
        let authority = capability(state, authority)?;
        let token = capability(state, token)?;
        Ok((isolate, authority, token))
    });
    answer(parts.and_then(|(isolate, authority, token)| {
        match token.filter(|_| authority == Some(isolate.pause_capability)) {
            Some(token) => isolate.pause(token),
            None => Ok(()),
        }
    }))
}

fn resume(caller: Caller<'_, State>, isolate: u32, token: u32) -> Result<u32> {
    let state = caller.data();
    let parts = target(state, isolate).and_then(|isolate| Ok((isolate, capability(state, token)?)));
    answer(parts.map(|(isolate, token)| token.into_iter().for_each(|token| isolate.resume(token))))
}

fn kill(caller: Caller<'_, State>, isolate: u32, terminate: u32, priority: u32) -> Result<u32> {
    let state = caller.data();
    let Some(priority) = Priority::from_code(priority) else { return answer(Err(Status::Invalid)) };
    let isolate = match terminable(state, isolate, terminate) {
        Ok(isolate) => isolate,
        Err(status) => return answer(Err(status)),
    };
    let killed = Exit::Killed { by: Killer::Isolate(state.control.id) };
    match (isolate, priority) {
        (Some(isolate), Priority::Immediate) => isolate.end_now(killed),
        (Some(isolate), Priority::BeforeNextEvent) => isolate.end_after_turn(killed),
        (None, _) => {}
    }
    done(state)
}

fn kill_tree(caller: Caller<'_, State>, isolate: u32, terminate: u32) -> Result<u32> {
    let state = caller.data();
    let isolate = match terminable(state, isolate, terminate) {
        Ok(isolate) => isolate,
        Err(status) => return answer(Err(status)),
    };
    if let Some(isolate) = isolate {
        let killed = Exit::Killed { by: Killer::Isolate(state.control.id) };
        isolate.lineage.end_tree(killed.clone());
        let mut tree = state.place.links.registry.descendants(isolate.id);
        tree.push(isolate);
        Control::end_together(&tree, &killed);
    }
    done(state)
}

/// After a kill: whoever killed itself does not go on.
fn done(state: &State) -> Result<u32> {
    match state.control.ending() {
        Some(exit) => Err(Ended::error(exit)),
        None => answer(Ok(())),
    }
}

fn request_stop(caller: Caller<'_, State>, isolate: u32, terminate: u32) -> Result<u32> {
    let state = caller.data();
    let isolate = terminable(state, isolate, terminate);
    answer(isolate.map(|isolate| isolate.iter().for_each(|isolate| isolate.request_stop())))
}

fn stop_requested(caller: Caller<'_, State>) -> u32 {
    let state = caller.data();
    state.called();
    u32::from(state.control.flags.any(Flags::STOP))
}

/// A listener with its response, out of a call's parameters.
fn told(
    caller: &mut Caller<'_, State>,
    port: u32,
    schema: u64,
    response: u32,
) -> Result<std::result::Result<Option<(SendRight, Message)>, Status>> {
    let (guest, state) = view(caller)?;
    let response = payload(&guest, state, guest.payload(response)?)?;
    let told = listener(state, port, schema);
    Ok(told.and_then(|right| right.map(|right| Ok((right, response?))).transpose()))
}

/// Asks for a notice; what its response carried is gone if that is ok.
fn ask(
    caller: &Caller<'_, State>,
    told: std::result::Result<Option<(SendRight, Message)>, Status>,
    ask: impl FnOnce(SendRight, Message) -> std::result::Result<(), Status>,
) -> Result<u32> {
    let asked = told.and_then(|told| {
        let (right, response) = told.ok_or(Status::BadHandle)?;
        let moves = Moves::of(&response);
        ask(right, response)?;
        moves.done(caller.data());
        Ok(())
    });
    answer(asked)
}

fn set_stop_listener(mut caller: Caller<'_, State>, port: u32, schema: u64, response: u32) -> Result<u32> {
    let told = told(&mut caller, port, schema, response)?;
    let control = &caller.data().control;
    match told {
        Ok(None) => answer(control.set_stop_listener(None)),
        told => ask(&caller, told, |right, response| control.set_stop_listener(Some((right, response)))),
    }
}

fn ping(
    mut caller: Caller<'_, State>,
    isolate: u32,
    port: u32,
    priority: u32,
    schema: u64,
    response: u32,
) -> Result<u32> {
    let Some(priority) = Priority::from_code(priority) else { return answer(Err(Status::Invalid)) };
    let told = told(&mut caller, port, schema, response)?;
    match target(caller.data(), isolate) {
        Ok(isolate) => ask(&caller, told, |right, response| isolate.ping(right, response, priority)),
        Err(status) => answer(Err(status)),
    }
}

fn add_exit_listener(
    mut caller: Caller<'_, State>,
    isolate: u32,
    port: u32,
    schema: u64,
    response: u32,
) -> Result<u32> {
    let told = told(&mut caller, port, schema, response)?;
    match target(caller.data(), isolate) {
        Ok(isolate) => ask(&caller, told, |right, response| isolate.add_exit_listener(right, response)),
        Err(status) => answer(Err(status)),
    }
}

fn remove_exit_listener(caller: Caller<'_, State>, isolate: u32, port: u32) -> Result<u32> {
    let state = caller.data();
    let parts = target(state, isolate).and_then(|isolate| Ok((isolate, state.send_port(port)?)));
    answer(parts.map(|(isolate, port)| isolate.remove_exit_listener(port.id())))
}

fn add_error_listener(caller: Caller<'_, State>, isolate: u32, port: u32, schema: u64) -> Result<u32> {
    let state = caller.data();
    let right = listener(state, port, error_schema_of(schema)).and_then(|right| right.ok_or(Status::BadHandle));
    let parts = target(state, isolate).and_then(|isolate| Ok((isolate, right?)));
    answer(parts.and_then(|(isolate, right)| isolate.add_error_listener(right)))
}

fn remove_error_listener(caller: Caller<'_, State>, isolate: u32, port: u32) -> Result<u32> {
    let state = caller.data();
    let parts = target(state, isolate).and_then(|isolate| Ok((isolate, state.send_port(port)?)));
    answer(parts.map(|(isolate, port)| isolate.remove_error_listener(port.id())))
}

fn set_errors_fatal(caller: Caller<'_, State>, isolate: u32, terminate: u32, fatal: u32) -> Result<u32> {
    let isolate = terminable(caller.data(), isolate, terminate);
    answer(isolate.map(|isolate| isolate.iter().for_each(|isolate| isolate.set_errors_fatal(fatal != 0))))
}

fn debug_name(mut caller: Caller<'_, State>, isolate: u32, at: u32, capacity: u32, result: u32) -> Result<u32> {
    let (mut guest, state) = view(&mut caller)?;
    match target(state, isolate) {
        Ok(isolate) => guest.put_text(List { pointer: at, count: capacity }, &isolate.name(), result)?,
        Err(status) => return answer(Err(status)),
    }
    answer(Ok(()))
}
