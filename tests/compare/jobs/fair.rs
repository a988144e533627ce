//! Who gets how much of two workers, and how soon: those that wait come first, and nobody starves.

use crate::guest::{Ours, Wasm};
use crate::measure::{Effort, percentile};
use crate::table::Row;

/// What the spinners keep of both CPUs beside several busy pairs. The scheduler gives one of them a millisecond or two
/// in eight while others are always ready, on one of two workers: a sixteenth at least, and half of that is asked for.
const LEAST_SHARE: f64 = 0.03;

/// What the least of several pairs keeps of the mean.
const LEAST_PAIR: f64 = 0.5;

/// Round trips beside spinners, and what everybody gets.
pub(super) fn beside_spinners(wasm: &Wasm, effort: Effort) -> anyhow::Result<Vec<Row>> {
    let ours = Ours::new(wasm, 100)?;
    let mut rows = Vec::new();
    for spinners in [8_u32, 32] {
        for (how, count, sleeps, most) in [("", 100_000, false, 10.0), (" after a timer", 1_000, true, 100.0)] {
            let nanos: Vec<u64> = ours.ask("fair-beside", &(spinners, effort.of(count), sleeps))?;
            let micros = nanos.into_iter().map(|nanos| nanos as f64 / 1e3).collect();
            let job = format!("round trip{how}, beside {spinners} spinners");
            rows.push(Row::at_most(job, percentile(micros, 99.0), most, "us (p99)"));
        }
    }
    for spinners in [8, 32] {
        let Shares { worked, .. } = Shares::measure(&ours, effort, 1, spinners)?;
        let spread = max(&worked) / min(&worked);
        let job = format!("{spinners} spinners beside a pair, most to least work");
        rows.push(Row::at_most(job, spread, 1.2, "times"));
    }
    let alone = Shares::measure(&ours, effort, 0, 8)?;
    for pairs in [2, 3, 4, 8] {
        let Shares { pinged, worked } = Shares::measure(&ours, effort, pairs, 8)?;
        let least = min(&pinged) / mean(&pinged);
        rows.push(Row::at_least(
            format!("{pairs} pairs beside 8 spinners, least pair"),
            least,
            LEAST_PAIR,
            "of the mean",
        ));
        let job = format!("8 spinners beside {pairs} pairs, their share");
        rows.push(Row::rate(job, mean(&worked), mean(&alone.worked), LEAST_SHARE, "work, as alone"));
        let starved = min(&worked) / mean(&worked);
        let job = format!("8 spinners beside {pairs} pairs, least spinner");
        rows.push(Row::at_least(job, starved, LEAST_PAIR, "of the mean"));
    }
    Ok(rows)
}

/// What everybody did in the same time.
struct Shares {
    pinged: Vec<f64>,
    worked: Vec<f64>,
}

impl Shares {
    /// Of so many pairs and spinners. Each spinner has some sixty slices in that time.
    fn measure(ours: &Ours, effort: Effort, pairs: u32, spinners: u32) -> anyhow::Result<Shares> {
        let milliseconds = effort.of(4_000).max(1_000);
        let (pinged, worked): (Vec<u64>, Vec<u64>) =
            ours.ask("fair-shares", &(pairs, spinners, u64::from(milliseconds)))?;
        let numbers = |counts: Vec<u64>| counts.into_iter().map(|count| count as f64).collect();
        Ok(Shares { pinged: numbers(pinged), worked: numbers(worked) })
    }
}

fn min(numbers: &[f64]) -> f64 {
    numbers.iter().copied().fold(f64::INFINITY, f64::min)
}

fn max(numbers: &[f64]) -> f64 {
    numbers.iter().copied().fold(0.0, f64::max)
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}
