//! What a command answers, on standard output: text or JSON. A reader that closed the pipe has read what it wanted.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use anyhow::{Context, Result};
use insula::printable_line;
use serde::Serialize;

use super::code::Outcome;

/// Prints text, with its colours where the terminal and `NO_COLOR`, `CLICOLOR` and `CLICOLOR_FORCE` want them.
pub(super) fn text(text: &str) -> Result<Outcome> {
    write(&mut anstream::stdout(), text.as_bytes())
}

/// Prints bytes as they are.
pub(super) fn bytes(bytes: &[u8]) -> Result<Outcome> {
    write(&mut std::io::stdout(), bytes)
}

/// Prints a value as JSON, indented: whoever wants it otherwise has a program for that.
pub(super) fn json(value: &impl Serialize) -> Result<Outcome> {
    let text = serde_json::to_string_pretty(value).context("cannot say it as JSON")?;
    bytes(format!("{text}\n").as_bytes())
}

fn write(out: &mut impl Write, bytes: &[u8]) -> Result<Outcome> {
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("cannot write to standard output"),
        _ => Ok(Outcome::Answered(ExitCode::SUCCESS)),
    }
}

/// Rows of cells, each column as wide as it must be, the last one free; two spaces before each row. What is in a cell
/// stays in it, whoever wrote it.
pub(super) fn table<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let shown = |cell: &String| printable_line(cell).into_owned();
    let rows: Vec<[String; COLUMNS]> = rows.iter().map(|row| std::array::from_fn(|at| shown(&row[at]))).collect();
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (at, cell) in row.iter().enumerate() {
            line += &format!("  {cell:<width$}", width = width(at));
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// Bytes for people.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} bytes"),
        1_024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1_024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
        _ => format!("{:.1} GiB", bytes as f64 / 1_073_741_824.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_aligned_and_keep_to_themselves() {
        let rows = [["a".to_owned(), "1".to_owned()], ["long\n\u{1b}".to_owned(), "2".to_owned()]];
        assert_eq!(table(&rows), "  a             1\n  long\\n\\u{1b}  2\n");
    }

    #[test]
    fn sizes_have_their_unit() {
        assert_eq!([size(0), size(1_023), size(1_536)], ["0 bytes", "1023 bytes", "1.5 KiB"]);
        assert_eq!([size(64 << 20), size(5 << 30)], ["64.0 MiB", "5.0 GiB"]);
    }
}
