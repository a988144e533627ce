//! The start of a program from the shell, beside a minimal wasmtime + WASI program that runs the same module.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::Context as _;

use crate::guest::{self, Wasm, target_folder};
use crate::measure::{Effort, median};
use crate::table::Row;

/// Starts of each in turns. One takes milliseconds, so more than elsewhere can be had.
const STARTS: u32 = 100;

/// From the start of the process to its end, of a module that is compiled already and prints a line.
pub(super) fn insula_run(wasm: &Wasm, effort: Effort) -> anyhow::Result<Vec<Row>> {
    let hello = wasm.with_file_name("insula-compare-hello.wasm");
    let [insula, minimal] = guest::build_programs()?;
    let compiled = target_folder()?.join("compare-cache/hello.compiled");
    let made = Command::new(&minimal).arg("--compile").args([&hello, &compiled]).status()?;
    anyhow::ensure!(made.success(), "the reference cannot compile: {made}");

    let mut ours = Command::new(insula);
    // A cache beside ours: the user's own is not for measurements.
    ours.arg("run").arg(&hello).env("XDG_CACHE_HOME", target_folder()?.join("compare-cache/home"));
    let mut reference = Command::new(minimal);
    reference.arg(&compiled);
    start(&mut ours)?; // compiles
    let (mut times, mut their_times) = (Vec::new(), Vec::new());
    for _ in 0..effort.of(STARTS).max(20) {
        times.push(start(&mut ours)?);
        their_times.push(start(&mut reference)?);
    }
    Ok(vec![Row::cost("start: `insula run`, compiled before", median(times), median(their_times), 1.0 / 1.3, "ms")])
}

/// Milliseconds from spawn to exit.
fn start(program: &mut Command) -> anyhow::Result<f64> {
    let began = Instant::now();
    let output = program.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("it cannot be started")?;
    let millis = began.elapsed().as_secs_f64() * 1e3;
    anyhow::ensure!(output.status.success() && output.stdout == b"hello\n", "it ended with {}", output.status);
    Ok(millis)
}
