//! Kills, measured by isolates: an OS thread that waits beside two busy workers on two cores sees a notice when Linux
//! lets it, and that says nothing about the host.
//!
//! The killer reads the clock, kills, and looks into its mailbox until the notice is there: so the times are of the call
//! and of the look as well. Two isolates run then, and the host's ticker now and then: on a machine whose two cores have
//! other work, the times are Linux's slices.

use crate::guest::{Ours, Wasm};
use crate::measure::{Effort, percentile};
use crate::table::Row;

/// Isolates that live beside, and those that are killed.
const ISOLATES: u32 = 2_000;

const KILLS: u32 = 300;

/// Of one that computes, on a CPU or not.
pub(super) fn spinner(wasm: &Wasm, effort: Effort) -> anyhow::Result<Vec<Row>> {
    let ours = Ours::new(wasm, ISOLATES)?;
    let (mut posted, mut seen) = (Vec::new(), Vec::new());
    for spinners in [0_u32, 8, 32] {
        let (at_killer, at_watcher) = ours.ask("kill", &(spinners, effort.of(KILLS)))?;
        let row = |what, times, most| row(format!("{what}, beside {spinners} spinners"), times, most);
        posted.push(row("kill, notice posted", at_killer, 50.0));
        seen.push(row("kill, seen by an isolate", at_watcher, 100.0));
    }
    Ok(posted.into_iter().chain(seen).collect())
}

/// Of one that waits, and of one that waits for a CPU.
pub(super) fn off_cpu(wasm: &Wasm, effort: Effort) -> anyhow::Result<Vec<Row>> {
    let ours = Ours::new(wasm, ISOLATES)?;
    let kills = (32_u32, effort.of(KILLS));
    let parked: Vec<u64> = ours.ask("kill-parked", &kills)?;
    let queued: Vec<u64> = ours.ask("kill-queued", &kills)?;
    for times in [&parked, &queued] {
        anyhow::ensure!(times.len() * 2 > kills.1 as usize, "most victims were on a CPU");
    }
    Ok(vec![
        row("kill of a parked one, notice posted".to_owned(), parked, 5.0),
        row("kill of a queued one, notice posted".to_owned(), queued, 5.0),
    ])
}

fn row(job: String, nanos: Vec<u64>, most: f64) -> Row {
    let micros = nanos.into_iter().map(|nanos| nanos as f64 / 1e3).collect();
    Row::at_most(job, percentile(micros, 99.0), most, "us (p99)")
}
