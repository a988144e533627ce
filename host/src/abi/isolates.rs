//! `isolates`: birth and the voluntary end.

use insula_wire::layout::{self, List};
use insula_wire::{GrantKind, Kind, LimitKind, Status};
use wasmtime::{Caller, Result};

use super::memory::{Fields, Guest};
use super::ports::{Buffers, Moves, message_of};
use super::{Definer, Ended, State, answer, answer_after, frames, in_call, interface, view};
use crate::control::{Call, Control, Flags};
use crate::exit::Exit;
use crate::grant::Grant;
use crate::limits::Limits;
use crate::port::{Message, Object, SendRight};
use crate::spawn::{Birth, Entry, Program, error_schema};
use crate::sync::Arc;

const ISOLATES: &str = interface!("isolates");

/// Bytes of a name.
const NAME_BYTES_MAX: u32 = 1_024;

/// Bytes of all arguments of a program, and how many there can be.
const ARGUMENT_BYTES_MAX: u32 = 64 << 10;

/// Limits or grants that one spawn may list.
const LIST_MAX: u32 = 256;

pub(super) fn link(linker: &mut Definer) -> Result<()> {
    linker.func_wrap(ISOLATES, "spawn", spawn)?;
    linker.func_wrap(ISOLATES, "spawn-export", spawn_export)?;
    linker.func_wrap_async(ISOLATES, "spawn-module", |caller, (at, length, arguments, count, options, result)| {
        let (module, arguments) = (List { pointer: at, count: length }, List { pointer: arguments, count });
        Box::new(spawn_module(caller, module, arguments, options, result))
    })?;
    linker.func_wrap(ISOLATES, "initial-message", initial_message)?;
    linker.func_wrap(ISOLATES, "current", current)?;
    linker.func_wrap(ISOLATES, "config", config)?;
    linker.func_wrap(ISOLATES, "exit", exit)?;
    Ok(())
}

fn spawn(mut caller: Caller<'_, State>, entry: u32, options: u32, result: u32) -> Result<u32> {
    give_birth(&mut caller, Entry::Index(entry), None, options, result)
}

fn spawn_export(mut caller: Caller<'_, State>, at: u32, length: u32, options: u32, result: u32) -> Result<u32> {
    let (guest, state) = view(&mut caller)?;
    if length > NAME_BYTES_MAX {
        return answer(Err(state.because("there is no entry with so long a name", Status::NotFound)));
    }
    match guest.text(List { pointer: at, count: length })? {
        Ok(name) => give_birth(&mut caller, Entry::Export(name), None, options, result),
        Err(status) => answer(Err(state.because("the entry's name is not UTF-8", status))),
    }
}

async fn spawn_module(
    mut caller: Caller<'_, State>,
    module: List,
    arguments: List,
    options: u32,
    result: u32,
) -> Result<u32> {
    let (guest, state) = view(&mut caller)?;
    let program = match program(&guest, module, arguments)? {
        Ok(program) => program,
        Err((text, status)) => return answer(Err(state.because(text, status))),
    };
    let (control, fetching) = (Arc::clone(&state.control), (state.place.fetch)(program.module.clone()));
    let fetched = in_call(&control, Call::SpawnModule, fetching).await;
    answer_after(&caller, Call::SpawnModule);
    if let Err((text, status)) = fetched {
        return answer(Err(caller.data_mut().because(text, status)));
    }
    give_birth(&mut caller, Entry::Main, Some(program), options, result)
}

/// The module that a guest names, and the arguments for its main.
fn program(guest: &Guest<'_>, module: List, arguments: List) -> Result<std::result::Result<Program, Refused>> {
    let too_long = || Err((format!("a module's arguments have at most {ARGUMENT_BYTES_MAX} bytes"), Status::TooLarge));
    if module.count > NAME_BYTES_MAX {
        return Ok(Err(("there is no module with so long a name".to_owned(), Status::NotFound)));
    }
    let Ok(module) = guest.text(module)? else {
        return Ok(Err(("the module's name is not UTF-8".to_owned(), Status::Invalid)));
    };
    if arguments.count > ARGUMENT_BYTES_MAX {
        return Ok(too_long());
    }
    let (mut texts, mut bytes) = (Vec::new(), 0);
    for argument in guest.elements(arguments, size_of::<List>() as u32)? {
        let argument = Fields::new(argument).list();
        bytes += u64::from(argument.count);
        if bytes > u64::from(ARGUMENT_BYTES_MAX) {
            return Ok(too_long());
        }
        let Ok(argument) = guest.text(argument)? else {
            return Ok(Err(("an argument is not UTF-8".to_owned(), Status::Invalid)));
        };
        texts.push(argument);
    }
    Ok(Ok(Program { module, arguments: texts }))
}

fn give_birth(
    caller: &mut Caller<'_, State>,
    entry: Entry,
    program: Option<Program>,
    options: u32,
    result: u32,
) -> Result<u32> {
    let frames = if caller.data().place.spawn_frames { frames(&*caller) } else { Vec::new() };
    let (mut guest, state) = view(caller)?;
    let options = guest.spawn_options(options)?;
    let birth = birth(&guest, state, entry, &options)?.map(|birth| Birth { program, frames, ..birth });
    let birth = match birth {
        Ok(birth) => birth,
        Err((text, status)) => return answer(Err(state.because(text, status))),
    };
    if !state.control.table.lock().has_room(3) {
        return answer(Err(state.because("the handle table is full", Status::TooMany)));
    }
    let moves = match moves(&birth) {
        Ok(moves) => moves,
        Err((text, status)) => return answer(Err(state.because(text, status))),
    };
    let born = state.place.spawner.spawn(&state.control, birth);
    let parts = match born {
        Ok(child) => {
            moves.done(state);
            parts_of(state, &child)
        }
        Err(error) => {
            let status = error.status();
            return answer(Err(state.because(error.to_string(), status)));
        }
    };
    guest.put_u32s(result, &parts)?;
    answer(Ok(()))
}

type Refused = (String, Status);

/// The blobs that a child takes along, in its message and in the response to its exit: each in one of them.
fn moves(birth: &Birth) -> std::result::Result<Moves, Refused> {
    let message = birth.message.as_ref().map(Moves::of).unwrap_or_default();
    let response = birth.on_exit.as_ref().map(|(_, response)| Moves::of(response)).unwrap_or_default();
    let both =
        || ("a blob is in the initial message and in the exit listener's response".to_owned(), Status::Unsendable);
    message.and(response).ok_or_else(both)
}

/// The options as the host knows them.
fn birth(
    guest: &Guest<'_>,
    state: &State,
    entry: Entry,
    options: &layout::SpawnOptions,
) -> Result<std::result::Result<Birth, Refused>> {
    let message = match payload(guest, state, options.message)? {
        Ok(message) => message,
        Err(status) => return Ok(Err(("the initial message cannot be sent".to_owned(), status))),
    };
    if options.debug_name.count > NAME_BYTES_MAX {
        return Ok(Err((format!("a debug name has at most {NAME_BYTES_MAX} bytes"), Status::Invalid)));
    }
    let name = match guest.text(options.debug_name)? {
        Ok(name) => name,
        Err(status) => return Ok(Err(("the debug name is not UTF-8".to_owned(), status))),
    };
    let on_exit = match listener(state, options.on_exit, options.on_exit_schema) {
        Ok(Some(right)) => match payload(guest, state, options.on_exit_response)? {
            Ok(response) => Some((right, response)),
            Err(status) => return Ok(Err(("the response to the exit listener cannot be sent".to_owned(), status))),
        },
        Ok(None) => None,
        Err(status) => return Ok(Err(("the exit listener is no SendPort for that response".to_owned(), status))),
    };
    let on_error = match listener(state, options.on_error, error_schema_of(options.on_error_schema)) {
        Ok(right) => right,
        Err(status) => return Ok(Err(("the error listener is no SendPort for errors".to_owned(), status))),
    };
    let limits = match limits(guest, state, options.limits)? {
        Ok(limits) => limits,
        Err(refused) => return Ok(Err(refused)),
    };
    let grants = match grants(guest, options.grants)? {
        Ok(grants) => grants,
        Err(refused) => return Ok(Err(refused)),
    };
    Ok(Ok(Birth {
        entry,
        program: None,
        message: Some(message),
        name,
        paused: options.paused != 0,
        errors_fatal: options.errors_are_fatal != 0,
        scoped: options.scoped != 0,
        inherits: options.inherit_grants != 0,
        is_main: false,
        on_exit,
        on_error,
        limits,
        ends: state.ends,
        grants,
        frames: Vec::new(),
        context: state.within.context(),
        #[cfg(feature = "testing")]
        faults: None,
    }))
}

/// What a guest passes for error notices: 0 means the type of all error notices.
pub(super) fn error_schema_of(schema: u64) -> u64 {
    if schema == 0 { error_schema() } else { schema }
}

/// The bytes and capabilities of a response or an initial message.
pub(super) fn payload(
    guest: &Guest<'_>,
    state: &State,
    payload: layout::Payload,
) -> Result<std::result::Result<Message, Status>> {
    message_of(guest, state, payload.bytes, payload.capabilities)
}

/// The right to tell a listener, if the port takes messages of that type. No port for handle 0.
pub(super) fn listener(state: &State, handle: u32, schema: u64) -> std::result::Result<Option<SendRight>, Status> {
    if handle == 0 {
        return Ok(None);
    }
    let port = state.send_port(handle)?;
    if port.schema() != 0 && schema != port.schema() {
        return Err(Status::Invalid);
    }
    Ok(Some(SendRight::new(&port)))
}

fn limits(guest: &Guest<'_>, state: &State, list: List) -> Result<std::result::Result<Limits, Refused>> {
    let mut limits = state.limits.for_child();
    if list.count > LIST_MAX {
        return Ok(Err(("too many limits".to_owned(), Status::Invalid)));
    }
    for record in guest.elements(list, size_of::<layout::Limit>() as u32)? {
        let mut fields = Fields::new(record);
        let (which, value) = (LimitKind::from_code(fields.u32()), fields.u64());
        match which {
            Some(LimitKind::Memory) => limits.memory_bytes_max = value,
            Some(LimitKind::TableElements) => limits.table_elements_max = value,
            Some(LimitKind::CpuTime) => limits.cpu_time_max = Some(std::time::Duration::from_nanos(value)),
            Some(LimitKind::Deadline) => limits.deadline = Some(std::time::Duration::from_nanos(value)),
            Some(LimitKind::MailboxMessages) => limits.mailbox_messages_max = value,
            Some(LimitKind::MailboxBytes) => limits.mailbox_bytes_max = value,
            Some(LimitKind::MessageBytes) => limits.message_bytes_max = value,
            Some(LimitKind::Handles) => limits.handles_max = value,
            Some(LimitKind::Ports) => limits.ports_max = value,
            Some(LimitKind::BlobBytes) => limits.blob_bytes_max = value,
            Some(LimitKind::RunDeadline) => limits.run_deadline = Some(std::time::Duration::from_nanos(value)),
            Some(LimitKind::SenderPercent) => limits.sender_percent_max = value,
            Some(LimitKind::Descendants) => limits.descendants_max = Some(value),
            Some(LimitKind::TreeMemory) => limits.tree_memory_bytes_max = Some(value),
            Some(LimitKind::TreeQueuedBytes) => limits.tree_queued_bytes_max = Some(value),
            None => return Ok(Err(("no such limit".to_owned(), Status::Invalid))),
        }
    }
    Ok(Ok(state.limits.narrowed(&limits)))
}

fn grants(guest: &Guest<'_>, list: List) -> Result<std::result::Result<Vec<Grant>, Refused>> {
    if list.count > LIST_MAX {
        return Ok(Err(("too many grants".to_owned(), Status::Invalid)));
    }
    let mut grants = Vec::new();
    for record in guest.elements(list, size_of::<layout::Grant>() as u32)? {
        let mut fields = Fields::new(record);
        let (kind, argument) = (fields.u32(), fields.list());
        let Ok(argument) = guest.text(argument)? else {
            return Ok(Err(("a grant's argument is not UTF-8".to_owned(), Status::Invalid)));
        };
        match grant(GrantKind::from_code(kind), &argument) {
            Ok(grant) => grants.push(grant),
            Err(refused) => return Ok(Err(refused)),
        }
    }
    Ok(Ok(grants))
}

fn grant(kind: Option<GrantKind>, argument: &str) -> std::result::Result<Grant, Refused> {
    let pair = |by: &str| argument.split_once(by).unwrap_or((argument, argument));
    match kind {
        Some(GrantKind::ReadOnlyFolder) => Ok(Grant::read_only(pair("::").0, pair("::").1)),
        Some(GrantKind::ReadWriteFolder) => Ok(Grant::read_write(pair("::").0, pair("::").1)),
        Some(GrantKind::Environment) => Ok(Grant::environment(pair("=").0, pair("=").1)),
        Some(GrantKind::Config) => Ok(Grant::config(pair("=").0, pair("=").1)),
        Some(GrantKind::FineClock) => Ok(Grant::fine_clock()),
        Some(GrantKind::Names) => Ok(Grant::names(argument)),
        Some(GrantKind::Modules) if argument.is_empty() => Ok(Grant::modules()),
        Some(GrantKind::Modules) => Ok(Grant::module(argument)),
        Some(GrantKind::Network) => Err(("there is no network for guests here".to_owned(), Status::Unsupported)),
        None => Err(("no such grant".to_owned(), Status::Invalid)),
    }
}

fn initial_message(
    mut caller: Caller<'_, State>,
    bytes: u32,
    capacity: u32,
    handles: u32,
    count: u32,
    result: u32,
) -> Result<u32> {
    let buffers = Buffers::new(bytes, capacity, handles, count, result);
    let (mut guest, state) = view(&mut caller)?;
    match state.control.mailbox.take_birth(|message| buffers.fits(&state.control, message)) {
        Some(Ok(message)) => {
            // What goes wrong while it is decoded is a failed start, of a guest that says when that is over.
            if state.says_entered {
                state.control.flags.clear(Flags::ENTERED);
            }
            buffers.put(&mut guest, &state.control, 0, message)
        }
        Some(Err((status, needed))) => buffers.put_needed(&mut guest, 0, status, needed),
        None => answer(Err(Status::NotFound)),
    }
}

fn current(mut caller: Caller<'_, State>, result: u32) -> Result<u32> {
    let (mut guest, state) = view(&mut caller)?;
    if !state.control.table.lock().has_room(3) {
        return answer(Err(Status::TooMany));
    }
    let parts = parts_of(state, &state.control);
    guest.put_u32s(result, &parts)?;
    answer(Ok(()))
}

fn config(mut caller: Caller<'_, State>, at: u32, length: u32, to: u32, capacity: u32, result: u32) -> Result<u32> {
    let (mut guest, state) = view(&mut caller)?;
    state.called();
    if length > NAME_BYTES_MAX {
        return answer(Err(state.because("there is no config value with so long a name", Status::NotFound)));
    }
    let name = match guest.text(List { pointer: at, count: length })? {
        Ok(name) => name,
        Err(status) => return answer(Err(state.because("the name is not UTF-8", status))),
    };
    let Some(value) = state.wasi.outfit.config(&name) else {
        let text = format!("there is no config value `{name}`: it needs a grant, Grant::config");
        return answer(Err(state.because(text, Status::NotFound)));
    };
    guest.put_text(List { pointer: to, count: capacity }, value, result)?;
    answer(Ok(()))
}

/// All authority over an isolate, as handles; the caller has looked for their room.
fn parts_of(state: &State, isolate: &Arc<Control>) -> [u32; 3] {
    let mut table = state.control.table.lock();
    let objects = [
        Object::Control(isolate.reference()),
        Object::Capability(isolate.pause_capability),
        Object::Capability(isolate.terminate_capability),
    ];
    objects.map(|object| table.insert(object).unwrap_or(0))
}

fn exit(
    mut caller: Caller<'_, State>,
    port: u32,
    message: u32,
    length: u32,
    capabilities: u32,
    count: u32,
) -> Result<u32> {
    let (guest, state) = view(&mut caller)?;
    let bytes = List { pointer: message, count: length };
    let message = match message_of(&guest, state, bytes, List { pointer: capabilities, count })? {
        Ok(message) => Message { kind: Kind::Data, ..message },
        Err(status) => return answer(Err(status)),
    };
    let words = match port {
        0 => Ok(()),
        handle => state.send_port(handle).and_then(|port| {
            port.mailbox().check(&port, &message)?;
            state.control.set_last_words(SendRight::new(&port), message)
        }),
    };
    match words {
        Ok(()) => Err(Ended::error(Exit::Exited)),
        Err(status) => answer(Err(status)),
    }
}
