//! What a child may use, and what it may do.

use std::time::Duration;

use insula_wire::layout::Limit;
use insula_wire::{GrantKind, LimitKind};

use crate::time;

/// Bounds on what an isolate uses; a bound that is not set is the parent's. Exceeding one ends or refuses only the isolate
/// itself (semantics 9).
///
/// ```no_run
/// use std::time::Duration;
/// use insula_guest::Limits;
///
/// let limits = Limits::default().memory(32 << 20).deadline(Duration::from_millis(100));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Limits {
    records: Vec<Limit>,
}

impl Limits {
    /// Linear memory, in bytes.
    pub fn memory(self, bytes: u64) -> Limits {
        self.set(LimitKind::Memory, bytes)
    }

    /// Table elements.
    pub fn table_elements(self, elements: u64) -> Limits {
        self.set(LimitKind::TableElements, elements)
    }

    /// Time on a CPU.
    pub fn cpu_time(self, time: Duration) -> Limits {
        self.set(LimitKind::CpuTime, time::nanoseconds(time))
    }

    /// Time from admission to the end, also while it is queued, waits or is paused.
    pub fn deadline(self, time: Duration) -> Limits {
        self.set(LimitKind::Deadline, time::nanoseconds(time))
    }

    /// As [`deadline`](Limits::deadline), without the time queued or paused.
    pub fn run_deadline(self, time: Duration) -> Limits {
        self.set(LimitKind::RunDeadline, time::nanoseconds(time))
    }

    /// Messages queued in its mailbox.
    pub fn mailbox_messages(self, messages: u64) -> Limits {
        self.set(LimitKind::MailboxMessages, messages)
    }

    /// Bytes queued in its mailbox.
    pub fn mailbox_bytes(self, bytes: u64) -> Limits {
        self.set(LimitKind::MailboxBytes, bytes)
    }

    /// Bytes of one message.
    pub fn message_bytes(self, bytes: u64) -> Limits {
        self.set(LimitKind::MessageBytes, bytes)
    }

    /// Handles that it holds.
    pub fn handles(self, handles: u64) -> Limits {
        self.set(LimitKind::Handles, handles)
    }

    /// Open receive ports.
    pub fn ports(self, ports: u64) -> Limits {
        self.set(LimitKind::Ports, ports)
    }

    /// Bytes held in blobs.
    pub fn blob_bytes(self, bytes: u64) -> Limits {
        self.set(LimitKind::BlobBytes, bytes)
    }

    /// The part of its mailbox that one sender may fill, in percent: a quarter unless said otherwise.
    pub fn sender_percent(self, percent: u64) -> Limits {
        self.set(LimitKind::SenderPercent, percent)
    }

    /// Live descendants.
    pub fn descendants(self, isolates: u64) -> Limits {
        self.set(LimitKind::Descendants, isolates)
    }

    /// Memory of all descendants together, in bytes, blobs included.
    pub fn tree_memory(self, bytes: u64) -> Limits {
        self.set(LimitKind::TreeMemory, bytes)
    }

    /// Bytes queued in the mailboxes of all descendants together.
    pub fn tree_queued_bytes(self, bytes: u64) -> Limits {
        self.set(LimitKind::TreeQueuedBytes, bytes)
    }

    fn set(mut self, which: LimitKind, value: u64) -> Limits {
        self.records.retain(|limit| limit.which != which.code());
        self.records.push(Limit { which: which.code(), value });
        self
    }

    /// As numbers, for a message.
    pub(crate) fn to_numbers(&self) -> Vec<(u32, u64)> {
        self.records.iter().map(|limit| (limit.which, limit.value)).collect()
    }

    pub(crate) fn of_numbers(numbers: &[(u32, u64)]) -> Limits {
        Limits { records: numbers.iter().map(|(which, value)| Limit { which: *which, value: *value }).collect() }
    }

    pub(crate) fn records(&self) -> &[Limit] {
        &self.records
    }
}

/// Authority that a child is given, which must be within what its parent has (semantics 8).
///
/// ```no_run
/// use insula_guest::{Grant, Isolate};
///
/// Isolate::build()
///     .inherit_grants(false)
///     .grant(Grant::ReadOnlyFolder { host: "models".into(), guest: "/models".into() })
///     .spawn(|_: ()| {}, ())?;
/// # Ok::<(), insula_guest::SpawnError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Grant {
    /// A folder to read.
    ReadOnlyFolder {
        /// The path at which the parent sees it: one of its folders, or a folder below. No part of the way may be a link.
        host: String,
        /// As the child sees it.
        guest: String,
    },
    /// A folder to read and write.
    ReadWriteFolder {
        /// As for a folder to read.
        host: String,
        /// As the child sees it.
        guest: String,
    },
    /// An environment variable.
    Environment {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// A value that it is configured with; see [`config`](crate::config).
    Config {
        /// Its name.
        name: String,
        /// The value.
        value: String,
    },
    /// A namespace of the name server.
    Names(String),
    /// A clock finer than 1 ms.
    FineClock,
    /// A module that may be spawned.
    Module(String),
    /// An address that may be connected to. No host of this version has a network for guests: a spawn that asks for it is
    /// refused, as unsupported.
    Network(String),
}

impl Grant {
    pub(crate) fn into_parts(self) -> (GrantKind, String) {
        match self {
            Grant::ReadOnlyFolder { host, guest } => (GrantKind::ReadOnlyFolder, [host, guest].join("::")),
            Grant::ReadWriteFolder { host, guest } => (GrantKind::ReadWriteFolder, [host, guest].join("::")),
            Grant::Environment { name, value } => (GrantKind::Environment, [name, value].join("=")),
            Grant::Config { name, value } => (GrantKind::Config, [name, value].join("=")),
            Grant::Names(namespace) => (GrantKind::Names, namespace),
            Grant::FineClock => (GrantKind::FineClock, String::new()),
            Grant::Module(module) => (GrantKind::Modules, module),
            Grant::Network(address) => (GrantKind::Network, address),
        }
    }
}
