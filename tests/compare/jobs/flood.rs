//! A sender that nothing throttles: what the host holds for it, and what it costs the receiver.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context as _;
use insula::{Grant, Limits, Spawn};

use crate::guest::{Ours, Wasm};
use crate::measure::{Effort, median};
use crate::table::Row;

/// Bytes that the receiver's mailbox may hold.
const BUDGET: u64 = 32 << 20;

/// Messages of a kilobyte, and small ones.
pub(super) fn unthrottled(wasm: &Wasm, effort: Effort) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (name, length) in [("flood of 1 KiB", 1_024), ("flood of 16 B", 16)] {
        // Enough that the mailbox fills up, and that the receiver then takes as much again.
        let fills = (BUDGET / (u64::from(length) + 64)) as u32;
        let count = 2 * fills;
        let ours = Ours::new(wasm, 10)?;
        let (mut unthrottled, mut throttled, mut held) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..effort.rounds() {
            held.push(held_by(wasm, count, length)?);
            let (rate, refused) = flood(&ours, count, length, false)?;
            anyhow::ensure!(refused > 0, "the mailbox was never full");
            unthrottled.push(rate);
            throttled.push(flood(&ours, count, length, true)?.0);
        }
        let (budget, rates) = (BUDGET as f64 / f64::from(1 << 20), [median(unthrottled), median(throttled)]);
        rows.push(Row::at_most(format!("{name}: host memory"), median(held) / f64::from(1 << 20), budget, "MiB"));
        rows.push(Row::rate(format!("{name}, beside a sender that waits"), rates[0], rates[1], 0.5, "messages/s"));
    }
    Ok(rows)
}

/// Bytes that a flood takes, in a process of its own: in this one the allocator has kept those of the flood before.
fn held_by(wasm: &Wasm, count: u32, length: u32) -> anyhow::Result<f64> {
    let mut flood = Command::new(std::env::current_exe()?);
    flood.arg("--flood").arg(wasm).args([count, length].map(|number| number.to_string())).stderr(Stdio::inherit());
    let output = flood.output().context("this program cannot be started again")?;
    anyhow::ensure!(output.status.success(), "the process of the flood ended with {}", output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The process of [`held_by`]: prints the bytes.
pub(crate) fn measure_here(wasm: &Path, count: &str, length: &str) -> anyhow::Result<()> {
    let ours = Ours::new(wasm, 10)?;
    fresh_heap(&ours)?;
    let before = Memory::now()?;
    let (_, refused) = flood(&ours, count.parse()?, length.parse()?, false)?;
    let held = before.growth_at_most()?;
    anyhow::ensure!(refused > 0, "the mailbox was never full");
    print!("{held}");
    Ok(())
}

/// Everything is there that a flood needs, but for the messages.
fn fresh_heap(ours: &Ours) -> anyhow::Result<()> {
    flood(ours, 1_000, 16, true).map(drop)
}

/// Messages a second, and how many were refused.
fn flood(ours: &Ours, count: u32, length: u32, waits: bool) -> anyhow::Result<(f64, u64)> {
    let limits = Limits::default().mailbox(u64::MAX, BUDGET).sender_percent(100);
    let spawn = Spawn::entry("flood").grant(Grant::fine_clock()).limits(limits);
    Ok(ours.host.compute(&ours.module, spawn, &(count, length, waits))?.join()?)
}

/// What this process has of the machine's memory, by Linux.
struct Memory {
    resident: f64,
}

impl Memory {
    /// Bytes now; the peak begins anew.
    fn now() -> anyhow::Result<Memory> {
        std::fs::write("/proc/self/clear_refs", "5").context("the peak of memory cannot be begun anew")?;
        Ok(Memory { resident: Memory::bytes("VmRSS:")? })
    }

    /// Bytes at the peak since then, less those then.
    fn growth_at_most(&self) -> anyhow::Result<f64> {
        Ok(Memory::bytes("VmHWM:")? - self.resident)
    }

    fn bytes(field: &str) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string("/proc/self/status")?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)).context("Linux tells no such number")?;
        let kib: f64 = line.trim().trim_end_matches("kB").trim_end().parse()?;
        Ok(kib * 1024.0)
    }
}
