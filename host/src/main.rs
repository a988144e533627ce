//! The command `insula`.
//!
//! A command line over the library's public API, and nothing that the library cannot do without it. Each command is one
//! file of `cli/`; what a run's end means to the shell is decided in `cli/code.rs` alone; whatever we say ourselves goes
//! through `cli/report.rs`, to standard error, one line an error.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::report::no_backtraces_of_ours();
    let code = std::panic::catch_unwind(run).unwrap_or(cli::code::FAILURE.into());
    cli::log::tell_lost();
    cli::report::flush();
    code
}

fn run() -> ExitCode {
    match cli::Cli::read(std::env::args_os()).and_then(cli::Cli::run) {
        Ok(outcome) => outcome.code(),
        Err(error) => cli::report::error(&error).into(),
    }
}
