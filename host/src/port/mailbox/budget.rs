//! What a mailbox holds, in messages and bytes: of its own room, of each sender's share of it, and of the accounts above
//! its owner (semantics 9.2, 9.3).

use super::Room;
use crate::account::{Account, Charge};
use crate::hash::NumberMap;
use crate::sync::Arc;
use crate::warning::{Alarm, Watched};

/// Who a message is counted for: an isolate, or nobody (the host, the embedder, the owner itself).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Sender(u64);

impl Sender {
    /// Nobody's share.
    pub(crate) const NOBODY: Sender = Sender(0);

    /// An isolate, by its number.
    pub(crate) fn isolate(number: u64) -> Sender {
        Sender(number)
    }

    /// The isolate's number; none of nobody.
    pub(crate) fn number(self) -> Option<u64> {
        (self != Sender::NOBODY).then_some(self.0)
    }
}

/// Whom a mailbox charges beside itself.
#[derive(Clone, Debug)]
pub(crate) struct Charged {
    /// The part of the room that one sender may fill, in percent.
    pub(crate) sender_percent_max: u64,
    /// The accounts above its owner.
    pub(crate) account: Option<Arc<Account>>,
    /// Who is shown how full it is.
    pub(crate) alarm: Option<Arc<Alarm>>,
}

impl Default for Charged {
    fn default() -> Charged {
        Charged { sender_percent_max: 100, account: None, alarm: None }
    }
}

pub(super) struct Budget {
    pub(super) room: Room,
    charged: Charged,
    messages: u64,
    bytes: u64,
    shares: Shares,
}

/// What each sender has here. Most mailboxes hear of one sender at a time, which is found without a look-up.
#[derive(Default)]
struct Shares {
    one: (Sender, Share),
    others: NumberMap<Sender, Share>,
}

impl Shares {
    fn get(&self, sender: Sender) -> Option<&Share> {
        if self.one.0 == sender { Some(&self.one.1) } else { self.others.get(&sender) }
    }

    fn of_mut(&mut self, sender: Sender) -> Option<&mut Share> {
        if self.one.0 == sender { Some(&mut self.one.1) } else { self.others.get_mut(&sender) }
    }

    fn entry(&mut self, sender: Sender) -> &mut Share {
        if self.one.0 != sender && self.one.1.messages == 0 && !self.others.contains_key(&sender) {
            self.one = (sender, Share::default());
        }
        if self.one.0 == sender { &mut self.one.1 } else { self.others.entry(sender).or_default() }
    }

    /// It has nothing here any more.
    fn let_go(&mut self, sender: Sender) {
        if self.one.0 != sender {
            self.others.remove(&sender);
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Share {
    messages: u64,
    bytes: u64,
}

impl Budget {
    pub(super) fn new(room: Room, charged: Charged) -> Budget {
        Budget { room, charged, messages: 0, bytes: 0, shares: Shares::default() }
    }

    /// Messages and bytes.
    pub(super) fn load(&self) -> (u64, u64) {
        (self.messages, self.bytes)
    }

    /// Whether there would be room if so much were gone.
    pub(super) fn has_room_without(&self, messages: u64, bytes: u64, cost: u64) -> bool {
        self.messages - messages < self.room.messages_max && self.bytes - bytes + cost <= self.room.bytes_max
    }

    /// Whether the sender's share would have room if so much of it were gone. A sender with nothing here may always
    /// send one message, or its share would bound the size of a message.
    pub(super) fn has_share_without(&self, sender: Sender, messages: u64, bytes: u64, cost: u64) -> bool {
        let Some(share) = self.shares.get(sender) else { return true };
        let part = |whole: u64| (u128::from(whole) * u128::from(self.charged.sender_percent_max) / 100) as u64;
        let (had_messages, had_bytes) = (share.messages - messages, share.bytes - bytes);
        had_messages == 0
            || (had_messages < part(self.room.messages_max) && had_bytes + cost <= part(self.room.bytes_max))
    }

    /// Whether the accounts above have room for what costs more than it did.
    pub(super) fn account_has_room(&self, from: u64, to: u64) -> bool {
        let more = to.saturating_sub(from);
        self.charged.account.as_ref().is_none_or(|account| account.has_room(Charge::Queued, more))
    }

    /// Counts one more message of this cost, where there is room for it everywhere.
    pub(super) fn debit(&mut self, sender: Sender, cost: u64) -> bool {
        if !self.has_room_without(0, 0, cost) || !self.has_share_without(sender, 0, 0, cost) {
            return false;
        }
        if let Some(account) = &self.charged.account
            && account.charge(Charge::Queued, cost).is_err()
        {
            return false;
        }
        self.messages += 1;
        self.bytes += cost;
        if let Some(alarm) = &self.charged.alarm {
            alarm.look(Watched::MailboxMessages, self.messages, self.room.messages_max);
            alarm.look(Watched::MailboxBytes, self.bytes, self.room.bytes_max);
        }
        if sender != Sender::NOBODY && self.charged.sender_percent_max < 100 {
            let share = self.shares.entry(sender);
            share.messages += 1;
            share.bytes += cost;
        }
        true
    }

    /// The cost of what is counted already is another one.
    pub(super) fn change(&mut self, from: u64, to: u64) {
        self.bytes = self.bytes.saturating_sub(from) + to;
        if let Some(account) = &self.charged.account {
            account.charge_in_any_case(Charge::Queued, to);
            account.credit(Charge::Queued, from);
        }
    }

    /// Counts one message less.
    pub(super) fn credit(&mut self, sender: Sender, cost: u64) {
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(cost);
        if let Some(account) = &self.charged.account {
            account.credit(Charge::Queued, cost);
        }
        if sender == Sender::NOBODY {
            return;
        }
        if let Some(share) = self.shares.of_mut(sender) {
            share.messages -= 1;
            share.bytes -= cost;
            if share.messages == 0 {
                self.shares.let_go(sender);
            }
        }
    }

    /// So many ports are open.
    pub(super) fn opened(&self, ports: u64) {
        if let Some(alarm) = &self.charged.alarm {
            alarm.look(Watched::Ports, ports, self.room.ports_max);
        }
    }

    /// Nothing is held any more, and nothing charged: notices that were promised room here give none back.
    pub(super) fn clear(&mut self) {
        if let Some(account) = self.charged.account.take() {
            account.credit(Charge::Queued, self.bytes);
        }
        (self.messages, self.bytes) = (0, 0);
        self.shares = Shares::default();
    }
}
