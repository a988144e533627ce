//! `insula stack`: where in its code an isolate of a run is.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use insula::{Isolate, printable};

use super::super::code::Outcome;
use super::super::report::{Backtrace, Shown, Sources, Stack};
use super::asker::Asker;
use super::protocol::{Answer, Ask};
use super::{RUN, answering, number};

/// How long an isolate has to say where it is.
const WITHIN: Duration = Duration::from_secs(2);

/// Shows where in its code an isolate of a run is.
#[derive(Args, Debug)]
#[command(
    after_help = "The isolate goes on at once: what it costs it is some microseconds.\n\nExamples:\n  insula stack 4711 3\n  insula stack --backtrace full 4711 '#3'\n  insula stack --json 4711 3"
)]
pub(in crate::cli) struct Command {
    #[arg(value_name = "PID|SOCKET", help = RUN)]
    run: String,
    /// The isolate's number, as `insula ps` shows it
    #[arg(value_name = "ISOLATE", value_parser = number)]
    isolate: u64,
    /// Which frames: those of the program, or all
    #[arg(long, value_enum, value_name = "short|full", hide_possible_values = true)]
    backtrace: Option<Backtrace>,
    /// As JSON, with all frames
    #[arg(long)]
    json: bool,
}

impl Command {
    pub(in crate::cli) fn run(self) -> Result<Outcome> {
        let answer = Asker::reach(&self.run)?.ask(&Ask::Stack { isolate: self.isolate })?;
        let Answer::Stack(stack) = answer else { bail!("the run answers something else than was asked") };
        if self.json {
            let mut out = std::io::stdout().lock();
            serde_json::to_writer_pretty(&mut out, &stack)?;
            writeln!(out)?;
            return Ok(Outcome::Done);
        }
        let text = stack.render(&shown(&stack, Backtrace::or_environment(self.backtrace)));
        writeln!(anstream::stdout(), "{text}")?;
        Ok(Outcome::Done)
    }
}

/// How a stack is shown: with sources that are around its module.
pub(super) fn shown(stack: &Stack, backtrace: Backtrace) -> Shown {
    Shown { backtrace, sources: Sources::around(Path::new(&stack.module), None), with_stderr: false }
}

/// The answer of a run: asks the isolate.
pub(super) fn answer(isolate: &Isolate) -> Answer {
    match isolate.stack(WITHIN) {
        Ok(stack) => {
            let state = answering::state(stack.doing);
            Answer::Stack(Box::new(Stack::of(&stack, isolate.debug_name(), state)))
        }
        Err(error) => Answer::Refused { why: printable(&error.to_string()).into_owned() },
    }
}
