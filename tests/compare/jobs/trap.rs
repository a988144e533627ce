//! What is told of a failure, and how soon.

use crate::guest::{self, Ours, Wasm};
use crate::measure::{Effort, median};
use crate::table::Row;

/// From the spawn of a child that panics to the parent that has its error; then files and lines of the frames.
pub(super) fn told(wasm: &Wasm, effort: Effort) -> anyhow::Result<Vec<Row>> {
    const PROGRAM: &str = "insula-compare-trap";
    let ours = Ours::new(&wasm.with_file_name(format!("{PROGRAM}.wasm")), 100)?;
    let nanos = effort.alone(|| Ok(median(ours.ask("trap", &effort.of(1_000))?)))?;
    let wasm = guest::build_with_lines(PROGRAM)?;
    let (mut first, mut next) = (Vec::new(), Vec::new());
    for _ in 0..effort.rounds() {
        // A new host has not read the module's debug information.
        let nanos: Vec<f64> = Ours::new(&wasm, 100)?.ask("trap-resolved", &effort.of(200))?;
        first.extend(nanos.first());
        next.push(median(nanos[1..].to_vec()));
    }
    Ok(vec![
        Row::at_most("trap: spawn to error notice", nanos / 1e3, 60.0, "us"),
        Row::at_most("trap: file and line, the first", median(first) / 1e6, 20.0, "ms"),
        Row::at_most("trap: file and line, the next", median(next) / 1e3, 50.0, "us"),
    ])
}
