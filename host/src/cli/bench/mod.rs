//! `insula bench`: what isolates cost on this machine.
//!
//! Each job is walked until its time is up, and its median is told: the fastest and the slowest walk say how far to
//! believe it. The guest is written by hand, so that what is measured is the host and not an SDK.

mod jobs;

use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use self::jobs::{JOBS, Job, Stage};
use super::answer::{self, table};
use super::code::Outcome;

/// Measures spawns, messages and kills on this machine
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Bench {
    /// A tenth of the time, for numbers of less worth
    #[arg(long)]
    quick: bool,

    /// As JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
It takes a few seconds. Each number is the median of several walks; `from` and `to` are the lowest
and the highest. Other programs that run meanwhile make it worse.

Examples:
  insula bench
  insula bench --quick
  insula bench --json | jq '.[] | {name, median, unit}'";

/// What a job may take.
const TIME: Duration = Duration::from_millis(600);

/// How much less of it there is for `--quick`.
const QUICK: u32 = 10;

/// Walks of a job at most, and at least.
const WALKS: std::ops::RangeInclusive<usize> = 3..=25;

/// What is told of a job.
#[derive(Serialize)]
struct Measured {
    name: &'static str,
    what: &'static str,
    unit: &'static str,
    median: f64,
    from: f64,
    to: f64,
    walks: usize,
}

impl Bench {
    pub(super) fn run(self) -> Result<Outcome> {
        let stage = Stage::new()?;
        let time = if self.quick { TIME / QUICK } else { TIME };
        let measured = JOBS.iter().map(|job| measure(job, &stage, time)).collect::<Result<Vec<_>>>()?;
        if self.json { answer::json(&measured) } else { answer::text(&text(&measured)) }
    }
}

fn measure(job: &Job, stage: &Stage, time: Duration) -> Result<Measured> {
    // The first walk pays for what is done once: code that is not in the caches yet, memory that was never touched.
    (job.walk)(stage)?;
    let mut took = Vec::new();
    let begun = Instant::now();
    while took.len() < *WALKS.start() || (begun.elapsed() < time && took.len() < *WALKS.end()) {
        took.push(job.unit.of(&(job.walk)(stage)?));
    }
    took.sort_by(f64::total_cmp);
    let (median, (from, to)) = (took[took.len() / 2], (took[0], took[took.len() - 1]));
    let Job { name, what, unit, .. } = job;
    Ok(Measured { name, what, unit: unit.name(), median, from, to, walks: took.len() })
}

fn text(measured: &[Measured]) -> String {
    let head = ["", "", "median", "from", "to"].map(str::to_owned);
    let row = |one: &Measured| {
        let shown = |value: f64| number(value);
        let median = format!("{} {}", shown(one.median), one.unit);
        [one.name.to_owned(), one.what.to_owned(), median, shown(one.from), shown(one.to)]
    };
    table(&std::iter::once(head).chain(measured.iter().map(row)).collect::<Vec<_>>())
}

/// Three digits are worth showing, and those before the point.
fn number(value: f64) -> String {
    if value < 10.0 {
        return format!("{value:.2}");
    }
    if value < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::jobs::Unit;
    use super::*;

    #[test]
    fn numbers_have_three_digits_or_all_before_the_point() {
        assert_eq!([number(1.234), number(12.34), number(123.4)], ["1.23", "12.3", "123"]);
        assert_eq!([number(1_234.5), number(1_234_567.8)], ["1,234", "1,234,568"]);
    }

    #[test]
    fn units_are_of_one_thing_or_of_a_second() {
        let walked = jobs::Walked { took: Duration::from_millis(10), times: 1_000, bytes: 1 << 20 };
        assert_eq!((Unit::Microseconds.of(&walked), Unit::PerSecond.of(&walked)), (10.0, 100_000.0));
        assert_eq!(Unit::MebibytesPerSecond.of(&walked), 100.0);
    }
}
