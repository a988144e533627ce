//! A sum in parts, beside threads that get the same bytes with as many copies.

use std::sync::mpsc;
use std::time::Instant;

use crate::guest::{Ours, Wasm};
use crate::measure::Effort;
use crate::table::Row;

const INTEGERS: u32 = 10_000_000;
const PARTS: u32 = 4;

/// Ten million integers in four parts.
pub(super) fn parallel(wasm: &Wasm, effort: Effort) -> anyhow::Result<Vec<Row>> {
    let ours = Ours::new(wasm, 10)?;
    let (sums, count) = (10, effort.of(INTEGERS));
    let (nanos, native) = effort.in_turns(|| ours.ask("sum", &(sums, count, PARTS)), || native(sums, count))?;
    Ok(vec![Row::cost("sum of 10 M integers in 4 isolates", nanos / 1e6, native / 1e6, 1.0 / 1.5, "ms")])
}

/// Nanoseconds a sum. Two copies: out of the source into what goes through the channel, and out of that into the
/// receiver's own buffer.
fn native(sums: u32, count: u32) -> anyhow::Result<f64> {
    let integers: Vec<u8> = (0..count).flat_map(u32::to_le_bytes).collect();
    let (answer, answers) = mpsc::channel();
    let workers: Vec<_> = (0..PARTS)
        .map(|_| {
            let (to, from) = mpsc::channel::<Vec<u8>>();
            let answer = answer.clone();
            std::thread::spawn(move || {
                let mut buffer = Vec::new();
                for part in from {
                    buffer.clear();
                    buffer.extend_from_slice(&part);
                    drop(part);
                    answer.send(sum(&buffer)).ok();
                }
            });
            to
        })
        .collect();
    let length = 4 * count.div_ceil(PARTS) as usize;
    let once = || {
        for (worker, part) in workers.iter().zip(integers.chunks(length)) {
            worker.send(part.to_vec())?;
        }
        let total: u64 = answers.iter().take(PARTS as usize).sum();
        anyhow::ensure!(total == u64::from(count) * u64::from(count - 1) / 2, "a wrong sum");
        Ok(())
    };
    once()?;
    let began = Instant::now();
    (0..sums).try_for_each(|_| once())?;
    Ok(began.elapsed().as_nanos() as f64 / f64::from(sums))
}

fn sum(bytes: &[u8]) -> u64 {
    let number = |bytes: &[u8]| bytes.try_into().map_or(0, |bytes| u64::from(u32::from_le_bytes(bytes)));
    bytes.chunks_exact(4).map(number).sum()
}
