//! `insula logs`: the last that isolates of a run wrote to their standard error, and what they go on to write.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::{Result, bail};
use clap::Args;
use insula::printable_line;

use super::super::code::Outcome;
use super::asker::Asker;
use super::protocol::{Answer, Ask, Text};
use super::{RUN, number};

/// Bytes of a line without an end that are waited for; a longer one is broken.
const LINE_BYTES_MAX: usize = 4 << 10;

/// Characters of a name that stand before a line.
const NAME_CHARS_MAX: usize = 64;

/// Shows the last that the isolates of a run wrote to their standard error.
#[derive(Args, Debug)]
#[command(
    after_help = "A run keeps the last 4 KiB of each isolate that lives, and of those that died last.\n\nExamples:\n  insula logs 4711            of all isolates, each line with the isolate that wrote it\n  insula logs 4711 3          of one\n  insula logs --follow 4711   until the run ends"
)]
pub(in crate::cli) struct Command {
    #[arg(value_name = "PID|SOCKET", help = RUN)]
    run: String,
    /// The isolate's number, as `insula ps` shows it; without it, all
    #[arg(value_name = "ISOLATE", value_parser = number)]
    isolate: Option<u64>,
    /// Goes on until the isolate or the run ends
    #[arg(short, long)]
    follow: bool,
}

impl Command {
    pub(in crate::cli) fn run(self) -> Result<Outcome> {
        let mut asker = Asker::reach(&self.run)?;
        let mut lines =
            Lines { out: std::io::stdout().lock(), labelled: self.isolate.is_none(), begun: BTreeMap::new() };
        let mut is_first = true;
        loop {
            let asked = Ask::Logs { isolate: self.isolate, wait: self.follow && !is_first };
            let (texts, more, over) = match asker.ask(&asked) {
                Ok(Answer::Logs { texts, more, over }) => (texts, more, over),
                Ok(_) => bail!("the run answers something else than was asked"),
                Err(error) if is_first => return Err(error),
                // One that lives stopped to tell, since nobody read for a while: behind a pager, say.
                Err(_) if Asker::reach(&self.run).is_ok_and(|mut asker| asker.run().is_ok()) => {
                    bail!("the run waits for nobody who does not read, and tells no more here; it goes on")
                }
                // The run is over, and all that it had to tell was told.
                Err(_) => break,
            };
            for text in texts {
                lines.take(text)?;
            }
            lines.out.flush()?;
            is_first = false;
            if !more && (over || !self.follow) {
                break;
            }
        }
        lines.finish()?;
        Ok(Outcome::Done)
    }
}

/// Bits of text on their way to whole lines.
struct Lines<W> {
    out: W,
    /// Whether each line begins with its isolate.
    labelled: bool,
    /// By isolate: its label, and a line without an end yet.
    begun: BTreeMap<u64, (String, String)>,
}

impl<W: Write> Lines<W> {
    fn take(&mut self, Text { isolate, name, missed, text }: Text) -> Result<()> {
        let (label, mut begun) = self.begun.remove(&isolate).unwrap_or_else(|| {
            let name: String = name.chars().take(NAME_CHARS_MAX).collect();
            (format!("[{} #{isolate}] ", printable_line(&name)), String::new())
        });
        let label = if self.labelled { label } else { String::new() };
        if missed > 0 {
            if !begun.is_empty() {
                self.line(&label, &std::mem::take(&mut begun))?;
            }
            writeln!(self.out, "{label}[{missed} bytes before this are not kept]")?;
        }
        begun.push_str(&text);
        while let Some((line, rest)) = begun.split_once('\n') {
            self.line(&label, line)?;
            begun = rest.to_owned();
        }
        while begun.len() > LINE_BYTES_MAX {
            let rest = begun.split_off(begun.floor_char_boundary(LINE_BYTES_MAX));
            self.line(&label, &begun)?;
            begun = rest;
        }
        if !begun.is_empty() {
            self.begun.insert(isolate, (label, begun));
        }
        Ok(())
    }

    /// What has no end.
    fn finish(&mut self) -> Result<()> {
        for (label, line) in std::mem::take(&mut self.begun).into_values() {
            self.line(&label, &line)?;
        }
        self.out.flush()?;
        Ok(())
    }

    fn line(&mut self, label: &str, line: &str) -> Result<()> {
        writeln!(self.out, "{label}{}", printable_line(line))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(isolate: u64, missed: u64, text: &str) -> Text {
        Text { isolate, name: "w\u{1b}".to_owned(), missed, text: text.to_owned() }
    }

    #[test]
    fn bits_become_lines_of_their_isolates_and_what_is_missed_is_said() {
        let mut lines = Lines { out: Vec::new(), labelled: true, begun: BTreeMap::new() };
        lines.take(text(1, 0, "one\ntw")).expect("memory is written");
        lines.take(text(2, 3, "x\u{1b}[2J\n")).expect("memory is written");
        lines.take(text(1, 0, "o\nthree")).expect("memory is written");
        lines.take(text(1, 7, "end")).expect("memory is written");
        lines.finish().expect("memory is written");
        let expected = "[w\\u{1b} #1] one\n[w\\u{1b} #2] [3 bytes before this are not kept]\n[w\\u{1b} #2] x\\u{1b}[2J\n\
                        [w\\u{1b} #1] two\n[w\\u{1b} #1] three\n[w\\u{1b} #1] [7 bytes before this are not kept]\n\
                        [w\\u{1b} #1] end\n";
        assert_eq!(String::from_utf8(lines.out).expect("text"), expected);
    }

    #[test]
    fn a_line_without_an_end_is_broken() {
        let mut lines = Lines { out: Vec::new(), labelled: false, begun: BTreeMap::new() };
        lines.take(text(1, 0, &"a".repeat(2 * LINE_BYTES_MAX + 1))).expect("memory is written");
        assert_eq!(lines.out.len(), 2 * (LINE_BYTES_MAX + 1));
        lines.finish().expect("memory is written");
        assert!(lines.out.ends_with(b"\na\n"));
    }
}
