//! What an isolate used and has, looked at from outside.

use std::time::Duration;

use super::Control;
use crate::account::Exceeded;
use crate::usage::Usage;

impl Control {
    /// Its linear memory, which has `current` bytes, is to have `desired`.
    ///
    /// # Errors
    /// The bound of an account above that would be exceeded.
    pub(crate) fn grow(&self, current: u64, desired: u64) -> Result<(), Exceeded> {
        let before = self.accounts.memory_bytes();
        let grown = self.accounts.grow(current, desired);
        self.census.memory_changed(before, self.accounts.memory_bytes());
        grown
    }

    /// It has nothing any more that an account counts.
    pub(super) fn close_accounts(&self) {
        self.census.memory_changed(self.accounts.close(), 0);
    }

    /// All of it.
    pub(crate) fn usage(&self, now: u64) -> Usage {
        let (queued_messages, queued_bytes) = self.mailbox.load();
        let table = self.table.lock();
        let (handles, blob_bytes) = (table.len() as u64, table.blob_bytes());
        drop(table);
        Usage {
            isolates: u64::from(self.state.lock().dead.is_none()),
            cpu_time: Duration::from_nanos(self.meter.cpu_nanos_at(now)),
            memory_bytes: self.accounts.memory_bytes(),
            memory_bytes_peak: self.accounts.memory_bytes_peak(),
            blob_bytes,
            handles,
            queued_messages,
            queued_bytes,
            children: self.lineage.children(),
            ..self.used().to_usage()
        }
    }

    /// What of it stays when it is dead, and adds up.
    pub(super) fn used(&self) -> Used {
        Used { cpu_nanos: self.meter.cpu_nanos(), received: self.mailbox.arrived(), sent: self.meter.sent() }
    }
}

/// What is used for good.
#[derive(Default)]
pub(super) struct Used {
    cpu_nanos: u64,
    /// Messages and bytes, these and those that were sent.
    received: (u64, u64),
    sent: (u64, u64),
}

impl Used {
    pub(super) fn add(&mut self, other: &Used) {
        self.cpu_nanos += other.cpu_nanos;
        self.received = (self.received.0 + other.received.0, self.received.1 + other.received.1);
        self.sent = (self.sent.0 + other.sent.0, self.sent.1 + other.sent.1);
    }

    pub(super) fn to_usage(&self) -> Usage {
        Usage {
            cpu_time: Duration::from_nanos(self.cpu_nanos),
            received_messages: self.received.0,
            received_bytes: self.received.1,
            sent_messages: self.sent.0,
            sent_bytes: self.sent.1,
            ..Usage::default()
        }
    }
}
