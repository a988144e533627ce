//! The start of a program from the shell, of a module that was compiled before: beside the least that wasmtime can do, which
//! trusts a file, and beside wasmtime with its own cache.

use std::path::{Path, PathBuf};
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
    let folder = target_folder()?.join("compare-cache");
    let compiled = folder.join("hello.compiled");
    std::fs::create_dir_all(&folder)?;
    let [insula, cached, minimal] = guest::build_programs()?;
    let [insula, cached, minimal] = [copied(&insula, &folder)?, copied(&cached, &folder)?, copied(&minimal, &folder)?];
    let made = Command::new(&minimal).arg("--compile").args([&hello, &compiled]).status()?;
    anyhow::ensure!(made.success(), "the reference cannot compile: {made}");

    // A cache beside ours, for each: the user's own is not for measurements.
    let mut ours = Command::new(insula);
    ours.arg("run").arg(&hello).env("XDG_CACHE_HOME", folder.join("home"));
    let mut same = Command::new(cached);
    same.arg(&hello).env("XDG_CACHE_HOME", folder.join("home-of-wasmtime"));
    let mut least = Command::new(minimal);
    least.arg(&compiled);
    let mut programs = [ours, same, least];
    for program in &mut programs {
        start(program)?; // compiles
    }
    let mut times: [Vec<f64>; 3] = Default::default();
    for _ in 0..effort.of(STARTS).max(20) {
        for (program, times) in programs.iter_mut().zip(&mut times) {
            times.push(start(program)?);
        }
    }
    let [ours, same, least] = times.map(median);
    Ok(vec![
        Row::cost("start: `insula run`, compiled before", ours, least, 1.0 / 1.3, "ms"),
        Row::told("start, beside wasmtime with its own cache", ours, Some(same), "ms"),
    ])
}

/// A copy, as it lies where it was installed. How a file is kept in memory depends on how it got there, and on what was read
/// since: the same program took up to a third longer than a new copy of it.
fn copied(program: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    let name = program.file_name().context("a program has a name")?;
    let copy = folder.join(name);
    // One that runs cannot be written to, and one that is written anew lies where the last one did.
    let _ = std::fs::remove_file(&copy);
    std::fs::copy(program, &copy)?;
    Ok(copy)
}

/// Milliseconds from spawn to exit.
fn start(program: &mut Command) -> anyhow::Result<f64> {
    let began = Instant::now();
    let output = program.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("it cannot be started")?;
    let millis = began.elapsed().as_secs_f64() * 1e3;
    anyhow::ensure!(output.status.success() && output.stdout == b"hello\n", "it ended with {}", output.status);
    Ok(millis)
}
