//! What bounds an isolate, and what meters it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::account::Bounds;
use crate::sync::atomic::{AtomicU64, Ordering};

/// The bounds of one isolate, each with a default that keeps the host safe.
///
/// Exceeding one refuses a call or ends the isolate that did it, and nobody else. A child may have at most what its
/// parent has.
///
/// ```
/// use std::time::Duration;
/// let limits = insula::Limits::default().memory(32 << 20).deadline(Duration::from_millis(100));
/// assert_eq!(limits.memory_bytes_max, 32 << 20);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Limits {
    /// Linear memory, in bytes.
    pub memory_bytes_max: u64,
    /// Elements of all tables.
    pub table_elements_max: u64,
    /// Wall time inside polls, none by default.
    pub cpu_time_max: Option<Duration>,
    /// Operations of WebAssembly, as [`HostBuilder::count_fuel`](crate::HostBuilder::count_fuel) has them counted; none by
    /// default.
    pub fuel_max: Option<u64>,
    /// Wall time from admission to the end, none by default.
    pub deadline: Option<Duration>,
    /// As `deadline`, without the time that it is queued for a CPU or paused; none by default.
    pub run_deadline: Option<Duration>,
    /// Messages queued in the mailbox.
    pub mailbox_messages_max: u64,
    /// Bytes queued in the mailbox; a message costs 64 more than its length, and 64 for each capability.
    pub mailbox_bytes_max: u64,
    /// Bytes of one message.
    pub message_bytes_max: u64,
    /// Handles in the table.
    pub handles_max: u64,
    /// Open receive ports.
    pub ports_max: u64,
    /// Bytes of the blobs that it holds.
    pub blob_bytes_max: u64,
    /// Bytes of its standard error that are kept for whoever asks how it ended.
    pub stderr_bytes_max: u64,
    /// The part of the mailbox that one sender may fill, in percent, so that it cannot shut out the others.
    pub sender_percent_max: u64,
    /// File operations under way at one time, of the isolate and all its descendants; the bound is that of whom the
    /// embedder spawned. One more waits for one of those to end. Where all of them hang although their isolates have
    /// ended, as at a pipe that nobody writes to, it is refused (`EAGAIN`).
    pub file_operations_max: u64,
    /// Live descendants; none by default, and the host's own bounds hold.
    pub descendants_max: Option<u64>,
    /// Generations below whom the embedder spawned, none by default: with 1 it may have children, and they may not.
    pub depth_max: Option<u64>,
    /// Linear memory and blobs of all descendants together, in bytes; none by default.
    pub tree_memory_bytes_max: Option<u64>,
    /// Bytes queued at all descendants together; none by default.
    pub tree_queued_bytes_max: Option<u64>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            memory_bytes_max: 256 << 20,
            table_elements_max: 100_000,
            cpu_time_max: None,
            fuel_max: None,
            deadline: None,
            run_deadline: None,
            mailbox_messages_max: 100_000,
            mailbox_bytes_max: 128 << 20,
            message_bytes_max: 64 << 20,
            handles_max: 200_000,
            ports_max: 100_000,
            blob_bytes_max: 128 << 20,
            stderr_bytes_max: 4 << 10,
            sender_percent_max: 25,
            file_operations_max: 16,
            descendants_max: None,
            depth_max: None,
            tree_memory_bytes_max: None,
            tree_queued_bytes_max: None,
        }
    }
}

impl Limits {
    /// Sets the bound of linear memory, in bytes.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Limits {
        self.memory_bytes_max = bytes;
        self
    }

    /// Sets the wall time from admission to the end.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Limits {
        self.deadline = Some(deadline);
        self
    }

    /// Sets the wall time from admission to the end, less the time queued or paused.
    #[must_use]
    pub fn run_deadline(mut self, deadline: Duration) -> Limits {
        self.run_deadline = Some(deadline);
        self
    }

    /// Sets the wall time inside polls.
    #[must_use]
    pub fn cpu_time(mut self, time: Duration) -> Limits {
        self.cpu_time_max = Some(time);
        self
    }

    /// Sets how many operations it may do, in a host that [counts them](crate::HostBuilder::count_fuel).
    #[must_use]
    pub fn fuel(mut self, operations: u64) -> Limits {
        self.fuel_max = Some(operations);
        self
    }

    /// Sets the bounds of the mailbox, in messages and bytes.
    #[must_use]
    pub fn mailbox(mut self, messages: u64, bytes: u64) -> Limits {
        self.mailbox_messages_max = messages;
        self.mailbox_bytes_max = bytes;
        self
    }

    /// Sets the bound of one message, in bytes.
    #[must_use]
    pub fn message(mut self, bytes: u64) -> Limits {
        self.message_bytes_max = bytes;
        self
    }

    /// Sets the bounds of open receive ports and of handles.
    #[must_use]
    pub fn table(mut self, ports: u64, handles: u64) -> Limits {
        self.ports_max = ports;
        self.handles_max = handles;
        self
    }

    /// Sets the bound of the bytes that it holds in blobs.
    #[must_use]
    pub fn blobs(mut self, bytes: u64) -> Limits {
        self.blob_bytes_max = bytes;
        self
    }

    /// Sets how many bytes of its standard error are kept.
    #[must_use]
    pub fn stderr(mut self, bytes: u64) -> Limits {
        self.stderr_bytes_max = bytes;
        self
    }

    /// Sets the part of the mailbox that one sender may fill, in percent; 100 is all of it.
    #[must_use]
    pub fn sender_percent(mut self, percent: u64) -> Limits {
        self.sender_percent_max = percent;
        self
    }

    /// Sets the bound of file operations under way, of it and all its descendants.
    #[must_use]
    pub fn file_operations(mut self, operations: u64) -> Limits {
        self.file_operations_max = operations;
        self
    }

    /// Sets the bound of live descendants.
    #[must_use]
    pub fn descendants(mut self, isolates: u64) -> Limits {
        self.descendants_max = Some(isolates);
        self
    }

    /// Sets how many generations may descend from whom the embedder spawns with this limit. It holds for all of them, and
    /// a guest can neither raise it nor lower it.
    #[must_use]
    pub fn depth(mut self, generations: u64) -> Limits {
        self.depth_max = Some(generations);
        self
    }

    /// Sets the bounds of what all descendants have together: memory, and bytes queued in their mailboxes.
    #[must_use]
    pub fn tree(mut self, memory_bytes: u64, queued_bytes: u64) -> Limits {
        self.tree_memory_bytes_max = Some(memory_bytes);
        self.tree_queued_bytes_max = Some(queued_bytes);
        self
    }

    /// What a child is offered: the bounds of a tree are its root's, and hold for all below it.
    pub(crate) fn for_child(&self) -> Limits {
        let (descendants_max, tree_memory_bytes_max, tree_queued_bytes_max) = (None, None, None);
        Limits { descendants_max, tree_memory_bytes_max, tree_queued_bytes_max, ..self.clone() }
    }

    /// The bounds of its descendants.
    pub(crate) fn of_tree(&self) -> Bounds {
        Bounds {
            isolates: self.descendants_max,
            memory: self.tree_memory_bytes_max,
            queued: self.tree_queued_bytes_max,
        }
    }

    /// The lower of both, bound by bound: what a child of `self` gets that asks for `wanted`.
    #[must_use]
    pub(crate) fn narrowed(&self, wanted: &Limits) -> Limits {
        fn lower<B: Ord>(a: Option<B>, b: Option<B>) -> Option<B> {
            a.into_iter().chain(b).min()
        }
        Limits {
            memory_bytes_max: self.memory_bytes_max.min(wanted.memory_bytes_max),
            table_elements_max: self.table_elements_max.min(wanted.table_elements_max),
            cpu_time_max: lower(self.cpu_time_max, wanted.cpu_time_max),
            fuel_max: lower(self.fuel_max, wanted.fuel_max),
            deadline: lower(self.deadline, wanted.deadline),
            run_deadline: lower(self.run_deadline, wanted.run_deadline),
            mailbox_messages_max: self.mailbox_messages_max.min(wanted.mailbox_messages_max),
            mailbox_bytes_max: self.mailbox_bytes_max.min(wanted.mailbox_bytes_max),
            message_bytes_max: self.message_bytes_max.min(wanted.message_bytes_max),
            handles_max: self.handles_max.min(wanted.handles_max),
            ports_max: self.ports_max.min(wanted.ports_max),
            blob_bytes_max: self.blob_bytes_max.min(wanted.blob_bytes_max),
            stderr_bytes_max: self.stderr_bytes_max.min(wanted.stderr_bytes_max),
            // How it shares its own room out is its own affair.
            sender_percent_max: wanted.sender_percent_max.min(100),
            file_operations_max: self.file_operations_max.min(wanted.file_operations_max),
            descendants_max: wanted.descendants_max,
            depth_max: self.depth_max,
            tree_memory_bytes_max: wanted.tree_memory_bytes_max,
            tree_queued_bytes_max: wanted.tree_queued_bytes_max,
        }
    }
}

/// What an isolate used. Written by whoever polls it, read by anyone.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    cpu_nanos: AtomicU64,
    /// When the poll that it is in began, if it is in one.
    polled_since: AtomicU64,
    /// Time queued or paused, and since when it is so now; 0 is not.
    left_out_nanos: AtomicU64,
    left_out_since: AtomicU64,
    /// Messages that it sent, and their bytes.
    sent: [AtomicU64; 2],
}

impl Meter {
    /// A poll begins.
    pub(crate) fn polled_from(&self, now: u64) {
        self.polled_since.store(now, Ordering::Relaxed);
    }

    /// Adds one poll's wall time and says the sum.
    pub(crate) fn polled(&self, nanos: u64) -> u64 {
        self.polled_since.store(0, Ordering::Release);
        // Nobody else writes, so it need not be one step.
        let sum = self.cpu_nanos.load(Ordering::Relaxed).saturating_add(nanos);
        self.cpu_nanos.store(sum, Ordering::Release);
        sum
    }

    /// Whether it is in a poll.
    pub(crate) fn is_polled(&self) -> bool {
        self.polled_since() != 0
    }

    /// When the poll began that it is in; 0 for none.
    pub(crate) fn polled_since(&self) -> u64 {
        self.polled_since.load(Ordering::Relaxed)
    }

    /// From now on time does not count for a run deadline, until [`Meter::counts`].
    pub(crate) fn counts_not(&self, now: u64) {
        let _ = self.left_out_since.compare_exchange(0, now.max(1), Ordering::SeqCst, Ordering::SeqCst);
    }

    /// From now on time counts again.
    pub(crate) fn counts(&self, now: u64) {
        let since = self.left_out_since.swap(0, Ordering::SeqCst);
        if since != 0 {
            self.left_out_nanos.fetch_add(now.saturating_sub(since), Ordering::SeqCst);
        }
    }

    /// How much of the time since `admitted` counts for a run deadline.
    pub(crate) fn counted_nanos(&self, admitted: u64, now: u64) -> u64 {
        let since = match self.left_out_since.load(Ordering::SeqCst) {
            0 => now,
            since => since,
        };
        let left_out = self.left_out_nanos.load(Ordering::SeqCst).saturating_add(now.saturating_sub(since));
        now.saturating_sub(admitted).saturating_sub(left_out)
    }

    /// Counts a message of this many bytes.
    pub(crate) fn sends(&self, bytes: u64) {
        // Nobody else writes here either.
        self.sent[0].store(self.sent[0].load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.sent[1].store(self.sent[1].load(Ordering::Relaxed) + bytes, Ordering::Relaxed);
    }

    /// Messages that it sent, and their bytes.
    pub(crate) fn sent(&self) -> (u64, u64) {
        (self.sent[0].load(Ordering::Relaxed), self.sent[1].load(Ordering::Relaxed))
    }

    /// As [`Meter::cpu_nanos`], with the poll that it is in. At the edge of a poll, that one may be missing.
    pub(crate) fn cpu_nanos_at(&self, now: u64) -> u64 {
        // In this order, so that no poll counts twice.
        let sum = self.cpu_nanos.load(Ordering::Acquire);
        match self.polled_since.load(Ordering::Relaxed) {
            0 => sum,
            since => sum.saturating_add(now.saturating_sub(since)),
        }
    }

    /// Wall time inside polls so far.
    pub(crate) fn cpu_nanos(&self) -> u64 {
        self.cpu_nanos.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s9_1_a_run_deadline_leaves_out_what_is_queued_or_paused() {
        let meter = Meter::default();
        meter.counts_not(100);
        assert_eq!(meter.counted_nanos(100, 150), 0);
        meter.counts_not(140);
        meter.counts(150);
        assert_eq!((meter.counted_nanos(100, 150), meter.counted_nanos(100, 170)), (0, 20));
        meter.counts_not(170);
        assert_eq!(meter.counted_nanos(100, 999), 20);
        meter.counts(1_000);
        meter.counts(2_000);
        assert_eq!(meter.counted_nanos(100, 1_005), 25);
    }

    #[test]
    fn a_child_gets_at_most_what_its_parent_has() {
        let parent = Limits::default().memory(10).deadline(Duration::from_secs(5));
        let child = parent.narrowed(&Limits::default().memory(20).cpu_time(Duration::from_secs(1)));
        assert_eq!(child.memory_bytes_max, 10);
        assert_eq!(child.deadline, Some(Duration::from_secs(5)));
        assert_eq!(child.cpu_time_max, Some(Duration::from_secs(1)));
        assert_eq!(Limits::default().depth(3).narrowed(&Limits::default().depth(1)).depth_max, Some(3));
    }
}
