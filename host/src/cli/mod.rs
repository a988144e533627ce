//! The commands, one file each, over the public API of the library only.
//!
//! Exit codes are decided here: the guest's own; 134 where main trapped or panicked; 137 where it was killed; 130 and
//! 143 after a signal; 1 for a failure of ours and where all are asleep; 2 for usage (clap's own).

mod build;
mod run;
mod signals;
mod target;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use insula::{Ended, Exit};

/// The exit code for a failure on our side.
pub(crate) const FAILED: u8 = 1;
const TRAPPED: u8 = 134;
const KILLED: u8 = 137;

/// Runs WebAssembly programs of many isolates.
#[derive(Parser)]
#[command(name = "insula", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Run),
}

/// Does what the command line says.
///
/// # Errors
/// What stood in the way, with the thing named.
pub(crate) fn main() -> anyhow::Result<ExitCode> {
    match Arguments::parse().command {
        Command::Run(run) => run.run(),
    }
}

/// The exit code of a program that ended by itself.
fn code_of(ended: &Ended) -> u8 {
    match &ended.main {
        Exit::Returned | Exit::Exited => 0,
        // As a shell would see it.
        Exit::ProcExit { code } => (*code & 0xff) as u8,
        Exit::Panicked { .. } | Exit::Trapped { .. } | Exit::StartFailed { .. } => TRAPPED,
        Exit::Killed { .. } => KILLED,
        _ => FAILED,
    }
}
