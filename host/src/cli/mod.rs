//! The commands, a file each, and what they share.
//!
//! - `run`: a program from its target to its exit code.
//! - `test`: a package's tests, each in an isolate.
//! - `target`: what a TARGET names, and the module that it becomes; `cargo` builds it.
//! - `grants`: `--dir` and `--env`.
//! - `signals`: what Ctrl-C does.
//! - `code`, `report`: exit codes; what is printed.

mod cargo;
pub(crate) mod code;
mod grants;
pub(crate) mod report;
mod run;
mod signals;
mod target;
mod test;

use anyhow::Result;
use clap::{Parser, Subcommand};
use code::Outcome;

/// Runs programs of many isolates: WebAssembly modules that share nothing and talk through ports.
#[derive(Debug, Parser)]
#[command(name = "insula", version, after_help = EXAMPLES, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Run),
    Test(Box<test::Test>),
    /// Compiles a module for a host, which asks over a pipe; see `CompileChild` of the library
    #[command(hide = true)]
    CompileChild,
}

const EXAMPLES: &str = "\
Examples:
  insula run app.wasm one two           arguments after the target are the program's
  insula run examples/pingpong.rs       built with cargo for wasm32-wasip1, then run
  insula run --dir data::/data app/     a package folder; the program sees ./data as /data
  insula test                           the tests of the package here, each in an isolate of its own";

impl Cli {
    /// Does what was asked for.
    pub(crate) fn run(self) -> Result<Outcome> {
        match self.command {
            Command::Run(run) => run.run(),
            Command::Test(test) => test.run(),
            Command::CompileChild => Ok(Outcome::Answered(insula::compile_child())),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn run(line: &str) -> run::Run {
        match Cli::try_parse_from(line.split(' ')).unwrap().command {
            Command::Run(run) => run,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_follows_the_target_is_the_guest_s() {
        let run = run("insula run --threads 2 app.wasm --threads 3 -h --dir x -- --env A --");
        assert_eq!(
            run.target_and_arguments,
            "app.wasm --threads 3 -h --dir x -- --env A --".split(' ').collect::<Vec<_>>()
        );
        assert_eq!(run.threads, Some(2));
    }

    #[test]
    fn usage_errors_are_found_before_anything_runs() {
        for line in [
            "insula",
            "insula run",
            "insula fly app.wasm",
            "insula run --isolates 0 app.wasm",
            "insula run --isolates many app.wasm",
            "insula run --threads 0 app.wasm",
            "insula run --dir",
            "insula run --dir ::/x app.wasm",
            "insula run --env =x app.wasm",
            "insula run --unknown app.wasm",
            "insula run --backtrace some app.wasm",
            "insula test --timeout soon",
            "insula test --timeout=-1",
            "insula test --ignored --include-ignored",
            "insula test --format xml",
            "insula test --test-threads 0",
            "insula test --runner",
            "insula test --junit x.xml --runner x.wasm",
            "insula compile-child app.wasm",
        ] {
            let error = Cli::try_parse_from(line.split(' ')).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }
}
