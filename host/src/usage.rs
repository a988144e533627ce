//! What isolates used, and what they have: numbers to look at, of one isolate or of many.

use std::ops::AddAssign;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use crate::sync::atomic::{AtomicU64, Ordering};

/// What an isolate used so far and what it has now, or all isolates of a host together.
///
/// It is a snapshot: taking one reads counters that are kept anyway, and holds nobody up. Of the dead, what they used
/// stays, and what they had is nothing. Bytes of messages are counted as mailboxes count them: 64 more than the length for
/// each message and each capability, and the lengths of blobs.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::{Host, Spawn};
/// let host = Host::builder().isolates(1).build()?;
/// let module = host.load("page", b"(module (memory (export \"memory\") 1) (func (export \"run\")))")?;
/// let isolate = host.spawn(&module, Spawn::entry("run"))?;
/// assert!(isolate.join().is_ok());
/// let usage = isolate.usage();
/// assert_eq!((usage.isolates, usage.memory_bytes, usage.memory_bytes_peak), (0, 0, 65_536));
/// assert_eq!(host.usage().cpu_time, usage.cpu_time);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Usage {
    /// How many of those that are counted here live.
    pub isolates: u64,
    /// Wall time on a CPU.
    pub cpu_time: Duration,
    /// Linear memory now.
    pub memory_bytes: u64,
    /// The most linear memory at one time.
    pub memory_bytes_peak: u64,
    /// The length of the blobs that they hold now.
    pub blob_bytes: u64,
    /// Objects in their handle tables now.
    pub handles: u64,
    /// Messages in their mailboxes now, with the room that is reserved for notices.
    pub queued_messages: u64,
    /// The bytes of these.
    pub queued_bytes: u64,
    /// Messages that came in, notices among them; whether they were taken or not.
    pub received_messages: u64,
    /// The bytes of these.
    pub received_bytes: u64,
    /// Messages that they sent and that were accepted. What a child was born with, and what the host posts for them, are
    /// none.
    pub sent_messages: u64,
    /// The bytes of these.
    pub sent_bytes: u64,
    /// Isolates that they spawned and that live.
    pub children: u64,
}

impl AddAssign<&Usage> for Usage {
    /// The sum of both; of peaks too, which need not have been at one time.
    fn add_assign(&mut self, other: &Usage) {
        self.isolates += other.isolates;
        self.cpu_time += other.cpu_time;
        self.memory_bytes += other.memory_bytes;
        self.memory_bytes_peak += other.memory_bytes_peak;
        self.blob_bytes += other.blob_bytes;
        self.handles += other.handles;
        self.queued_messages += other.queued_messages;
        self.queued_bytes += other.queued_bytes;
        self.received_messages += other.received_messages;
        self.received_bytes += other.received_bytes;
        self.sent_messages += other.sent_messages;
        self.sent_bytes += other.sent_bytes;
        self.children += other.children;
    }
}

/// What happened in a host so often, from its making on.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    born: AtomicU64,
    /// By the place of the reason among [`Exit::REASONS`].
    ended: [AtomicU64; Exit::REASONS.len()],
    uncaught: AtomicU64,
}

impl Tally {
    /// One more was born.
    pub(crate) fn born(&self) {
        self.born.fetch_add(1, Ordering::SeqCst);
    }

    /// One more ended so; see [`Exit::kind`].
    pub(crate) fn ended(&self, kind: usize) {
        self.ended[kind].fetch_add(1, Ordering::SeqCst);
    }

    /// One more error was heard by nobody.
    pub(crate) fn uncaught(&self) {
        self.uncaught.fetch_add(1, Ordering::SeqCst);
    }

    /// How many were born, and how many ended of that, by reason: never more than were born.
    #[cfg(feature = "metrics")]
    pub(crate) fn lives(&self) -> (u64, [u64; Exit::REASONS.len()]) {
        let ended = std::array::from_fn(|at| self.ended[at].load(Ordering::SeqCst));
        (self.born.load(Ordering::SeqCst), ended)
    }

    /// How many errors nobody heard.
    #[cfg(feature = "metrics")]
    pub(crate) fn uncaught_so_far(&self) -> u64 {
        self.uncaught.load(Ordering::SeqCst)
    }
}
