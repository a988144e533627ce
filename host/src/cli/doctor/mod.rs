//! `insula doctor`: whether this machine has what guests are built and run with, and what it allows.
//!
//! Each check is a line: what was looked at, what was found, and what to do where that is not enough.

mod machine;
mod rust;

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use anyhow::Result;
use clap::Args;
use insula::printable_line;
use serde::Serialize;

use super::answer;
use super::code::{FAILURE, Outcome};

/// Looks whether this machine has what guests are built and run with
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Doctor {
    /// As JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Where a line says `warning`, something works less well than it could; where it says `failed`, it does
not work, and the exit code is 1. The runner is looked for as cargo does: in this folder and those
above, and in cargo's home.

Examples:
  insula doctor
  insula doctor --json | jq '.checks[] | select(.state != \"ok\")'";

/// How it stands with something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Warning,
    Failed,
}

/// Something that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    state: State,
    found: String,
    remedy: Option<String>,
}

#[derive(Serialize)]
struct Checks {
    ok: bool,
    checks: Vec<Check>,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Check {
        Check { name, state: State::Ok, found: found.into(), remedy: None }
    }

    fn warning(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Check {
        Check { name, state: State::Warning, found: found.into(), remedy: Some(remedy.into()) }
    }

    fn failed(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Check {
        Check { name, state: State::Failed, found: found.into(), remedy: Some(remedy.into()) }
    }

    /// One line, and one for the remedy.
    fn text(&self) -> String {
        let (word, colour) = match self.state {
            State::Ok => ("ok", AnsiColor::Green),
            State::Warning => ("warning", AnsiColor::Yellow),
            State::Failed => ("failed", AnsiColor::Red),
        };
        let style: Style = colour.on_default();
        let mut text = format!("{style}{word:<8}{style:#} {:<14} {}\n", self.name, printable_line(&self.found));
        if let Some(remedy) = &self.remedy {
            text += &format!("{:<23} -> {}\n", "", printable_line(remedy));
        }
        text
    }
}

impl Doctor {
    pub(super) fn run(self) -> Result<Outcome> {
        let checks: Vec<Check> = rust::checks()?.into_iter().chain(machine::checks()).collect();
        let ok = checks.iter().all(|check| check.state != State::Failed);
        if self.json {
            answer::json(&Checks { ok, checks })?;
        } else {
            answer::text(&checks.iter().map(Check::text).collect::<String>())?;
        }
        Ok(Outcome::Answered(if ok { ExitCode::SUCCESS } else { FAILURE.into() }))
    }
}
