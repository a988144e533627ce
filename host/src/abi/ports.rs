//! `ports`: queues on the host's side.

use std::task::Waker;

use insula_wire::layout::List;
use insula_wire::{CAPABILITIES_MAX, Kind, MailboxPolicy, Status};
use wasmtime::{Caller, Linker, Result};

use super::memory::Guest;
use super::{State, Until, answer, interface, view, wait};
use crate::control::{Control, Flags};
use crate::port::{Attachment, Blob, Message, Object, Port, Refused, Sender, Take, Took, Wanted};
use crate::sync::Arc;

const PORTS: &str = interface!("ports");

pub(super) fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(PORTS, "open", open)?;
    linker.func_wrap(PORTS, "sender", sender)?;
    linker.func_wrap(PORTS, "send", send)?;
    linker.func_wrap_async(PORTS, "send-waiting", |caller, (port, at, length, handles, count, deadline)| {
        Box::new(send_waiting(caller, port, list(at, length), list(handles, count), deadline))
    })?;
    linker.func_wrap(PORTS, "try-receive", try_receive)?;
    linker.func_wrap(PORTS, "receive-ready", receive_ready)?;
    linker.func_wrap_async(PORTS, "receive", |caller, (port, deadline, at, capacity, handles, count, result)| {
        Box::new(receive(caller, port, deadline, Buffers::new(at, capacity, handles, count, result)))
    })?;
    linker.func_wrap_async(
        PORTS,
        "receive-any",
        |caller, (ports, n, deadline, at, capacity, handles, count, result)| {
            Box::new(receive_any(caller, list(ports, n), deadline, Buffers::new(at, capacity, handles, count, result)))
        },
    )?;
    linker.func_wrap(PORTS, "listen", listen)?;
    linker.func_wrap(PORTS, "keep-alive", keep_alive)?;
    linker.func_wrap(PORTS, "discard", discard)?;
    linker.func_wrap(PORTS, "close", close)?;
    Ok(())
}

/// Ports that one receive may name: every send to the mailbox looks through them.
const ANY_MAX: u32 = 4_096;

fn list(pointer: u32, count: u32) -> List {
    List { pointer, count }
}

fn open(mut caller: Caller<'_, State>, schema: u64, policy: u32, result: u32) -> Result<u32> {
    let (mut guest, state) = view(&mut caller)?;
    let Some(policy) = MailboxPolicy::from_code(policy) else {
        return answer(Err(state.because("no such mailbox policy", Status::Invalid)));
    };
    let opened = state.control.mailbox.open(state.place.world.number(), schema, policy);
    let port = match opened {
        Ok(port) => port,
        Err(limit) => {
            return answer(Err(state.because(format!("the limit of {} ports is reached", limit.0), Status::Limit)));
        }
    };
    let inserted = state.control.table.lock().insert(Object::Receive(Arc::clone(&port)));
    match inserted {
        Ok(handle) => guest.put_u32s(result, &[handle])?,
        Err(status) => {
            port.mailbox().close_port(&port);
            return answer(Err(state.because("the handle table is full", status)));
        }
    }
    answer(Ok(()))
}

fn sender(mut caller: Caller<'_, State>, port: u32, result: u32) -> Result<u32> {
    let (mut guest, state) = view(&mut caller)?;
    let inserted = state.receive_port(port).and_then(|port| state.control.table.lock().insert(Object::Own(port)));
    answer(match inserted {
        Ok(handle) => Ok(guest.put_u32s(result, &[handle])?),
        Err(status) => Err(status),
    })
}

fn send(
    mut caller: Caller<'_, State>,
    port: u32,
    message: u32,
    length: u32,
    capabilities: u32,
    count: u32,
) -> Result<u32> {
    let (guest, state) = view(&mut caller)?;
    let (port, message) = match outgoing(&guest, state, port, list(message, length), list(capabilities, count))? {
        Ok(outgoing) => outgoing,
        Err(status) => return answer(Err(status)),
    };
    let moves = Moves::of(&message);
    match port.mailbox().send_from(state.sender_to(&port), &port, message, None) {
        Ok(()) => moves.done(state),
        Err(refused) => return answer(Err(refused.status)),
    }
    answer(Ok(()))
}

/// The blobs of a message on its way. They stay with the sender until it was accepted.
#[derive(Default)]
pub(super) struct Moves(Vec<Arc<Blob>>);

impl Moves {
    /// None of most messages.
    pub(super) fn of(message: &Message) -> Moves {
        Moves(message.blobs().cloned().collect())
    }

    /// Those of two messages, if no blob is in both.
    pub(super) fn and(mut self, other: Moves) -> Option<Moves> {
        if self.0.iter().any(|blob| other.0.iter().any(|again| Arc::ptr_eq(blob, again))) {
            return None;
        }
        self.0.extend(other.0);
        Some(self)
    }

    /// The message was accepted: its sender has its blobs no more.
    pub(super) fn done(self, state: &State) {
        if !self.0.is_empty() {
            state.control.table.lock().moved(&self.0);
        }
    }
}

async fn send_waiting(
    mut caller: Caller<'_, State>,
    port: u32,
    message: List,
    capabilities: List,
    deadline: u64,
) -> Result<u32> {
    let (guest, state) = view(&mut caller)?;
    let (port, mut unsent) = match outgoing(&guest, state, port, message, capabilities)? {
        Ok((port, message)) => (port, Some(message)),
        Err(status) => return answer(Err(status)),
    };
    let moves = unsent.as_ref().map(Moves::of);
    let mut until = state.until(deadline);
    // Of room at the embedder's an isolate is told by somebody outside.
    until.ports_only &= !port.mailbox().is_embedders();
    let (control, place) = (Arc::clone(&state.control), Arc::clone(&state.place));
    // One's own full mailbox is never waited for (semantics 1.6).
    let own = Arc::ptr_eq(port.mailbox(), &control.mailbox);
    let sender = state.sender_to(&port);
    let mut waiting = AtTheDoor { port: Arc::clone(&port), waker: None };
    let sent = wait(&control, &place.world, until, |waker| {
        let message = unsent.take()?;
        if !own {
            waiting.waker.get_or_insert_with(|| waker.clone());
        }
        match port.mailbox().send_from(sender, &port, message, Some(waker).filter(|_| !own)) {
            Err(Refused { waits: true, message, .. }) if !own => {
                unsent = Some(message);
                None
            }
            outcome => Some(outcome.map_err(|refused| refused.status)),
        }
    });
    let sent = sent.await?.unwrap_or(Err(Status::TimedOut));
    if let (Ok(()), Some(moves)) = (sent, moves) {
        moves.done(caller.data());
    }
    answer(sent)
}

/// A sender that waits for room: forgotten by the mailbox when it waits no more, also where it was killed.
struct AtTheDoor {
    port: Arc<Port>,
    waker: Option<Waker>,
}

impl Drop for AtTheDoor {
    fn drop(&mut self) {
        if let Some(waker) = &self.waker {
            self.port.mailbox().stop_sending(waker);
        }
    }
}

/// Where a message goes, and the message.
fn outgoing(
    guest: &Guest<'_>,
    state: &State,
    port: u32,
    bytes: List,
    capabilities: List,
) -> Result<Result<(Arc<Port>, Message), Status>> {
    match state.send_port(port) {
        Ok(port) => Ok(message_of(guest, state, bytes, capabilities)?.map(|message| (port, message))),
        Err(status) => Ok(Err(status)),
    }
}

/// A message out of the guest's memory, with what its handles name.
pub(super) fn message_of(
    guest: &Guest<'_>,
    state: &State,
    bytes: List,
    capabilities: List,
) -> Result<Result<Message, Status>> {
    let bytes = guest.bytes(bytes)?;
    if capabilities.count as usize > CAPABILITIES_MAX || bytes.len() as u64 > state.limits.message_bytes_max {
        return Ok(Err(Status::TooLarge));
    }
    let mut attachments: Vec<Attachment> = Vec::new();
    if capabilities.count > 0 {
        let handles = guest.handles(capabilities)?;
        let table = state.control.table.lock();
        for handle in handles {
            match table.attach(handle) {
                Ok(attachment) => attachments.push(attachment),
                Err(status) => return Ok(Err(status)),
            }
        }
    }
    Ok(Ok(Message { kind: Kind::Data, bytes: bytes.to_vec(), attachments }))
}

/// Where a receive puts what it finds.
#[derive(Clone, Copy)]
pub(super) struct Buffers {
    bytes: List,
    handles: List,
    result: u32,
}

impl Buffers {
    pub(super) fn new(bytes: u32, capacity: u32, handles: u32, count: u32, result: u32) -> Buffers {
        Buffers { bytes: list(bytes, capacity), handles: list(handles, count), result }
    }

    /// Whether a message fits here and into the table.
    pub(super) fn fits(&self, control: &Control, message: &Message) -> Result<(), (Status, [u32; 2])> {
        let needed = [message.bytes.len() as u32, message.attachments.len() as u32];
        if needed[0] > self.bytes.count || needed[1] > self.handles.count {
            return Err((Status::BufferTooSmall, needed));
        }
        if needed[1] > 0 && !control.table.lock().has_room_for(message) {
            return Err((Status::TooMany, needed));
        }
        Ok(())
    }

    /// Copies a message that fits into the guest's memory.
    pub(super) fn put(
        &self,
        guest: &mut Guest<'_>,
        control: &Arc<Control>,
        port: u32,
        message: Message,
    ) -> Result<u32> {
        let Message { kind, bytes, attachments } = message;
        let record = [kind.code(), port, bytes.len() as u32, attachments.len() as u32];
        guest.put_u32s(self.result, &record)?;
        guest.bytes_mut(list(self.bytes.pointer, record[2]))?.copy_from_slice(&bytes);
        if !attachments.is_empty() {
            let handles = install(control, attachments);
            guest.put_handles(self.handles.pointer, &handles)?;
        }
        answer(Ok(()))
    }

    /// Says what a message needs that does not fit.
    pub(super) fn put_needed(&self, guest: &mut Guest<'_>, port: u32, status: Status, needed: [u32; 2]) -> Result<u32> {
        guest.put_u32s(self.result, &[0, port, needed[0], needed[1]])?;
        answer(Err(status))
    }
}

/// Puts what a message carried into the table. The room was looked at before.
fn install(control: &Arc<Control>, attachments: Vec<Attachment>) -> Vec<u32> {
    let mut replaced = Vec::new();
    let mut table = control.table.lock();
    let mut insert = |attachment| {
        let object = match attachment {
            Attachment::Send(right) if Arc::ptr_eq(right.port().mailbox(), &control.mailbox) => {
                let port = Arc::clone(right.port());
                replaced.push(right);
                Object::Own(port)
            }
            Attachment::Send(right) => Object::Send(right),
            Attachment::Capability(id) => Object::Capability(id),
            Attachment::Control(control) => Object::Control(control),
            Attachment::Blob(blob) => Object::Blob(blob),
        };
        table.insert(object).unwrap_or(0)
    };
    let handles = attachments.into_iter().map(&mut insert).collect();
    drop(table);
    drop(replaced);
    handles
}

/// The handle that the owner of a port has for it.
fn handle_of(control: &Control, port: &Arc<Port>) -> u32 {
    control.table.lock().handle_of_receive(port).unwrap_or(0)
}

/// Encodes what a take found.
fn found(
    caller: &mut Caller<'_, State>,
    buffers: Buffers,
    known: Option<u32>,
    took: Took<(Status, [u32; 2])>,
) -> Result<u32> {
    let (mut guest, state) = view(caller)?;
    match took {
        Took::Message(port, message) => {
            let handle = known.unwrap_or_else(|| handle_of(&state.control, &port));
            buffers.put(&mut guest, &state.control, handle, message)
        }
        Took::Kept(port, (status, needed)) => {
            let handle = known.unwrap_or_else(|| handle_of(&state.control, &port));
            buffers.put_needed(&mut guest, handle, status, needed)
        }
        Took::Nothing => answer(Err(Status::WouldWait)),
        Took::Unreachable => answer(Err(Status::Unreachable)),
        Took::Closed => answer(Err(Status::Closed)),
    }
}

fn take_now(mut caller: Caller<'_, State>, port: u32, buffers: Buffers) -> Result<u32> {
    let (_, state) = view(&mut caller)?;
    let wanted = match state.receive_port(port) {
        Ok(port) => Wanted::Port(port),
        Err(status) => return answer(Err(status)),
    };
    let control = Arc::clone(&state.control);
    let take = Take { wanted: &wanted, waker: None, ends_unreachable: false };
    let took = control.mailbox.take(&take, |message| buffers.fits(&control, message));
    found(&mut caller, buffers, Some(port), took)
}

fn try_receive(
    caller: Caller<'_, State>,
    port: u32,
    bytes: u32,
    capacity: u32,
    handles: u32,
    count: u32,
    result: u32,
) -> Result<u32> {
    take_now(caller, port, Buffers::new(bytes, capacity, handles, count, result))
}

fn receive_ready(
    caller: Caller<'_, State>,
    port: u32,
    bytes: u32,
    capacity: u32,
    handles: u32,
    count: u32,
    result: u32,
) -> Result<u32> {
    if caller.data().control.flags.any(Flags::TURN) {
        return answer(Err(Status::WouldWait));
    }
    take_now(caller, port, Buffers::new(bytes, capacity, handles, count, result))
}

async fn receive(mut caller: Caller<'_, State>, port: u32, deadline: u64, buffers: Buffers) -> Result<u32> {
    let wanted = match port {
        0 => Wanted::Listened,
        handle => match caller.data().receive_port(handle) {
            Ok(port) => Wanted::Port(port),
            Err(status) => return answer(Err(status)),
        },
    };
    let known = (port != 0).then_some(port);
    receive_wanted(&mut caller, wanted, deadline, known, buffers).await
}

async fn receive_any(mut caller: Caller<'_, State>, ports: List, deadline: u64, buffers: Buffers) -> Result<u32> {
    let (guest, state) = view(&mut caller)?;
    if ports.count > ANY_MAX {
        return answer(Err(
            state.because(format!("at most {ANY_MAX} ports can be waited for at once"), Status::Invalid)
        ));
    }
    let handles = guest.handles(ports)?;
    let ports: std::result::Result<Arc<[Arc<Port>]>, Status> =
        handles.into_iter().map(|handle| state.receive_port(handle)).collect();
    match ports {
        Ok(ports) => receive_wanted(&mut caller, Wanted::Any(ports), deadline, None, buffers).await,
        Err(status) => answer(Err(status)),
    }
}

async fn receive_wanted(
    caller: &mut Caller<'_, State>,
    wanted: Wanted,
    deadline: u64,
    known: Option<u32>,
    buffers: Buffers,
) -> Result<u32> {
    let state = caller.data();
    let until = state.until(deadline);
    // An event loop with a timer has something else that can run; a blocking receive has not.
    let ends_unreachable = !matches!(wanted, Wanted::Listened) || deadline == u64::MAX;
    let (control, place) = (Arc::clone(&state.control), Arc::clone(&state.place));
    let took = wait(&control, &place.world, until, |waker| {
        let take = Take { wanted: &wanted, waker: Some(waker), ends_unreachable };
        match control.mailbox.take(&take, |message| buffers.fits(&control, message)) {
            Took::Nothing => None,
            took => Some(took),
        }
    });
    match took.await? {
        Some(took) => found(caller, buffers, known, took),
        None => answer(Err(Status::TimedOut)),
    }
}

fn listen(caller: Caller<'_, State>, port: u32, on: u32) -> Result<u32> {
    let state = caller.data();
    let set = |port: Arc<Port>| state.control.mailbox.listen(&port, on != 0).then_some(()).ok_or(Status::Closed);
    answer(state.receive_port(port).and_then(set))
}

fn keep_alive(caller: Caller<'_, State>, port: u32, on: u32) -> Result<u32> {
    let state = caller.data();
    let set = |port: Arc<Port>| state.control.mailbox.keep_alive(&port, on != 0).then_some(()).ok_or(Status::Closed);
    answer(state.receive_port(port).and_then(set))
}

fn discard(caller: Caller<'_, State>, port: u32) -> Result<u32> {
    let state = caller.data();
    let discard = |port: Arc<Port>| match state.control.mailbox.discard(&port) {
        Some(true) => Ok(()),
        Some(false) => Err(Status::WouldWait),
        None => Err(Status::Closed),
    };
    answer(state.receive_port(port).and_then(discard))
}

fn close(caller: Caller<'_, State>, port: u32) -> Result<u32> {
    let state = caller.data();
    answer(state.receive_port(port).map(|port| state.control.mailbox.close_port(&port)))
}

impl State {
    /// Whose share of a port's mailbox a message of this isolate fills: at home nobody's.
    fn sender_to(&self, port: &Port) -> Sender {
        let own = Arc::ptr_eq(port.mailbox(), &self.control.mailbox);
        if own { Sender::NOBODY } else { Sender::isolate(self.control.id.0) }
    }

    /// A wait of this isolate for ports, until an instant of its clock.
    pub(super) fn until(&self, deadline: u64) -> Until {
        let no_end = self.has_no_end();
        Until { deadline: self.instant(deadline), ports_only: no_end, no_end }
    }
}
