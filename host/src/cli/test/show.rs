//! Results as they are shown: as libtest shows them, one character each, as JSON, or as JUnit.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::super::report;
use super::each::{Done, Verdict};
use super::json;
use super::junit::Junit;
use super::libtest::Listed;

/// How results are shown.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq)]
pub(super) enum Format {
    /// A line for each test.
    Pretty,
    /// A character for each test.
    Terse,
    /// libtest's JSON, a line for each event.
    Json,
    /// One JUnit document at the end.
    Junit,
}

const GREEN: &str = "\u{1b}[32m";
const RED: &str = "\u{1b}[31m";
const YELLOW: &str = "\u{1b}[33m";
const PLAIN: &str = "\u{1b}[0m";

/// Characters of a line of the terse format.
const TERSE_COLUMNS: usize = 88;

/// Shows results as they come, and sums them up.
pub(super) struct Show {
    format: Format,
    nocapture: bool,
    show_output: bool,
    junit: Option<Junit>,
    file: Option<PathBuf>,
    suite: Suite,
    failed_in_all: usize,
}

/// The tests of one binary.
struct Suite {
    began: Instant,
    filtered_out: usize,
    passed: Vec<Done>,
    failed: Vec<Done>,
    ignored: usize,
}

impl Suite {
    fn new(filtered_out: usize) -> Suite {
        Suite { began: Instant::now(), filtered_out, passed: Vec::new(), failed: Vec::new(), ignored: 0 }
    }

    fn count(&self) -> usize {
        self.passed.len() + self.failed.len() + self.ignored
    }
}

/// How many of each kind, and how long they took together.
pub(super) struct Sum {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) ignored: usize,
    pub(super) filtered_out: usize,
    pub(super) took: Duration,
}

impl Show {
    pub(super) fn new(format: Format, nocapture: bool, show_output: bool, file: Option<PathBuf>) -> Show {
        let junit = (format == Format::Junit || file.is_some()).then(Junit::default);
        Show { format, nocapture, show_output, junit, file, suite: Suite::new(0), failed_in_all: 0 }
    }

    /// The names only.
    pub(super) fn list(&mut self, tests: &[Listed]) {
        let mut text: String = tests.iter().map(|test| format!("{}: test\n", report::line(&test.name))).collect();
        if self.format == Format::Pretty {
            text.push_str(&format!("\n{}, 0 benchmarks\n", tests_of(tests.len())));
        }
        say(&text);
    }

    /// The tests of a binary begin; its file is named unless somebody else did.
    pub(super) fn begins(&mut self, title: &str, file: Option<&Path>, count: usize, filtered_out: usize) {
        self.suite = Suite::new(filtered_out);
        if let Some(junit) = &mut self.junit {
            junit.begins(title);
        }
        match self.format {
            Format::Pretty | Format::Terse => {
                if let Some(file) = file {
                    let file = report::line(&file.display().to_string());
                    report::aside(&format!("     Running {} ({file})", report::line(title)));
                }
                say(&format!("\nrunning {}\n", tests_of(count)));
            }
            Format::Json => say(&json::began(count)),
            Format::Junit => {}
        }
    }

    /// A test is over.
    pub(super) fn ended(&mut self, done: Done) {
        match self.format {
            Format::Pretty => say(&line(&done)),
            Format::Terse => self.mark(&done),
            Format::Json => say(&json::ended(&done)),
            Format::Junit => {}
        }
        if self.nocapture && self.is_for_people() && matches!(done.verdict, Verdict::Passed) {
            say(&done.told());
        }
        if let Some(junit) = &mut self.junit {
            junit.ended(&done);
        }
        match done.verdict {
            Verdict::Passed => self.suite.passed.push(done),
            Verdict::Ignored(_) => self.suite.ignored += 1,
            Verdict::Failed(_) | Verdict::TimedOut(_) => {
                if self.nocapture && self.is_for_people() {
                    say(&done.told());
                }
                self.suite.failed.push(done);
            }
        }
    }

    /// All tests of the binary are; `left` are reports of isolates that outlived theirs.
    pub(super) fn is_over(&mut self, left: String) {
        let suite = &self.suite;
        let sum = Sum {
            passed: suite.passed.len(),
            failed: suite.failed.len(),
            ignored: suite.ignored,
            filtered_out: suite.filtered_out,
            took: suite.began.elapsed(),
        };
        self.failed_in_all += sum.failed;
        if let Some(junit) = &mut self.junit {
            junit.is_over(&sum);
        }
        match self.format {
            Format::Pretty | Format::Terse => say(&self.summary(&sum)),
            Format::Json => say(&json::is_over(&sum)),
            Format::Junit => {}
        }
        if !left.is_empty() {
            report::aside(left.trim_end());
        }
    }

    /// Nothing more comes.
    pub(super) fn finish(&mut self) -> Result<()> {
        let Some(junit) = self.junit.take() else { return Ok(()) };
        let text = junit.text();
        if let Some(file) = &self.file {
            std::fs::write(file, &text).with_context(|| format!("cannot write {}", report::path(file)))?;
        }
        if self.format == Format::Junit {
            say(&text);
        }
        Ok(())
    }

    pub(super) fn all_passed(&self) -> bool {
        self.failed_in_all == 0
    }

    fn is_for_people(&self) -> bool {
        matches!(self.format, Format::Pretty | Format::Terse)
    }

    fn mark(&self, done: &Done) {
        let (colour, mark) = match done.verdict {
            Verdict::Passed => (GREEN, '.'),
            Verdict::Ignored(_) => (YELLOW, 'i'),
            Verdict::Failed(_) | Verdict::TimedOut(_) => (RED, 'F'),
        };
        let end = if (self.suite.count() + 1).is_multiple_of(TERSE_COLUMNS) { "\n" } else { "" };
        say(&format!("{colour}{mark}{PLAIN}{end}"));
    }

    fn summary(&self, sum: &Sum) -> String {
        let mut text = if self.format == Format::Terse { "\n".to_owned() } else { String::new() };
        let shown = |tests: &[Done]| tests.iter().map(|done| done.told()).collect::<String>();
        if self.show_output && !self.nocapture && self.suite.passed.iter().any(|done| !done.told().is_empty()) {
            text.push_str(&format!("\nsuccesses:\n\n{}", shown(&self.suite.passed)));
        }
        if !self.suite.failed.is_empty() {
            text.push_str("\nfailures:\n\n");
            if !self.nocapture {
                text.push_str(&shown(&self.suite.failed));
            }
            let names = self.suite.failed.iter().map(|done| {
                let why = done.why().unwrap_or_default();
                format!("    {} ({})\n", report::line(&done.name), report::line(&why))
            });
            text.push_str(&format!("\nfailures:\n{}", names.collect::<String>()));
        }
        let word = if sum.failed == 0 { format!("{GREEN}ok{PLAIN}") } else { format!("{RED}FAILED{PLAIN}") };
        let Sum { passed, failed, ignored, filtered_out, took } = sum;
        text + &format!(
            "\ntest result: {word}. {passed} passed; {failed} failed; {ignored} ignored; 0 measured; {filtered_out} filtered \
             out; finished in {:.2}s\n\n",
            took.as_secs_f64()
        )
    }
}

fn line(done: &Done) -> String {
    let word = match &done.verdict {
        Verdict::Passed => format!("{GREEN}ok{PLAIN}"),
        Verdict::Ignored(None) => format!("{YELLOW}ignored{PLAIN}"),
        Verdict::Ignored(Some(reason)) => format!("{YELLOW}ignored, {}{PLAIN}", report::line(reason)),
        Verdict::Failed(_) => format!("{RED}FAILED{PLAIN}"),
        Verdict::TimedOut(_) => format!("{RED}FAILED{PLAIN} (timed out)"),
    };
    format!("test {} ... {word}\n", report::line(&done.name))
}

fn tests_of(count: usize) -> String {
    format!("{count} test{}", if count == 1 { "" } else { "s" })
}

/// On standard output, with colours where whoever reads wants them.
fn say(text: &str) {
    let mut out = anstream::stdout().lock();
    // Whoever closed our standard output does not want to know.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
