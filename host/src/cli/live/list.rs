//! Runs and isolates as tables.

use std::io::Write;

use anyhow::Result;
use insula::printable_line;

use super::asker::Asker;
use super::protocol::{Row, Run};
use super::socket;

/// Heads of the table of isolates.
pub(super) const HEADS: [&str; 11] =
    ["isolate", "name", "parent", "restarts", "state", "cpu", "memory", "queued", "bytes", "received", "sent"];

/// An isolate as cells of that table.
pub(super) fn cells(row: &Row) -> [String; 11] {
    [
        format!("#{}", row.isolate),
        printable_line(&row.name).into_owned(),
        if row.parent == 0 { "-".to_owned() } else { format!("#{}", row.parent) },
        row.restarts.to_string(),
        printable_line(&row.state).into_owned(),
        format!("{:.3} s", row.cpu_seconds),
        bytes(row.memory_bytes),
        row.queued_messages.to_string(),
        bytes(row.queued_bytes),
        row.received_messages.to_string(),
        row.sent_messages.to_string(),
    ]
}

/// Bytes for people.
fn bytes(count: u64) -> String {
    match count {
        0..1_024 => format!("{count} B"),
        1_024..1_048_576 => format!("{:.1} KiB", count as f64 / 1_024.0),
        count => format!("{:.1} MiB", count as f64 / 1_048_576.0),
    }
}

/// Prints the isolates of a run.
pub(super) fn isolates(rows: &[Row], json: bool) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, rows)?;
        writeln!(out)?;
        return Ok(());
    }
    let table: Vec<[String; 11]> = std::iter::once(HEADS.map(str::to_owned)).chain(rows.iter().map(cells)).collect();
    write!(out, "{}", aligned(&table))?;
    Ok(())
}

/// Prints the runs of this user. The socket of a process that is gone is removed.
pub(super) fn runs(json: bool) -> Result<()> {
    let mut runs: Vec<Run> = Vec::new();
    for socket in socket::all()? {
        match Asker::at(&socket) {
            // One that ends right now is no run any more.
            Ok(mut asker) => runs.extend(asker.run().ok()),
            Err(_) if socket::is_of_nobody(&socket) => drop(std::fs::remove_file(&socket)),
            Err(_) => {}
        }
    }
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, &runs)?;
        writeln!(out)?;
        return Ok(());
    }
    let cells = runs.iter().map(|run| {
        let program = printable_line(&run.program).into_owned();
        [run.pid.to_string(), program, run.isolates.to_string(), format!("{:.1} s", run.seconds)]
    });
    let heads = ["pid", "program", "isolates", "since"].map(str::to_owned);
    write!(out, "{}", aligned(&std::iter::once(heads).chain(cells).collect::<Vec<_>>()))?;
    Ok(())
}

/// Prints how long the answer to a ping took.
pub(super) fn pong(isolate: u64, micros: f64) -> Result<()> {
    writeln!(std::io::stdout(), "#{isolate} answered after {micros:.1} us")?;
    Ok(())
}

/// Cells as columns: numbers to the right.
fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let widths: [usize; N] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default());
    let is_number = |cell: &str| cell.chars().next().is_some_and(|first| first.is_ascii_digit());
    let to_the_right: [bool; N] =
        std::array::from_fn(|column| rows.len() > 1 && rows[1..].iter().all(|row| is_number(&row[column])));
    let mut text = String::new();
    for row in rows {
        let cells =
            row.iter().zip(widths).zip(to_the_right).map(|((cell, width), right)| {
                if right { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
            });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_to_the_right() {
        let rows = [["name", "size"], ["a", "7"], ["longer", "12345"]].map(|row| row.map(str::to_owned));
        assert_eq!(aligned(&rows), "name     size\na           7\nlonger  12345\n");
        assert_eq!(aligned(&[["only", "heads"].map(str::to_owned)]), "only  heads\n");
    }

    #[test]
    fn bytes_have_a_unit() {
        assert_eq!([0, 1_023, 1_536, 3 << 20].map(bytes), ["0 B", "1023 B", "1.5 KiB", "3.0 MiB"]);
    }
}
