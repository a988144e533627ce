//! A trace as numbers: of each isolate how long it ran, waited and was ready, and what it sent and received.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Result;
use insula::printable_line;
use serde::Serialize;

use super::file::Trace;

/// Of one isolate. Times are microseconds.
#[derive(Debug, Default, Serialize)]
struct Row {
    isolate: String,
    running: f64,
    waiting: f64,
    ready: f64,
    paused: f64,
    turns: u64,
    sent: u64,
    sent_bytes: u64,
    received: u64,
    exit: Option<String>,
}

/// Of the whole run. Times are microseconds.
#[derive(Debug, Serialize)]
struct Stats<'a> {
    program: &'a str,
    /// From the first thing that happened to the last.
    micros: f64,
    messages: usize,
    /// From send to receive, of those that were received: half of them took no longer, and 99 of 100.
    delivery_p50: f64,
    delivery_p99: f64,
    missed: u64,
    isolates: Vec<Row>,
}

/// Prints it as a table, or as JSON.
pub(super) fn print(trace: &Trace, json: bool) -> Result<()> {
    let stats = stats(trace);
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, &stats)?;
        writeln!(out)?;
        return Ok(());
    }
    write!(out, "{}", table(&stats))?;
    Ok(())
}

fn stats(trace: &Trace) -> Stats<'_> {
    let mut rows: BTreeMap<u64, Row> = BTreeMap::new();
    for track in trace.tracks.keys() {
        rows.insert(*track, Row { isolate: trace.name(*track), ..Row::default() });
    }
    for slice in &trace.slices {
        let row = rows.entry(slice.track).or_default();
        match slice.kind.as_str() {
            "run" => (row.running, row.turns) = (row.running + slice.took, row.turns + 1),
            "wait" => row.waiting += slice.took,
            "ready" => row.ready += slice.took,
            "paused" => row.paused += slice.took,
            _ => {}
        }
    }
    for message in &trace.messages {
        let sender = rows.entry(message.from).or_default();
        (sender.sent, sender.sent_bytes) = (sender.sent + 1, sender.sent_bytes + message.bytes);
        rows.entry(message.to).or_default().received += u64::from(message.received.is_some());
    }
    for mark in trace.marks.iter().filter(|mark| mark.kind == "end") {
        rows.entry(mark.track).or_default().exit = Some(mark.text.clone());
    }
    let mut delivery: Vec<f64> = trace.messages.iter().filter_map(|one| Some(one.received? - one.sent)).collect();
    delivery.sort_by(f64::total_cmp);
    let [delivery_p50, delivery_p99] = [50, 99].map(|percent| percentile(&delivery, percent));
    let Trace { program, missed, messages, .. } = trace;
    let (micros, isolates) = (span(trace), rows.into_values().collect());
    Stats { program, micros, messages: messages.len(), delivery_p50, delivery_p99, missed: *missed, isolates }
}

/// From the first thing to the end of the last.
fn span(trace: &Trace) -> f64 {
    let slices = trace.slices.iter().flat_map(|slice| [slice.at, slice.at + slice.took]);
    let times = slices.chain(trace.marks.iter().map(|mark| mark.at)).chain(trace.messages.iter().map(|one| one.sent));
    let (from, to) = times.fold((f64::MAX, 0.0), |(from, to), at| (f64::min(from, at), f64::max(to, at)));
    (to - from).max(0.0)
}

/// The value that so many of a hundred do not exceed.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or_default()
}

fn table(stats: &Stats<'_>) -> String {
    let heads = ["isolate", "running", "waiting", "ready", "paused", "turns", "sent", "bytes", "received", "end"];
    let mut rows = vec![heads.map(str::to_owned)];
    rows.extend(stats.isolates.iter().map(|row| {
        let [running, waiting, ready, paused] = [row.running, row.waiting, row.ready, row.paused].map(time);
        let [turns, sent, bytes, received] =
            [row.turns, row.sent, row.sent_bytes, row.received].map(|number| number.to_string());
        let end = row.exit.as_deref().map(printable_line).unwrap_or_default().into_owned();
        [printable_line(&row.isolate).into_owned(), running, waiting, ready, paused, turns, sent, bytes, received, end]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; 10] = std::array::from_fn(width);
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            // Texts to the left, numbers to the right.
            let cell = if matches!(column, 0 | 9) { format!("{cell:<width$}") } else { format!("{cell:>width$}") };
            line.push_str(&cell);
            line.push_str("  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let (program, span) = (printable_line(stats.program), time(stats.micros));
    let (p50, p99) = (time(stats.delivery_p50), time(stats.delivery_p99));
    text.push_str(&format!(
        "\n{program}: {span}, {} messages, delivered in {p50} (p50), {p99} (p99)\n",
        stats.messages
    ));
    if stats.missed > 0 {
        text.push_str(&format!("{} events are missing: more than could be kept\n", stats.missed));
    }
    text
}

/// A time for people.
fn time(micros: f64) -> String {
    match micros {
        micros if micros < 1_000.0 => format!("{micros:.1} us"),
        micros if micros < 1_000_000.0 => format!("{:.2} ms", micros / 1_000.0),
        micros => format!("{:.3} s", micros / 1_000_000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_are_there() {
        let sorted: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!((percentile(&sorted, 50), percentile(&sorted, 99)), (100.0, 198.0));
        assert_eq!((percentile(&[7.0], 50), percentile(&[], 99)), (7.0, 0.0));
    }

    #[test]
    fn times_are_short() {
        assert_eq!([0.04, 999.9, 1_500.0, 2_345_678.0].map(time), ["0.0 us", "999.9 us", "1.50 ms", "2.346 s"]);
    }
}
