//! The jobs: what is measured.

mod messages;
mod spawn;

use crate::guest::Wasm;
use crate::measure::Effort;
use crate::table::Row;

/// One thing to measure.
pub(crate) struct Job {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) run: fn(&Wasm, Effort) -> anyhow::Result<Vec<Row>>,
}

/// All of them, in the order of the table.
pub(crate) const ALL: &[Job] = &[
    Job { name: "spawn-batch", about: "spawn to exit seen, 10,000 in a batch", run: spawn::batch },
    Job { name: "spawn-serial", about: "spawn to exit seen, one after another", run: spawn::serial },
    Job { name: "spawn-cold", about: "the first 10,000, alive at once", run: spawn::cold },
    Job { name: "ping-pong", about: "round trips of a small typed message", run: messages::ping_pong },
    Job { name: "one-way", about: "small and large messages in one direction", run: messages::one_way },
];
