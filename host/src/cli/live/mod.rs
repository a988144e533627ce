//! Looking into a run from outside: `insula ps`, `top`, `stack`, `logs`, `kill`, `pause`, `resume`, `ping`.
//!
//! - `socket`: where a run listens: a local socket that only its owner can reach.
//! - `protocol`: what is asked and answered, a line of JSON each.
//! - `entrance`: from when there is one. `answering`: the side of the run, a thread beside it. `asker`: who asks.
//! - `list`, `top`: tables of isolates, once and live. `stack`: where one is. `logs`: what they write, `news` on the run's side.

mod answering;
mod asker;
mod entrance;
mod list;
mod logs;
mod news;
mod protocol;
mod socket;
mod stack;
mod top;

use anyhow::Result;
use clap::Args;

use super::code::Outcome;
pub(super) use answering::{Answering, Door};
use asker::Asker;
pub(super) use entrance::{Entrance, Way};
pub(super) use logs::Command as Logs;
use protocol::{Answer, Ask};
pub(super) use stack::Command as Stack;
pub(super) use top::Command as Top;

const RUN: &str = "The process that runs `insula run`, or its socket";

/// Lists the isolates of a run; without a run, the runs of this user.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  insula ps               which runs there are\n  insula ps 4711          its isolates\n  insula ps --json 4711   the same for programs"
)]
pub(super) struct Ps {
    #[arg(value_name = "PID|SOCKET", help = RUN)]
    run: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Ps {
    pub(super) fn run(self) -> Result<Outcome> {
        match self.run {
            Some(run) => list::isolates(&Asker::reach(&run)?.isolates()?, self.json)?,
            None => list::runs(self.json)?,
        }
        Ok(Outcome::Done)
    }
}

/// What is done to one isolate of a run.
#[derive(Args, Debug)]
pub(super) struct One {
    #[arg(value_name = "PID|SOCKET", help = RUN)]
    run: String,
    /// The isolate's number, as `insula ps` shows it
    #[arg(value_name = "ISOLATE", value_parser = number)]
    isolate: u64,
}

/// A number, with or without the `#` that reports show before it.
fn number(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix('#').unwrap_or(text);
    digits.parse().map_err(|_| "an isolate's number is like 3 or #3".to_owned())
}

impl One {
    /// Ends it.
    pub(super) fn kill(self) -> Result<Outcome> {
        self.ask(|isolate| Ask::Kill { isolate })
    }

    /// Pauses it, until it is resumed.
    pub(super) fn pause(self) -> Result<Outcome> {
        self.ask(|isolate| Ask::Pause { isolate })
    }

    /// Takes the pause back.
    pub(super) fn resume(self) -> Result<Outcome> {
        self.ask(|isolate| Ask::Resume { isolate })
    }

    /// Says how long it took to answer at the end of its turn.
    pub(super) fn ping(self) -> Result<Outcome> {
        self.ask(|isolate| Ask::Ping { isolate })
    }

    fn ask(self, ask: impl FnOnce(u64) -> Ask) -> Result<Outcome> {
        let answer = Asker::reach(&self.run)?.ask(&ask(self.isolate))?;
        if let Answer::Pong { micros } = answer {
            list::pong(self.isolate, micros)?;
        }
        Ok(Outcome::Done)
    }
}
