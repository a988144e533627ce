//! Whether things cost more the more isolates live: what grows beyond the processor's caches does, all else should not.

use crate::guest::{Ours, Wasm};
use crate::measure::{Effort, median};
use crate::table::Row;

/// Isolates that wait beside the measured ones.
const BESIDE: [u32; 4] = [10, 100, 1_000, 10_000];

/// Flat within one and a half times.
const FLAT: f64 = 1.0 / 1.5;

/// Of a spawn, a round trip and a kill, each beside few and beside many, in turns.
pub(super) fn beside_idle(wasm: &Wasm, effort: Effort) -> anyhow::Result<Vec<Row>> {
    let ours = Ours::new(wasm, BESIDE[3] + 10)?;
    let mut times: [[Vec<f64>; 3]; 4] = Default::default();
    for _ in 0..effort.rounds() {
        for (beside, times) in BESIDE.iter().zip(&mut times) {
            let found: [f64; 3] = ours.ask("growth", &(beside, effort.of(1_000)))?;
            times.iter_mut().zip(found).for_each(|(times, found)| times.push(found));
        }
    }
    let times = times.map(|times| times.map(median));
    let names = ["spawn to exit seen", "round trip", "kill of a parked one"];
    let row = |name: &str, beside: u32, nanos: f64, first: f64| {
        Row::cost(format!("{name}, beside {beside} idle"), nanos, first, FLAT, "ns, as beside 10")
    };
    let rows = names.iter().enumerate().flat_map(|(which, name)| {
        let first = times[0][which];
        BESIDE.iter().zip(&times).map(move |(beside, times)| row(name, *beside, times[which], first))
    });
    Ok(rows.collect())
}
