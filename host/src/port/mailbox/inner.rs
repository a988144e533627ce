//! What the lock of a mailbox guards.

use std::collections::VecDeque;
use std::task::Waker;

use insula_wire::{Kind, MailboxPolicy, Status};

use super::queue::Queue;
use super::{After, Awaited, Budget, Refused, Sender, Take, Took, Wanted};
use crate::port::{Message, Port};
use crate::sync::Arc;

pub(super) struct Inner {
    pub(super) budget: Budget,
    /// What its owner is born with, until it is fetched.
    pub(super) birth: Option<Message>,
    /// Messages that came in so far, and their bytes.
    pub(super) arrived: u64,
    pub(super) arrived_bytes: u64,
    pub(super) slots: Vec<Slot>,
    pub(super) free: Vec<u32>,
    pub(super) open: u64,
    /// Arrivals at ports that are listened to; entries whose message was taken otherwise are skipped.
    pub(super) arrivals: VecDeque<(u64, u32)>,
    /// After this nothing is opened any more.
    pub(super) closed: bool,
    /// Its owner, an isolate or a thread, and what it waits for.
    pub(super) waiting: Option<(Awaited, Waker)>,
    /// More threads of the embedder's that wait at the same time.
    pub(super) others: Vec<(Awaited, Waker)>,
    pub(super) senders: Vec<Waker>,
}

#[derive(Default)]
pub(super) struct Slot {
    pub(super) port: Option<Arc<Port>>,
    pub(super) policy: Option<MailboxPolicy>,
    pub(super) queue: Queue<Queued>,
    /// Messages and bytes of the data among them.
    pub(super) data: (u64, u64),
    pub(super) listened: bool,
    pub(super) keep_alive: bool,
    /// Oldest messages that made room, since the port was opened.
    pub(super) dropped: u64,
}

pub(super) struct Queued {
    pub(super) arrived: u64,
    pub(super) sender: Sender,
    pub(super) message: Message,
}

/// Messages of a queue that are looked at for the oldest that can make room: the look is under the lock.
const LOOKS_MAX: usize = 64;

impl Slot {
    fn put(&mut self, queued: Queued, cost: u64) {
        if queued.message.kind == Kind::Data {
            self.data = (self.data.0 + 1, self.data.1 + cost);
        }
        self.queue.push_back(queued);
    }

    /// Takes the message at this place out.
    fn remove(&mut self, at: usize) -> Option<Queued> {
        let queued = if at == 0 { self.queue.pop_front()? } else { self.queue.remove(at)? };
        if queued.message.kind == Kind::Data {
            self.data = (self.data.0 - 1, self.data.1 - queued.message.cost());
        }
        Some(queued)
    }
}

impl Inner {
    pub(super) fn slot_of(&self, port: &Port) -> Option<usize> {
        let slot = self.slots.get(port.slot as usize)?;
        let same = slot.port.as_ref().is_some_and(|open| open.id == port.id);
        same.then_some(port.slot as usize)
    }

    /// Whether the message would not fit into an empty mailbox.
    pub(super) fn is_too_large(&self, message: &Message) -> bool {
        let room = &self.budget.room;
        message.bytes.len() as u64 > room.message_bytes_max || message.cost() > room.bytes_max
    }

    /// Puts a message in where there is room, or can be made, and says the how-manieth it is.
    pub(super) fn admit(
        &mut self,
        port: &Port,
        sender: Sender,
        message: Message,
        waker: Option<&Waker>,
        after: &mut After,
    ) -> Result<u64, Refused> {
        let cost = message.cost();
        let Some(slot) = self.slot_of(port) else {
            return Err(Refused { status: Status::Closed, message, waits: false });
        };
        if !self.budget.debit(sender, cost) {
            // Of room in the accounts above nobody here is told, so it is not waited for.
            let is_full =
                !self.budget.has_room_without(0, 0, cost) || !self.budget.has_share_without(sender, 0, 0, cost);
            let waits = is_full && self.slots[slot].policy == Some(MailboxPolicy::Wait);
            match self.slots[slot].policy {
                Some(MailboxPolicy::DropOldest) => self.drop_oldest(slot, sender, cost, after),
                Some(MailboxPolicy::Wait) if waits => self.wait_for_room(waker),
                Some(MailboxPolicy::Wait | MailboxPolicy::Error) | None => {}
            }
            if !self.budget.debit(sender, cost) {
                return Err(Refused { status: Status::Full, message, waits });
            }
        }
        self.push(slot, sender, message, after);
        Ok(self.arrived)
    }

    pub(super) fn wait_for_room(&mut self, waker: Option<&Waker>) {
        if let Some(waker) = waker
            && !self.senders.iter().any(|other| other.will_wake(waker))
        {
            self.senders.push(waker.clone());
        }
    }

    /// Puts a message that is paid for into its queue, and wakes who waits for it.
    pub(super) fn push(&mut self, slot: usize, sender: Sender, message: Message, after: &mut After) {
        let cost = message.cost();
        self.arrived += 1;
        self.arrived_bytes += cost;
        let arrived = self.arrived;
        let entry = &mut self.slots[slot];
        entry.put(Queued { arrived, sender, message }, cost);
        let listened = entry.listened;
        let Some(port) = entry.port.as_ref().map(|port| port.id) else { return };
        if listened {
            self.arrivals.push_back((arrived, slot as u32));
        }
        self.wake(port, listened, after);
    }

    /// Wakes who waits for the port of this id.
    pub(super) fn wake(&mut self, port: u64, listened: bool, after: &mut After) {
        let awaited = self.waiting.as_ref().is_some_and(|(awaited, _)| awaited.covers(port, listened));
        if awaited && let Some((_, waker)) = self.waiting.take() {
            after.wake(waker);
        }
        if !self.others.is_empty() {
            let awaited = self.others.extract_if(.., |(awaited, _)| awaited.covers(port, listened));
            awaited.for_each(|(_, waker)| after.wake(waker));
        }
    }

    /// Takes a waiter out.
    pub(super) fn stop_waiting(&mut self, waker: &Waker, after: &mut After) {
        if self.waiting.as_ref().is_some_and(|(_, other)| other.will_wake(waker))
            && let Some((_, waker)) = self.waiting.take()
        {
            after.forget(waker);
        }
        if !self.others.is_empty() {
            let same = self.others.extract_if(.., |(_, other)| other.will_wake(waker));
            same.for_each(|(_, waker)| after.forget(waker));
        }
    }

    /// The slot with the first message that is wanted.
    pub(super) fn first(&mut self, wanted: &Wanted) -> Option<usize> {
        match wanted {
            Wanted::Port(port) => self.slot_of(port).filter(|slot| !self.slots[*slot].queue.is_empty()),
            Wanted::Any(ports) => {
                let slots = ports.iter().filter_map(|port| self.slot_of(port));
                let fronts = slots.filter_map(|slot| Some((self.slots[slot].queue.front()?.arrived, slot)));
                fronts.min().map(|(_, slot)| slot)
            }
            Wanted::Listened => loop {
                let (arrived, slot) = *self.arrivals.front()?;
                let entry = self.slots.get(slot as usize);
                let front = entry.filter(|entry| entry.listened).and_then(|entry| entry.queue.front());
                if front.is_some_and(|front| front.arrived == arrived) {
                    break Some(slot as usize);
                }
                self.arrivals.pop_front();
            },
        }
    }

    pub(super) fn front(&self, slot: usize) -> (Arc<Port>, &Message) {
        let entry = &self.slots[slot];
        let port = entry.port.as_ref().expect("a slot with messages has a port");
        let front = entry.queue.front().expect("the caller found a message here");
        (Arc::clone(port), &front.message)
    }

    /// Who sent the first message of a slot.
    pub(super) fn sender(&self, slot: usize) -> Sender {
        self.slots[slot].queue.front().map_or(Sender::NOBODY, |queued| queued.sender)
    }

    /// Takes the first message of a slot out, and says the how-manieth it was that came.
    pub(super) fn pop(&mut self, slot: usize, after: &mut After) -> (Message, u64) {
        let front = self.slots[slot].remove(0).expect("the caller found a message here");
        self.credit(front.sender, front.message.cost(), after);
        self.prune_arrivals();
        (front.message, front.arrived)
    }

    /// Gives the room of a message back, and wakes the senders that wait for it.
    pub(super) fn credit(&mut self, sender: Sender, cost: u64, after: &mut After) {
        self.budget.credit(sender, cost);
        self.wake_senders(after);
    }

    /// Exchanges the room of a notice for another.
    pub(super) fn change(&mut self, from: u64, to: u64, after: &mut After) {
        self.budget.change(from, to);
        if to < from {
            self.wake_senders(after);
        }
    }

    /// Lets those look again that wait for room.
    pub(super) fn wake_senders(&mut self, after: &mut After) {
        self.senders.drain(..).for_each(|waker| after.wake(waker));
    }

    /// Makes room for a message of this cost out of the port's oldest data, if that can be enough. Notices stay, and for
    /// a sender whose own share is full only its own data goes, as far as it is among the oldest.
    fn drop_oldest(&mut self, slot: usize, sender: Sender, cost: u64, after: &mut After) {
        let (messages, bytes) = self.slots[slot].data;
        if !self.budget.has_room_without(messages, bytes, cost) {
            return;
        }
        loop {
            let has_share = self.budget.has_share_without(sender, 0, 0, cost);
            if has_share && self.budget.has_room_without(0, 0, cost) {
                break;
            }
            let goes = |queued: &Queued| queued.message.kind == Kind::Data && (has_share || queued.sender == sender);
            let oldest = self.slots[slot].queue.iter().take(LOOKS_MAX).position(goes);
            let Some(Queued { sender, message, .. }) = oldest.and_then(|oldest| self.slots[slot].remove(oldest)) else {
                break;
            };
            self.slots[slot].dropped += 1;
            self.credit(sender, message.cost(), after);
            after.release_all(message);
        }
        self.prune_arrivals();
    }

    /// Drops entries of messages that were taken otherwise, once they are the most.
    pub(super) fn prune_arrivals(&mut self) {
        if self.arrivals.len() > 64 && self.arrivals.len() as u64 > 2 * self.budget.load().0 {
            self.rebuild_arrivals();
        }
    }

    pub(super) fn rebuild_arrivals(&mut self) {
        let listened = self.slots.iter().enumerate().filter(|(_, slot)| slot.listened);
        let mut arrivals: Vec<(u64, u32)> =
            listened.flat_map(|(at, slot)| slot.queue.iter().map(move |queued| (queued.arrived, at as u32))).collect();
        arrivals.sort_unstable();
        self.arrivals = arrivals.into();
    }

    /// There is no message: says why none can come, or registers the waker.
    pub(super) fn nothing<R>(&mut self, take: &Take<'_>) -> Took<R> {
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
            let waiting = (Awaited::of(take.wanted), waker.clone());
            match &self.waiting {
                None => self.waiting = Some(waiting),
                Some(_) => self.others.push(waiting),
            }
        }
        Took::Nothing
    }
}
