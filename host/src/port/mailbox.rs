//! A mailbox: the bounded inbound queue of one isolate, or of one port of the embedder's.
//!
//! One lock guards all ports of the mailbox, so that their messages have one order of arrival. A waiter is a waker and
//! what it waits for; whoever puts in what it waits for takes the waker out and wakes it after the lock is let go.
//! Notices (exit, error, ping) never find a mailbox full: their room is reserved when they are asked for.

mod budget;
mod closed;
mod from;
mod inner;
mod queue;
mod seen;

use std::collections::VecDeque;
use std::task::Waker;

use insula_wire::{MailboxPolicy, Status};

use super::{Message, Port, SendRight};
use crate::sync::{Arc, Mutex, atomic};
use budget::Budget;
pub(crate) use budget::{Charged, Sender};
use closed::Closed;
use inner::{Inner, Slot};

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
    /// It may be sent again when there is room: the waker, if one was given, is told.
    pub(crate) waits: bool,
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
    /// A message, the port that it came to, and the how-manieth it was that the mailbox accepted.
    Message(Arc<Port>, Message, u64),
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
    /// The number of the isolate whose it is; none is the embedder's.
    owner: Option<u64>,
    /// When the last message set out for here that somebody observed.
    observed: atomic::AtomicU64,
}

impl std::fmt::Debug for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Port({})", self.id)
    }
}

impl Mailbox {
    /// An empty mailbox that charges nobody else.
    pub(crate) fn new(room: Room) -> Arc<Mailbox> {
        Mailbox::of_isolate(0, room, Charged::default())
    }

    /// An empty mailbox of the isolate of this number.
    pub(crate) fn of_isolate(owner: u64, room: Room, charged: Charged) -> Arc<Mailbox> {
        Mailbox::of(room, charged, Some(owner))
    }

    /// An empty mailbox of a port of the embedder's.
    pub(crate) fn of_embedder(room: Room, charged: Charged) -> Arc<Mailbox> {
        Mailbox::of(room, charged, None)
    }

    fn of(room: Room, charged: Charged, owner: Option<u64>) -> Arc<Mailbox> {
        Arc::new(Mailbox {
            owner,
            observed: atomic::AtomicU64::new(0),
            inner: Mutex::new(Inner {
                budget: Budget::new(room, charged),
                birth: None,
                arrived: 0,
                arrived_bytes: 0,
                slots: Vec::new(),
                free: Vec::new(),
                open: 0,
                arrivals: VecDeque::new(),
                closed: false,
                waiting: None,
                others: Vec::new(),
                senders: Vec::new(),
            }),
        })
    }

    /// Opens a port.
    pub(crate) fn open(self: &Arc<Mailbox>, id: u64, schema: u64, policy: MailboxPolicy) -> Result<Arc<Port>, Limit> {
        let mut inner = self.inner.lock();
        if inner.closed || inner.open >= inner.budget.room.ports_max {
            return Err(Limit(inner.budget.room.ports_max));
        }
        inner.open += 1;
        inner.budget.opened(inner.open);
        let slot = inner.free.pop().unwrap_or_else(|| {
            inner.slots.push(Slot::default());
            u32::try_from(inner.slots.len() - 1).expect("ports_max is far below 2^32")
        });
        let port = Arc::new(Port { id, slot, schema, mailbox: Arc::clone(self), rights: atomic::AtomicU64::new(0) });
        inner.slots[slot as usize] =
            Slot { port: Some(Arc::clone(&port)), policy: Some(policy), keep_alive: true, ..Slot::default() };
        Ok(port)
    }

    /// Puts a message of nobody's in, and says the how-manieth it is that came here; or hands it back. `waker` is kept
    /// where the port's policy is to wait and there is no room.
    pub(crate) fn send(&self, port: &Port, message: Message, waker: Option<&Waker>) -> Result<u64, Refused> {
        self.send_from(Sender::NOBODY, port, message, waker)
    }

    /// As send, within the share of whoever sends.
    pub(crate) fn send_from(
        &self,
        sender: Sender,
        port: &Port,
        message: Message,
        waker: Option<&Waker>,
    ) -> Result<u64, Refused> {
        let mut after = After::default();
        let mut inner = self.inner.lock();
        if inner.slot_of(port).is_some() && inner.is_too_large(&message) {
            return Err(Refused { status: Status::TooLarge, message, waits: false });
        }
        inner.admit(port, sender, message, waker, &mut after)
    }

    /// Keeps the message that its owner is born with, which counts as queued until it is fetched.
    ///
    /// # Errors
    /// `TooLarge`; `Full` where the accounts above have no room.
    pub(crate) fn bear(&self, message: Message) -> Result<(), Status> {
        let mut inner = self.inner.lock();
        let refused = if inner.is_too_large(&message) {
            Some(Status::TooLarge)
        } else {
            (!inner.budget.debit(Sender::NOBODY, message.cost())).then_some(Status::Full)
        };
        match refused {
            None => {
                inner.birth = Some(message);
                Ok(())
            }
            Some(status) => {
                drop(inner);
                drop(message);
                Err(status)
            }
        }
    }

    /// Takes the message that its owner was born with, if `fits` agrees. None where it was fetched.
    pub(crate) fn take_birth<R>(&self, fits: impl FnOnce(&Message) -> Result<(), R>) -> Option<Result<Message, R>> {
        let mut after = After::default();
        let mut inner = self.inner.lock();
        if let Err(reason) = fits(inner.birth.as_ref()?) {
            return Some(Err(reason));
        }
        let message = inner.birth.take()?;
        inner.credit(Sender::NOBODY, message.cost(), &mut after);
        Some(Ok(message))
    }

    /// As send, for a notice without a reserve: its size is the host's own choice.
    pub(crate) fn notify(&self, port: &Port, notice: Message, after: &mut After) -> Result<(), Refused> {
        self.inner.lock().admit(port, Sender::NOBODY, notice, None, after).map(|_| ())
    }

    /// Forgets a sender that waited for room and waits no more.
    pub(crate) fn stop_sending(&self, waker: &Waker) {
        let mut after = After::default();
        let mut inner = self.inner.lock();
        let (stays, goes): (Vec<_>, Vec<_>) =
            std::mem::take(&mut inner.senders).into_iter().partition(|other| !other.will_wake(waker));
        inner.senders = stays;
        goes.into_iter().for_each(|waker| after.forget(waker));
    }

    /// Whether the port takes a message of that size. A closed port takes any: it drops them.
    pub(crate) fn check(&self, port: &Port, message: &Message) -> Result<(), Status> {
        let inner = self.inner.lock();
        let too_large = message.bytes.len() as u64 > inner.budget.room.message_bytes_max;
        if inner.slot_of(port).is_some() && too_large { Err(Status::TooLarge) } else { Ok(()) }
    }

    /// Whether the port is open.
    pub(crate) fn is_open(&self, port: &Port) -> bool {
        self.inner.lock().slot_of(port).is_some()
    }

    /// Sets room aside for a notice of this cost; [`Mailbox::post`] or [`Mailbox::unreserve`] uses it.
    pub(crate) fn reserve(&self, port: &Port, cost: u64) -> Result<(), Status> {
        let mut inner = self.inner.lock();
        if inner.slot_of(port).is_none() {
            return Err(Status::Closed);
        }
        if inner.budget.debit(Sender::NOBODY, cost) { Ok(()) } else { Err(Status::Full) }
    }

    /// Exchanges the room of one notice for that of another of this cost, or leaves it as it is.
    pub(crate) fn reserve_instead(&self, port: &Port, reserved: u64, cost: u64) -> Result<(), Status> {
        let mut after = After::default();
        let mut inner = self.inner.lock();
        if inner.slot_of(port).is_none() {
            return Err(Status::Closed);
        }
        if !inner.budget.has_room_without(1, reserved, cost) || !inner.budget.account_has_room(reserved, cost) {
            return Err(Status::Full);
        }
        inner.change(reserved, cost, &mut after);
        Ok(())
    }

    /// Gives back the room of a notice that will not come.
    pub(crate) fn unreserve(&self, cost: u64) {
        let mut after = After::default();
        self.inner.lock().credit(Sender::NOBODY, cost, &mut after);
    }

    /// Puts a notice into the room that was set aside for it. It is dropped if the port is closed by now.
    pub(crate) fn post(&self, port: &Port, notice: Message, reserved: u64) {
        self.post_then(port, notice, reserved, &mut After::default());
    }

    /// As post, where the caller holds a lock: what follows from it waits in `after`. Answers the how-manieth it is
    /// that came here; none where the port was closed.
    pub(crate) fn post_then(&self, port: &Port, notice: Message, reserved: u64, after: &mut After) -> Option<u64> {
        let mut inner = self.inner.lock();
        let Some(slot) = inner.slot_of(port) else {
            inner.credit(Sender::NOBODY, reserved, after);
            after.release_all(notice);
            return None;
        };
        inner.change(reserved, notice.cost(), after);
        inner.push(slot, Sender::NOBODY, notice, after);
        Some(inner.arrived)
    }

    /// Takes the first message that is wanted, if `fits` agrees; else registers the waker, if one is given.
    pub(crate) fn take<R>(&self, take: &Take<'_>, fits: impl FnOnce(&Message) -> Result<(), R>) -> Took<R> {
        let mut after = After::default();
        let mut inner = self.inner.lock();
        if let Some(waker) = take.waker {
            inner.stop_waiting(waker, &mut after);
        }
        let Some(slot) = inner.first(take.wanted) else { return inner.nothing(take) };
        let (port, front) = inner.front(slot);
        if let Err(reason) = fits(front) {
            return Took::Kept(port, reason);
        }
        let (message, arrived) = inner.pop(slot, &mut after);
        Took::Message(port, message, arrived)
    }

    /// Takes a registered waker back, after its wait was given up.
    pub(crate) fn stop_waiting(&self, waker: &Waker) {
        let mut after = After::default();
        self.inner.lock().stop_waiting(waker, &mut after);
    }

    /// Drops the first message of a port. Answers whether there was one; `None` for a closed port.
    pub(crate) fn discard(&self, port: &Port) -> Option<bool> {
        let mut after = After::default();
        let mut inner = self.inner.lock();
        let slot = inner.slot_of(port)?;
        if inner.slots[slot].queue.is_empty() {
            return Some(false);
        }
        let (message, _) = inner.pop(slot, &mut after);
        after.release_all(message);
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
        let mut after = After::default();
        let closed; // Goes after the lock, as it lay there: collected, it would take as much room again.
        let mut inner = self.inner.lock();
        let Some(slot) = inner.slot_of(port) else { return };
        closed = std::mem::take(&mut inner.slots[slot]);
        // Whoever waits for it, or for room at it, learns that there is no such port any more.
        inner.wake(port.id, closed.listened, &mut after);
        inner.wake_senders(&mut after);
        inner.free.push(port.slot);
        inner.open -= 1;
        closed.queue.iter().for_each(|queued| inner.credit(queued.sender, queued.message.cost(), &mut after));
        inner.prune_arrivals();
    }

    /// Closes everything for good. What was queued comes out, to be released where no lock is held.
    pub(crate) fn close(&self) -> Closed {
        let mut after = After::default();
        let mut inner = self.inner.lock();
        inner.closed = true;
        let closed = Closed { slots: std::mem::take(&mut inner.slots), birth: inner.birth.take() };
        inner.wake_senders(&mut after);
        let waiting = (inner.waiting.take(), std::mem::take(&mut inner.others));
        (inner.free, inner.arrivals, inner.open) = (Vec::new(), VecDeque::new(), 0);
        inner.budget.clear();
        drop(inner);
        drop(waiting);
        closed
    }

    /// Whether it is of a port of the embedder's.
    pub(crate) fn is_embedders(&self) -> bool {
        self.owner.is_none()
    }

    /// The number of the isolate whose it is; 0 for the embedder's.
    pub(crate) fn owner(&self) -> u64 {
        self.owner.unwrap_or_default()
    }

    /// The last right to a port is gone: whoever waits for it looks again.
    pub(super) fn unheld(&self, port: &Port) {
        let mut after = After::default();
        self.inner.lock().wake(port.id, true, &mut after);
    }
}

/// What is to happen when no lock is held any more: wakers wake, and what was given up is released.
///
/// Made before the lock is taken, so that it is dropped after the lock is let go.
#[derive(Default)]
pub(crate) struct After {
    woken: Option<Waker>,
    /// Most of the time one is woken, and there is no more to do.
    rest: Option<Box<Rest>>,
}

#[derive(Default)]
struct Rest {
    woken: Vec<Waker>,
    dropped: Vec<Waker>,
    messages: Vec<Message>,
    rights: Vec<SendRight>,
}

impl After {
    fn rest(&mut self) -> &mut Rest {
        self.rest.get_or_insert_default()
    }

    /// A waker to wake.
    fn wake(&mut self, waker: Waker) {
        match &self.woken {
            None => self.woken = Some(waker),
            Some(_) => self.rest().woken.push(waker),
        }
    }

    /// A waker to drop.
    fn forget(&mut self, waker: Waker) {
        self.rest().dropped.push(waker);
    }

    /// A right to release.
    pub(crate) fn release(&mut self, right: SendRight) {
        self.rest().rights.push(right);
    }

    /// A message to release, with all that it carries.
    pub(crate) fn release_all(&mut self, message: Message) {
        self.rest().messages.push(message);
    }
}

impl Drop for After {
    fn drop(&mut self) {
        if let Some(waker) = self.woken.take() {
            waker.wake();
        }
        if let Some(rest) = &mut self.rest {
            rest.woken.drain(..).for_each(Waker::wake);
        }
    }
}

/// What a waiter waits for.
enum Awaited {
    /// The port of this id.
    Port(u64),
    Listened,
    Any(Arc<[Arc<Port>]>),
}

impl Awaited {
    fn of(wanted: &Wanted) -> Awaited {
        match wanted {
            Wanted::Port(port) => Awaited::Port(port.id),
            Wanted::Listened => Awaited::Listened,
            Wanted::Any(ports) => Awaited::Any(Arc::clone(ports)),
        }
    }

    fn covers(&self, port: u64, listened: bool) -> bool {
        match self {
            Awaited::Port(awaited) => *awaited == port,
            Awaited::Listened => listened,
            Awaited::Any(ports) => ports.iter().any(|awaited| awaited.id == port),
        }
    }
}

#[cfg(test)]
mod tests;
