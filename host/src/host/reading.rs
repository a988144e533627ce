//! All that a host counts, read at about one time: for its metrics.

use super::{Host, Inner};
use crate::compile::Counts;
use crate::exit::Exit;
use crate::sync::{Arc, Weak};
use crate::usage::Usage;

/// What was read of a host.
pub(crate) struct Reading {
    /// Of all isolates together, as [`Host::usage`] has it.
    pub(crate) usage: Usage,
    /// Those of trusted modules that live.
    pub(crate) trusted: u64,
    pub(crate) born: u64,
    /// By the place of the reason among [`Exit::REASONS`].
    pub(crate) ended: [u64; Exit::REASONS.len()],
    pub(crate) uncaught: u64,
    pub(crate) left_behind: u64,
    pub(crate) stuck_file_operations: u64,
    pub(crate) compiles: Counts,
    pub(crate) compiles_under_way: u64,
    pub(crate) compiles_left_behind: u64,
    pub(crate) isolates_max: u64,
    pub(crate) trusted_max: u64,
    pub(crate) memory_bytes_max: u64,
    pub(crate) total_memory_bytes_max: Option<u64>,
}

/// A host to be read, for as long as it is there.
#[derive(Clone)]
pub(crate) struct Readable(Weak<Inner>);

impl Readable {
    pub(crate) fn of(host: &Host) -> Readable {
        Readable(Arc::downgrade(&host.inner))
    }

    /// What is counted now; none where the host is gone.
    pub(crate) fn read(&self) -> Option<Reading> {
        self.0.upgrade().map(|host| host.reading())
    }
}

impl Inner {
    fn reading(&self) -> Reading {
        let links = &self.links;
        let usage = self.usage();
        let (trusted, trusted_max) = links.registry.trusted();
        let (born, ended) = links.tally.lives();
        Reading {
            usage: Usage { isolates: links.census.live() as u64, ..usage },
            trusted: trusted as u64,
            born,
            ended,
            uncaught: links.tally.uncaught_so_far(),
            left_behind: self.left_behind_now().len() as u64,
            stuck_file_operations: self.desks.left_behind() as u64,
            compiles: self.workshop.counts(),
            compiles_under_way: self.workshop.under_way().into(),
            compiles_left_behind: self.workshop.left_behind().into(),
            isolates_max: self.isolates_max.into(),
            trusted_max: trusted_max.into(),
            memory_bytes_max: self.checked.shape().memory_bytes_max,
            total_memory_bytes_max: self.total_memory_bytes_max,
        }
    }
}
