//! A mailbox: the bounded inbound queue of one isolate, or of one port of the embedder's.
//!
//! One lock guards all ports of the mailbox, so that their messages have one order of arrival. A waiter is a waker and
//! what it waits for; whoever puts in what it waits for takes the waker out and wakes it after the lock is let go.
//! Notices (exit, error, ping) never find a mailbox full: their room is reserved when they are asked for.

use std::collections::VecDeque;
use std::task::Waker;

use insula_wire::{MailboxPolicy, Status};

use super::{Message, Port};
use crate::sync::{Arc, Mutex, atomic};

/// The bounds of a mailbox.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    pub(crate) messages_max: u64,
    pub(crate) bytes_max: u64,
    pub(crate) message_bytes_max: u64,
    pub(crate) ports_max: u64,
}

/// A message that was not accepted, handed back whole.
pub(crate) struct Refused {
    pub(crate) status: Status,
    pub(crate) message: Message,
}

/// A mailbox that has as many ports as it may.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Limit(pub(crate) u64);

/// What a receiver wants a message from.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    /// This port.
    Port(Arc<Port>),
    /// Any port that is listened to.
    Listened,
    /// Any of these.
    Any(Arc<[Arc<Port>]>),
}

/// How a receiver takes: the waker to register when there is nothing, and whether unreachability ends the wait.
pub(crate) struct Take<'a> {
    pub(crate) wanted: &'a Wanted,
    pub(crate) waker: Option<&'a Waker>,
    pub(crate) ends_unreachable: bool,
}

/// What a receiver found.
pub(crate) enum Took<R> {
    /// A message, and the port that it came to.
    Message(Arc<Port>, Message),
    /// The receiver had no room for the first message, which stays.
    Kept(Arc<Port>, R),
    /// Nothing now; the waker is registered if one was given.
    Nothing,
    /// Nothing, and nobody can send.
    Unreachable,
    /// The port is closed.
    Closed,
}

/// The queue.
pub(crate) struct Mailbox {
    inner: Mutex<Inner>,
}

struct Inner {
    room: Room,
    messages: u64,
    bytes: u64,
    arrived: u64,
    slots: Vec<Slot>,
    free: Vec<u32>,
    open: u64,
    /// Arrivals at ports that are listened to; entries whose message was taken otherwise are skipped.
    arrivals: VecDeque<(u64, u32)>,
    waiting: Option<(Wanted, Waker)>,
    senders: Vec<Waker>,
}

#[derive(Default)]
struct Slot {
    port: Option<Arc<Port>>,
    policy: Option<MailboxPolicy>,
    queue: VecDeque<(u64, Message)>,
    listened: bool,
    keep_alive: bool,
    /// Oldest messages that made room, since the port was opened.
    dropped: u64,
}

impl std::fmt::Debug for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Port({})", self.id)
    }
}

impl Mailbox {
    /// An empty mailbox.
    pub(crate) fn new(room: Room) -> Arc<Mailbox> {
        Arc::new(Mailbox {
            inner: Mutex::new(Inner {
                room,
                messages: 0,
                bytes: 0,
                arrived: 0,
                slots: Vec::new(),
                free: Vec::new(),
                open: 0,
                arrivals: VecDeque::new(),
                waiting: None,
                senders: Vec::new(),
            }),
        })
    }

    /// Opens a port.
    pub(crate) fn open(self: &Arc<Mailbox>, id: u64, schema: u64, policy: MailboxPolicy) -> Result<Arc<Port>, Limit> {
        let mut inner = self.inner.lock();
        if inner.open >= inner.room.ports_max {
            return Err(Limit(inner.room.ports_max));
        }
        inner.open += 1;
        let slot = inner.free.pop().unwrap_or_else(|| {
            inner.slots.push(Slot::default());
            u32::try_from(inner.slots.len() - 1).expect("ports_max is far below 2^32")
        });
        let port = Arc::new(Port { id, slot, schema, mailbox: Arc::clone(self), rights: atomic::AtomicU64::new(0) });
        inner.slots[slot as usize] =
            Slot { port: Some(Arc::clone(&port)), policy: Some(policy), keep_alive: true, ..Slot::default() };
        Ok(port)
    }

    /// Puts a message in, or hands it back. `waker` is kept where the port's policy is to wait and there is no room.
    pub(crate) fn send(&self, port: &Port, message: Message, waker: Option<&Waker>) -> Result<(), Refused> {
        let mut inner = self.inner.lock();
        let cost = message.cost();
        let refuse = |status, message| Err(Refused { status, message });
        let Some(slot) = inner.slot_of(port) else { return refuse(Status::Closed, message) };
        if message.bytes.len() as u64 > inner.room.message_bytes_max {
            return refuse(Status::TooLarge, message);
        }
        let mut made_room = Vec::new();
        if !inner.has_room(1, cost) {
            match inner.slots[slot].policy {
                Some(MailboxPolicy::DropOldest) => inner.drop_oldest(slot, cost, &mut made_room),
                Some(MailboxPolicy::Wait) => inner.senders.extend(waker.cloned()),
                Some(MailboxPolicy::Error) | None => {}
            }
            if !inner.has_room(1, cost) {
                drop(inner);
                drop(made_room);
                return refuse(Status::Full, message);
            }
        }
        inner.messages += 1;
        inner.bytes += cost;
        let woken = inner.push(slot, message);
        drop(inner);
        drop(made_room);
        wake(woken);
        Ok(())
    }

    /// Whether the port takes a message of that size. A closed port takes any: it drops them.
    pub(crate) fn check(&self, port: &Port, message: &Message) -> Result<(), Status> {
        let inner = self.inner.lock();
        let too_large = message.bytes.len() as u64 > inner.room.message_bytes_max;
        if inner.slot_of(port).is_some() && too_large { Err(Status::TooLarge) } else { Ok(()) }
    }

    /// Whether senders to this port wait where there is no room.
    pub(crate) fn waits_for_room(&self, port: &Port) -> bool {
        let inner = self.inner.lock();
        inner.slot_of(port).is_some_and(|slot| inner.slots[slot].policy == Some(MailboxPolicy::Wait))
    }

    /// Sets room aside for a notice of this cost; [`Mailbox::post`] or [`Mailbox::unreserve`] uses it.
    pub(crate) fn reserve(&self, port: &Port, cost: u64) -> Result<(), Status> {
        let mut inner = self.inner.lock();
        if inner.slot_of(port).is_none() {
            return Err(Status::Closed);
        }
        if !inner.has_room(1, cost) {
            return Err(Status::Full);
        }
        inner.messages += 1;
        inner.bytes += cost;
        Ok(())
    }

    /// Gives back the room of a notice that will not come.
    pub(crate) fn unreserve(&self, cost: u64) {
        let woken = self.inner.lock().credit(1, cost);
        woken.into_iter().for_each(Waker::wake);
    }

    /// Puts a notice into the room that was set aside for it. It is dropped if the port is closed by now.
    pub(crate) fn post(&self, port: &Port, notice: Message, reserved: u64) {
        let mut inner = self.inner.lock();
        let Some(slot) = inner.slot_of(port) else {
            let woken = inner.credit(1, reserved);
            drop(inner);
            drop(notice);
            woken.into_iter().for_each(Waker::wake);
            return;
        };
        inner.bytes = inner.bytes.saturating_sub(reserved) + notice.cost();
        let woken = inner.push(slot, notice);
        drop(inner);
        wake(woken);
    }

    /// Takes the first message that is wanted, if `fits` agrees; else registers the waker, if one is given.
    pub(crate) fn take<R>(&self, take: &Take<'_>, fits: impl FnOnce(&Message) -> Result<(), R>) -> Took<R> {
        let mut inner = self.inner.lock();
        inner.waiting = None;
        let Some(slot) = inner.first(take.wanted) else { return inner.nothing(take) };
        let (port, front) = inner.front(slot);
        if let Err(reason) = fits(front) {
            return Took::Kept(port, reason);
        }
        let (message, woken) = inner.pop(slot);
        drop(inner);
        woken.into_iter().for_each(Waker::wake);
        Took::Message(port, message)
    }

    /// Takes a registered waker back, after its wait was given up.
    pub(crate) fn stop_waiting(&self) {
        let waiting = self.inner.lock().waiting.take();
        drop(waiting);
    }

    /// Drops the first message of a port. Answers whether there was one; `None` for a closed port.
    pub(crate) fn discard(&self, port: &Port) -> Option<bool> {
        let mut inner = self.inner.lock();
        let slot = inner.slot_of(port)?;
        if inner.slots[slot].queue.is_empty() {
            return Some(false);
        }
        let (message, woken) = inner.pop(slot);
        drop(inner);
        drop(message);
        woken.into_iter().for_each(Waker::wake);
        Some(true)
    }

    /// Whether [`Wanted::Listened`] takes from this port. Answers false for a closed port.
    pub(crate) fn listen(&self, port: &Port, on: bool) -> bool {
        let mut inner = self.inner.lock();
        let Some(slot) = inner.slot_of(port) else { return false };
        if inner.slots[slot].listened != on {
            inner.slots[slot].listened = on;
            if !inner.slots[slot].queue.is_empty() {
                inner.rebuild_arrivals();
            }
        }
        true
    }

    /// Whether a listener on this port keeps its isolate alive. Answers false for a closed port.
    pub(crate) fn keep_alive(&self, port: &Port, on: bool) -> bool {
        let mut inner = self.inner.lock();
        let Some(slot) = inner.slot_of(port) else { return false };
        inner.slots[slot].keep_alive = on;
        true
    }

    /// Closes one port and drops what is queued there.
    pub(crate) fn close_port(&self, port: &Port) {
        let mut inner = self.inner.lock();
        let Some(slot) = inner.slot_of(port) else { return };
        let closed = std::mem::take(&mut inner.slots[slot]);
        inner.free.push(port.slot);
        inner.open -= 1;
        let bytes = closed.queue.iter().map(|(_, message)| message.cost()).sum();
        let mut woken = inner.credit(closed.queue.len() as u64, bytes);
        woken.append(&mut inner.senders);
        drop(inner);
        drop(closed);
        woken.into_iter().for_each(Waker::wake);
    }

    /// Closes everything for good. What was queued comes out, to be released where no lock is held.
    #[must_use = "the messages are released by the caller"]
    pub(crate) fn close(&self) -> Vec<Message> {
        let mut inner = self.inner.lock();
        let slots = std::mem::take(&mut inner.slots);
        let woken = std::mem::take(&mut inner.senders);
        let waiting = inner.waiting.take();
        (inner.free, inner.arrivals, inner.open) = (Vec::new(), VecDeque::new(), 0);
        (inner.messages, inner.bytes) = (0, 0);
        drop(inner);
        drop(waiting);
        woken.into_iter().for_each(Waker::wake);
        slots.into_iter().flat_map(|slot| slot.queue).map(|(_, message)| message).collect()
    }

    /// Messages and bytes that are queued or reserved.
    pub(crate) fn load(&self) -> (u64, u64) {
        let inner = self.inner.lock();
        (inner.messages, inner.bytes)
    }

    /// The ports that its owner waits on, for a report; empty where it does not wait.
    pub(crate) fn waits_on(&self) -> Vec<u64> {
        let inner = self.inner.lock();
        match &inner.waiting {
            None => Vec::new(),
            Some((Wanted::Port(port), _)) => vec![port.id],
            Some((Wanted::Any(ports), _)) => ports.iter().map(|port| port.id).collect(),
            Some((Wanted::Listened, _)) => {
                let listened = inner.slots.iter().filter(|slot| slot.listened);
                listened.filter_map(|slot| slot.port.as_ref()).map(|port| port.id).collect()
            }
        }
    }

    /// The last right to a port is gone: whoever waits for it looks again.
    pub(super) fn unheld(&self, port: &Port) {
        let mut inner = self.inner.lock();
        let woken = match &inner.waiting {
            Some((wanted, _)) if wanted.covers(port, true) => inner.waiting.take(),
            Some(_) | None => None,
        };
        drop(inner);
        wake(woken);
    }
}

/// Wakes a waiter; no lock is held here.
fn wake(waiting: Option<(Wanted, Waker)>) {
    if let Some((_, waker)) = waiting {
        waker.wake();
    }
}

impl Wanted {
    fn covers(&self, port: &Port, listened: bool) -> bool {
        match self {
            Wanted::Port(wanted) => wanted.id == port.id,
            Wanted::Listened => listened,
            Wanted::Any(ports) => ports.iter().any(|wanted| wanted.id == port.id),
        }
    }
}

impl Inner {
    fn slot_of(&self, port: &Port) -> Option<usize> {
        let slot = self.slots.get(port.slot as usize)?;
        let same = slot.port.as_ref().is_some_and(|open| open.id == port.id);
        same.then_some(port.slot as usize)
    }

    fn has_room(&self, messages: u64, bytes: u64) -> bool {
        self.messages + messages <= self.room.messages_max && self.bytes + bytes <= self.room.bytes_max
    }

    /// Puts a message that is paid for into its queue. The waiter comes out if it waits for that.
    fn push(&mut self, slot: usize, message: Message) -> Option<(Wanted, Waker)> {
        self.arrived += 1;
        let arrived = self.arrived;
        let entry = &mut self.slots[slot];
        entry.queue.push_back((arrived, message));
        let listened = entry.listened;
        let port = entry.port.as_ref()?;
        let awaited = self.waiting.as_ref().is_some_and(|(wanted, _)| wanted.covers(port, listened));
        if listened {
            self.arrivals.push_back((arrived, slot as u32));
        }
        if awaited { self.waiting.take() } else { None }
    }

    /// The slot with the first message that is wanted.
    fn first(&mut self, wanted: &Wanted) -> Option<usize> {
        match wanted {
            Wanted::Port(port) => self.slot_of(port).filter(|slot| !self.slots[*slot].queue.is_empty()),
            Wanted::Any(ports) => {
                let slots = ports.iter().filter_map(|port| self.slot_of(port));
                let fronts = slots.filter_map(|slot| Some((self.slots[slot].queue.front()?.0, slot)));
                fronts.min().map(|(_, slot)| slot)
            }
            Wanted::Listened => loop {
                let (arrived, slot) = *self.arrivals.front()?;
                let entry = self.slots.get(slot as usize);
                let front = entry.filter(|entry| entry.listened).and_then(|entry| entry.queue.front());
                if front.is_some_and(|(front, _)| *front == arrived) {
                    break Some(slot as usize);
                }
                self.arrivals.pop_front();
            },
        }
    }

    fn front(&self, slot: usize) -> (Arc<Port>, &Message) {
        let entry = &self.slots[slot];
        let port = entry.port.as_ref().expect("a slot with messages has a port");
        let (_, message) = entry.queue.front().expect("the caller found a message here");
        (Arc::clone(port), message)
    }

    /// Takes the first message of a slot out, and with it the senders that wait for room.
    fn pop(&mut self, slot: usize) -> (Message, Vec<Waker>) {
        let (_, message) = self.slots[slot].queue.pop_front().expect("the caller found a message here");
        let woken = self.credit(1, message.cost());
        if self.arrivals.len() > 64 && self.arrivals.len() as u64 > 2 * self.messages {
            self.rebuild_arrivals();
        }
        (message, woken)
    }

    /// Gives room back. The senders that wait for it come out.
    fn credit(&mut self, messages: u64, bytes: u64) -> Vec<Waker> {
        self.messages = self.messages.saturating_sub(messages);
        self.bytes = self.bytes.saturating_sub(bytes);
        std::mem::take(&mut self.senders)
    }

    fn drop_oldest(&mut self, slot: usize, cost: u64, dropped: &mut Vec<Message>) {
        while !self.has_room(1, cost) && !self.slots[slot].queue.is_empty() {
            let (message, _) = self.pop(slot);
            self.slots[slot].dropped += 1;
            dropped.push(message);
        }
    }

    fn rebuild_arrivals(&mut self) {
        let listened = self.slots.iter().enumerate().filter(|(_, slot)| slot.listened);
        let mut arrivals: Vec<(u64, u32)> =
            listened.flat_map(|(at, slot)| slot.queue.iter().map(move |(n, _)| (*n, at as u32))).collect();
        arrivals.sort_unstable();
        self.arrivals = arrivals.into();
    }

    /// There is no message: says why none can come, or registers the waker.
    fn nothing<R>(&mut self, take: &Take<'_>) -> Took<R> {
        let unreachable = match take.wanted {
            Wanted::Port(port) if self.slot_of(port).is_none() => return Took::Closed,
            Wanted::Port(port) => port.is_unreachable(),
            Wanted::Any(ports) => {
                if !ports.iter().any(|port| self.slot_of(port).is_some()) {
                    return Took::Closed;
                }
                ports.iter().all(|port| self.slot_of(port).is_none() || port.is_unreachable())
            }
            Wanted::Listened => {
                let mut holding = self.slots.iter().filter(|slot| slot.listened && slot.keep_alive);
                holding.all(|slot| slot.port.as_ref().is_none_or(|port| port.is_unreachable()))
            }
        };
        if unreachable && take.ends_unreachable {
            return Took::Unreachable;
        }
        if let Some(waker) = take.waker {
            self.waiting = Some((take.wanted.clone(), waker.clone()));
        }
        Took::Nothing
    }
}

#[cfg(test)]
mod tests;
