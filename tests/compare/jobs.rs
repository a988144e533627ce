//! The jobs: what is measured.

mod cpu;
mod fair;
pub(crate) mod flood;
mod growth;
pub(crate) mod idle;
mod kill;
mod messages;
mod observed;
mod ring;
mod spawn;
mod start;
mod sum;
mod tax;
mod trap;

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
    Job { name: "observed", about: "round trips that somebody observes", run: observed::round_trips },
    Job { name: "one-way", about: "small and large messages in one direction", run: messages::one_way },
    Job { name: "idle", about: "memory of 10,000 that wait", run: idle::memory },
    Job { name: "alive", about: "as many at once as there is room for", run: idle::alive },
    Job { name: "kill", about: "kills of one that computes", run: kill::spinner },
    Job { name: "kill-off", about: "kills of one that is on no CPU", run: kill::off_cpu },
    Job { name: "fair", about: "round trips and shares beside spinners", run: fair::beside_spinners },
    Job { name: "growth", about: "what things cost beside 10 and beside 10,000", run: growth::beside_idle },
    Job { name: "trap", about: "a panic told to the parent, and its file and line", run: trap::told },
    Job { name: "ring", about: "tokens round 10,000 isolates", run: ring::tokens },
    Job { name: "sum", about: "10 M integers sent to 4 isolates", run: sum::parallel },
    Job { name: "cpu", about: "work that waits for nothing on 1 and 2 workers", run: cpu::workers },
    Job { name: "flood", about: "a sender that nothing throttles, a slow receiver", run: flood::unthrottled },
    Job { name: "tax", about: "what preemption costs code that computes", run: tax::preemption },
    Job { name: "start", about: "`insula run` from the shell", run: start::insula_run },
];
