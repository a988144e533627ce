//! `ports`: queues on the host's side.

use std::task::Waker;

use insula_wire::layout::List;
use insula_wire::{CAPABILITIES_MAX, Kind, MailboxPolicy, Status};
use wasmtime::{Caller, Result};

use super::memory::Guest;
use super::{Attempt, Definer, State, Until, answer, buffers, interface, view, wait};
use crate::control::{Call, Control, Flags};
use crate::port::{Attachment, Attachments, Blob, Message, Object, Port, Refused, Sender, Take, Took, Wanted};
use crate::sync::Arc;

const PORTS: &str = interface!("ports");

pub(super) fn link(linker: &mut Definer) -> Result<()> {
    linker.func_wrap(PORTS, "open", open)?;
    linker.func_wrap(PORTS, "sender", sender)?;
    linker.func_wrap(PORTS, "send", send)?;
    linker.func_wrap_async(PORTS, "send-waiting", |caller, (port, at, length, handles, count, deadline)| {
        Box::new(send_waiting(caller, port, list(at, length), list(handles, count), deadline))
    })?;
    linker.func_wrap(PORTS, "try-receive", try_receive)?;
    linker.func_wrap(PORTS, "receive-ready", receive_ready)?;
    linker.func_wrap_async(PORTS, "receive", |caller, (port, deadline, at, capacity, handles, count, result)| {
        receive(caller, port, deadline, Buffers::new(at, capacity, handles, count, result))
    })?;
    linker.func_wrap_async(
        PORTS,
        "receive-any",
        |caller, (ports, n, deadline, at, capacity, handles, count, result)| {
            receive_any(caller, list(ports, n), deadline, Buffers::new(at, capacity, handles, count, result))
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
    if let Err(status) = state.recall_send_port(port) {
        return answer(Err(status));
    }
    let state: &State = state;
    let Some(port) = state.sends.get(port) else { return answer(Err(Status::BadHandle)) };
    let message = match message_of(&guest, state, list(message, length), list(capabilities, count))? {
        Ok(message) => message,
        Err(status) => return answer(Err(status)),
    };
    let (moves, cost, at) = (Moves::of(&message), message.cost(), state.sends(port));
    match port.mailbox().send_from(state.sender_to(port), port, message, None) {
        Ok(message) => {
            state.sent(at, port, message, cost);
            moves.done(state);
        }
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
    let moves = unsent.as_ref().map(|message| (Moves::of(message), message.cost()));
    let mut until = state.until(Call::SendWaiting, deadline);
    // Of room at the embedder's an isolate is told by somebody outside.
    until.ports_only &= !port.mailbox().is_embedders();
    // One's own full mailbox is never waited for (semantics 1.6).
    let own = Arc::ptr_eq(port.mailbox(), &state.control.mailbox);
    let sender = state.sender_to(&port);
    let mut waiting = AtTheDoor { port: Arc::clone(&port), waker: None };
    let mut at = None;
    let sent = wait(&mut caller, until, |caller: &mut &mut Caller<'_, State>, waker: &Waker| {
        let message = unsent.take()?;
        at = caller.data().sends(&port);
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
    if let (Ok(message), Some((moves, cost))) = (sent, moves) {
        caller.data().sent(at, &port, message, cost);
        moves.done(caller.data());
    }
    answer(sent.map(|_| ()))
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
    let mut attachments = Vec::new();
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
    let mut attachments = Attachments::from(attachments);
    if let Some(context) = state.within.context() {
        attachments = attachments.traced(context);
    }
    Ok(Ok(Message { kind: Kind::Data, bytes: buffers::copy(bytes), attachments }))
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
        buffers::give_back(bytes);
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
fn install(control: &Arc<Control>, attachments: Attachments) -> Vec<u32> {
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

/// Encodes what a take found.
fn found(
    guest: &mut Guest<'_>,
    state: &State,
    buffers: Buffers,
    known: Option<u32>,
    took: Took<(Status, [u32; 2])>,
    has_waited: bool,
) -> Result<u32> {
    let of_owner = |port: &Arc<Port>| state.control.table.lock().handle_of_receive(port).unwrap_or(0);
    let handle = |port: Arc<Port>| known.unwrap_or_else(|| of_owner(&port));
    match took {
        Took::Message(port, message, number) => {
            state.received(number, &message, has_waited);
            buffers.put(guest, &state.control, handle(port), message)
        }
        Took::Kept(port, (status, needed)) => buffers.put_needed(guest, handle(port), status, needed),
        Took::Nothing => answer(Err(Status::WouldWait)),
        Took::Unreachable => answer(Err(Status::Unreachable)),
        Took::Closed => answer(Err(Status::Closed)),
    }
}

fn take_now(mut caller: Caller<'_, State>, port: u32, buffers: Buffers) -> Result<u32> {
    let (mut guest, state) = view(&mut caller)?;
    if let Err(status) = state.recall_receive_port(port) {
        return answer(Err(status));
    }
    let state: &State = state;
    let Some(wanted) = state.receives.get(port) else { return answer(Err(Status::BadHandle)) };
    let take = Take { wanted, waker: None, ends_unreachable: false };
    let took = state.control.mailbox.take(&take, |message| buffers.fits(&state.control, message));
    found(&mut guest, state, buffers, Some(port), took, false)
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

/// What a waiting import answers with, once it does.
type Answer<'a> = Box<dyn Future<Output = Result<u32>> + Send + 'a>;

fn refused<'a>(outcome: Result<Status>) -> Answer<'a> {
    Box::new(std::future::ready(outcome.and_then(|status| answer(Err(status)))))
}

fn receive(mut caller: Caller<'_, State>, port: u32, deadline: u64, buffers: Buffers) -> Answer<'_> {
    if port == 0 {
        return receive_from(caller, Call::Receive, Source::Other(Wanted::Listened), deadline, buffers);
    }
    match caller.data_mut().recall_receive_port(port) {
        Ok(()) => receive_from(caller, Call::Receive, Source::Port(port), deadline, buffers),
        Err(status) => refused(Ok(status)),
    }
}

fn receive_any(mut caller: Caller<'_, State>, ports: List, deadline: u64, buffers: Buffers) -> Answer<'_> {
    match any_of(&mut caller, ports) {
        Ok(Ok(ports)) => receive_from(caller, Call::ReceiveAny, Source::Other(Wanted::Any(ports)), deadline, buffers),
        Ok(Err(status)) => refused(Ok(status)),
        Err(error) => refused(Err(error)),
    }
}

/// The ports that these handles name.
fn any_of(caller: &mut Caller<'_, State>, ports: List) -> Result<std::result::Result<Arc<[Arc<Port>]>, Status>> {
    let (guest, state) = view(caller)?;
    if ports.count > ANY_MAX {
        return Ok(Err(state.because(format!("at most {ANY_MAX} ports can be waited for at once"), Status::Invalid)));
    }
    let handles = guest.handles(ports)?;
    Ok(handles.into_iter().map(|handle| state.receive_port(handle)).collect())
}

/// What a receive takes from.
enum Source {
    /// The port of this handle, which is among the recent ones.
    Port(u32),
    Other(Wanted),
}

/// A receive that waits: takes a message and copies it to the guest in the same poll.
struct Receive {
    source: Source,
    buffers: Buffers,
    ends_unreachable: bool,
}

fn receive_from(caller: Caller<'_, State>, call: Call, source: Source, deadline: u64, buffers: Buffers) -> Answer<'_> {
    caller.data().called();
    let until = caller.data().until(call, deadline);
    // An event loop with a timer has something else that can run; a blocking receive has not.
    let ends_unreachable = !matches!(source, Source::Other(Wanted::Listened)) || deadline == u64::MAX;
    Box::new(wait(caller, until, Receive { source, buffers, ends_unreachable }))
}

impl Attempt<Caller<'_, State>> for Receive {
    type Found = u32;

    fn attempt(&mut self, caller: &mut Caller<'_, State>, waker: &Waker, waited: bool) -> Option<Result<u32>> {
        let state = caller.data();
        let (wanted, known) = match &self.source {
            Source::Port(handle) => (state.receives.get(*handle), Some(*handle)),
            Source::Other(wanted) => (Some(wanted), None),
        };
        // Nobody but the guest, who waits here, changes what it used last: it is there.
        let Some(wanted) = wanted else { return Some(answer(Err(Status::BadHandle))) };
        let take = Take { wanted, waker: Some(waker), ends_unreachable: self.ends_unreachable };
        let took = match state.control.mailbox.take(&take, |message| self.buffers.fits(&state.control, message)) {
            Took::Nothing => return None,
            took => took,
        };
        Some(view(caller).and_then(|(mut guest, state)| found(&mut guest, state, self.buffers, known, took, waited)))
    }

    fn timed_out(&mut self, _: &mut Caller<'_, State>) -> Result<u32> {
        answer(Err(Status::TimedOut))
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
    pub(super) fn until(&self, call: Call, deadline: u64) -> Until {
        let no_end = self.has_no_end();
        Until { deadline: self.instant(deadline), ports_only: no_end, no_end, call: Flags::of_call(call) }
    }
}
