//! The commands, a file each, and what they share.
//!
//! - `run`: a program from its target to its exit code; `precompiled`: with code that is there already.
//! - `compile`, `inspect`: what is done with a module but to run it.
//! - `project`: `insula new` and `insula init`.
//! - `doctor`, `bench`: what this machine has, and what it is good for.
//! - `completion`, `man`: of the commands themselves.
//! - `config`: flags from `insula.toml`.
//! - `test`: a package's tests, each in an isolate.
//! - `target`: what a TARGET names, and the module that it becomes; `cargo` builds it.
//! - `grants`: `--dir` and `--env`.
//! - `signals`: what Ctrl-C does; `alarm`: who calls for that where there is only one thread.
//! - `live`: looking into a run from outside, over a local socket.
//! - `log`, `endpoint`: the logs of a run, and where its metrics are read.
//! - `trace`: what `run --trace` records, and what is made of it.
//! - `code`, `report`, `answer`, `progress`: exit codes; what is said on standard error, and answered on standard output.
//! - `units`, `nearest`: times and sizes; what a wrong name was meant to be.

mod alarm;
mod answer;
mod bench;
mod cargo;
pub(crate) mod code;
mod compile;
mod completion;
mod config;
mod doctor;
mod endpoint;
mod grants;
mod inspect;
mod kept;
mod live;
pub(crate) mod log;
mod man;
mod nearest;
mod precompiled;
mod progress;
mod project;
pub(crate) mod report;
mod run;
mod signals;
mod target;
mod test;
mod trace;
mod units;

use std::ffi::OsString;

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
    Run(Box<run::Run>),
    Test(Box<test::Test>),
    Trace(trace::Command),
    Ps(live::Ps),
    Top(live::Top),
    Stack(live::Stack),
    Logs(live::Logs),
    /// Ends an isolate of a run at once
    #[command(after_help = "Examples:\n  insula kill 4711 3")]
    Kill(live::One),
    /// Pauses an isolate of a run: it takes no message until it is resumed
    #[command(after_help = "Examples:\n  insula pause 4711 3")]
    Pause(live::One),
    /// Lets an isolate go on that `insula pause` paused
    #[command(after_help = "Examples:\n  insula resume 4711 3")]
    Resume(live::One),
    /// Says how long an isolate of a run takes to the end of its turn
    #[command(after_help = "Examples:\n  insula ping 4711 3")]
    Ping(live::One),
    Compile(compile::Compile),
    Inspect(inspect::Inspect),
    New(project::New),
    Init(project::Init),
    Doctor(doctor::Doctor),
    Bench(bench::Bench),
    Completion(completion::Completion),
    Man(man::Man),
    /// Compiles a module for a host, which asks over a pipe; see `CompileChild` of the library
    #[command(hide = true)]
    CompileChild,
}

const EXAMPLES: &str = "\
Examples:
  insula run app.wasm one two           arguments after the target are the program's
  insula run examples/pingpong.rs       built with cargo for wasm32-wasip1, then run
  insula run --dir data::/data app/     a package folder; the program sees ./data as /data
  insula new hello                      a guest project to begin with
  insula test                           the tests of the package here, each in an isolate of its own
  insula doctor                         whether this machine has what guests need";

impl Cli {
    /// Reads a command line, and with it the flags that a file of settings adds before those of the line.
    pub(crate) fn read(line: impl IntoIterator<Item = OsString>) -> Result<Cli> {
        let mut line: Vec<OsString> = line.into_iter().collect();
        let cli = Cli::parsed(&line).map_err(run::explained)?;
        let Command::Run(run) = &cli.command else { return Ok(cli) };
        let settings = run.session.settings()?;
        let Some(at) = line.iter().position(|word| word == "run").filter(|_| !settings.is_empty()) else {
            return Ok(cli);
        };
        line.splice(at + 1..at + 1, settings);
        Ok(Cli::parsed(&line)?)
    }

    /// As clap reads it. A run, which is to begin soon, has no use for the flags of all other commands; what is wrong with one
    /// is said with them.
    fn parsed(line: &[OsString]) -> Result<Cli, clap::Error> {
        let words = line.get(1..).filter(|words| words.first().is_some_and(|first| first == "run"));
        let plain = || words.and_then(run::Run::of_plain_words);
        match plain().or_else(|| run::Run::of_words(words?.iter().cloned()).ok()) {
            Some(run) => Ok(Cli { command: Command::Run(Box::new(run)) }),
            None => Cli::try_parse_from(line),
        }
    }

    /// Does what was asked for.
    pub(crate) fn run(self) -> Result<Outcome> {
        match self.command {
            Command::Run(run) => run.run(),
            Command::Test(test) => test.run(),
            Command::Trace(trace) => trace.run(),
            Command::Ps(ps) => ps.run(),
            Command::Top(top) => top.run(),
            Command::Stack(stack) => stack.run(),
            Command::Logs(logs) => logs.run(),
            Command::Kill(one) => one.kill(),
            Command::Pause(one) => one.pause(),
            Command::Resume(one) => one.resume(),
            Command::Ping(one) => one.ping(),
            Command::Compile(compile) => compile.run(),
            Command::Inspect(inspect) => inspect.run(),
            Command::New(new) => new.run(),
            Command::Init(init) => init.run(),
            Command::Doctor(doctor) => doctor.run(),
            Command::Bench(bench) => bench.run(),
            Command::Completion(completion) => completion.run(),
            Command::Man(man) => man.run(),
            Command::CompileChild => Ok(Outcome::Answered(insula::compile_child())),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn run(line: &str) -> Box<run::Run> {
        let line: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let all = Cli::try_parse_from(&line).unwrap();
        let cli = Cli::parsed(&line).unwrap();
        assert_eq!(format!("{cli:?}"), format!("{all:?}"));
        match cli.command {
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
        assert_eq!(run.limits.threads, Some(2));
    }

    #[test]
    fn a_line_without_flags_is_read_as_one_with_them() {
        for line in
            ["insula run app.wasm", "insula run app.wasm one -x --wait main -- y", "insula run help -h", "insula run "]
        {
            let words: Vec<OsString> = line.split(' ').skip(1).map(OsString::from).collect();
            let plain = run::Run::of_plain_words(&words).unwrap();
            assert_eq!(format!("{plain:?}"), format!("{:?}", run::Run::of_words(words).unwrap()));
        }
        for line in ["run", "run -h", "run --threads 2 app.wasm", "run -- app.wasm", "run -"] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert!(run::Run::of_plain_words(&words).is_none(), "{line}");
        }
    }

    #[test]
    fn usage_errors_are_found_before_anything_runs() {
        for line in [
            "insula",
            "insula fly app.wasm",
            "insula run --isolates 0 app.wasm",
            "insula run --isolates many app.wasm",
            "insula run --threads 0 app.wasm",
            "insula run --dir",
            "insula run --dir ::/x app.wasm",
            "insula run -W timeout app.wasm",
            "insula run -W timeout=soon,cpu-time=1s app.wasm",
            "insula run --grace soon app.wasm",
            "insula run --label=perhaps app.wasm",
            "insula run --config a.toml --no-config app.wasm",
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
