//! `insula run`: a program of one or many isolates, until it ends.
//!
//! - `given`, `limits`, `ending`, `debugging`, `recorded`, `exported`, `observed`: the flags, by what they are about.
//! - `elsewhere`: what wasmtime has and this has not.
//! - `profile`: where its guests spend their time.
//! - `program`: from the flags to an outcome.
//! - `watch`: the same again whenever `sources` change.

mod debugging;
mod elsewhere;
mod ending;
mod exported;
mod given;
mod limits;
mod observed;
mod profile;
mod program;
mod recorded;
mod sources;
mod watch;

use std::ffi::OsString;
use std::mem::ManuallyDrop;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use clap::error::ErrorKind;

pub(super) use elsewhere::explained;
pub(super) use profile::FILE as PROFILE_FILE;
pub(super) use program::{cache_folder, compile_limits};

use super::code::Outcome;
use super::grants::{Folder, Variable};
use super::report::Backtrace;
use super::signals::Signals;
use super::{config, report};
use debugging::DebugFlags;
use ending::EndingFlags;
use given::GivenFlags;
use limits::LimitFlags;
use observed::ObserveFlags;
use program::Program;
use recorded::RecordFlags;

/// Runs a program, and exits with its exit code.
#[derive(Args, Debug, Default)]
#[command(after_help = EXAMPLES, override_usage = "insula run [OPTIONS] <TARGET> [ARGS]...", args_override_self = true)]
pub(super) struct Run {
    /// A .wasm or .wat file, a .rs file that is a bin or example of the package around it, or a package folder; then
    /// the program's own arguments, untouched
    #[arg(value_name = "TARGET", trailing_var_arg = true)]
    pub(super) target_and_arguments: Vec<OsString>,

    #[command(flatten)]
    pub(super) given: GivenFlags,

    #[command(flatten)]
    pub(super) limits: LimitFlags,

    #[command(flatten)]
    pub(super) ending: EndingFlags,

    #[command(flatten)]
    pub(super) debug: DebugFlags,

    #[command(flatten)]
    pub(super) records: RecordFlags,

    #[command(flatten)]
    pub(super) observed: ObserveFlags,

    #[command(flatten)]
    pub(super) session: SessionFlags,
}

/// The flags of the command itself.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Where flags come from, and when it runs again")]
pub(super) struct SessionFlags {
    /// Build and start the program again whenever its sources change; the old one goes on while a build fails
    #[arg(long)]
    watch: bool,

    /// The file of settings; by default the nearest insula.toml, here or in a folder above
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Look for no file of settings
    #[arg(long, conflicts_with = "config")]
    no_config: bool,
}

impl SessionFlags {
    /// The flags that the file of settings adds.
    pub(super) fn settings(&self) -> Result<Vec<OsString>> {
        let file = match &self.config {
            Some(file) => Some(config::File::named(file)),
            None if self.no_config => None,
            None => config::File::found(),
        };
        file.map_or(Ok(Vec::new()), |file| file.flags("run", &Run::command()))
    }
}

const EXAMPLES: &str = "\
The program can print, read its standard input and the clock, draw random numbers, and spawn
isolates of its own module and of those beside it. Files and variables it has only as --dir and
--env say, other modules as --module says.

Examples:
  insula run app.wasm one two
  insula run examples/pingpong.rs
  insula run --dir data::/data --env MODE=fast app/
  insula run -W timeout=10s,max-memory-size=64MiB --isolates 50 app.wasm
  insula run --label --on-child-error fail app/
  insula run --report run.json --trace trace.json app.wasm
  insula run --log-format json --metrics 127.0.0.1:9464 app.wasm
  insula run --profile guest app.wasm
  insula run --watch app/

Exit code: the program's own; 134 when its main trapped or panicked, 137 when it was killed, 1 on a
failure of insula's or when all isolates wait for each other, 2 for wrong usage, 130 and 143 after
SIGINT and SIGTERM. After a signal the isolates have --grace to end; a second signal ends at once.";

impl Run {
    /// Its flags and nothing else, for whoever reads them from elsewhere.
    pub(super) fn command() -> clap::Command {
        Run::augment_args(clap::Command::new("run").bin_name("insula run"))
    }

    /// What these words ask for, of which the first is the command.
    pub(super) fn of_words(words: impl IntoIterator<Item = OsString>) -> Result<Run> {
        #[derive(clap::Parser)]
        struct Words {
            #[command(flatten)]
            run: Run,
        }
        Ok(<Words as clap::Parser>::try_parse_from(words)?.run)
    }

    /// The same of words without flags, which begin with the target: as most are, and clap takes some 0.1 ms to get its flags
    /// ready. None of others.
    pub(super) fn of_plain_words(words: &[OsString]) -> Option<Run> {
        let target = words.get(1).filter(|target| !target.as_encoded_bytes().starts_with(b"-"));
        target.map(|_| Run { target_and_arguments: words[1..].to_owned(), ..Run::default() })
    }

    /// The same, with these grants.
    pub(super) fn with_grants(self, folders: Vec<Folder>, variables: Vec<Variable>, shown: Option<Backtrace>) -> Run {
        let given = GivenFlags { folders, variables, ..self.given };
        Run { given, ending: EndingFlags { backtrace: shown, ..self.ending }, ..self }
    }

    /// Whether something may have to be attended to at any time but a signal and who looks into it: what is written at its
    /// end, or a call of the system that takes its time, as files may.
    fn needs_lookout(&self) -> bool {
        self.records.any() || !self.given.folders.is_empty()
    }

    pub(super) fn run(self) -> Result<Outcome> {
        if let Some(help) = self.limits.help() {
            report::show(&help);
            return Ok(Outcome::Done);
        }
        if self.target_and_arguments.is_empty() {
            let missing = "no <TARGET>: give a .wasm or .wat file, a .rs file of a package, or a package folder";
            return Err(Run::command().error(ErrorKind::MissingRequiredArgument, missing).into());
        }
        self.observed.begin_logs()?;
        let watch = self.session.watch;
        let program = Program::new(self)?;
        if watch { watch::watch(program) } else { once(&program) }
    }
}

fn once(program: &Program) -> Result<Outcome> {
    // Until the process ends, whatever comes in between.
    let signals = ManuallyDrop::new(Signals::watch(program.flags().ending.grace, || ())?);
    let lookout = program.flags().needs_lookout().then(|| signals.lookout()).transpose()?;
    let built = program.build()?;
    let hosted = program.host(&built, lookout)?;
    signals.end(&hosted.host, hosted.way());
    let loaded = program.load(&built, hosted)?;
    signals.begin();
    let outcome = program.run(&loaded, &signals)?;
    report::ended(&outcome);
    loaded.leave();
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;

    /// The page that has the reference of all flags.
    const PAGE: &str = include_str!("../../../../docs/command-line.md");

    #[test]
    fn every_flag_is_in_the_reference() {
        let command = Run::command();
        let flags = command.get_arguments().filter_map(|flag| flag.get_long());
        let missing: Vec<&str> = flags.filter(|flag| !PAGE.contains(&format!("`--{flag}"))).collect();
        assert!(missing.is_empty(), "docs/command-line.md does not say what these do: {missing:?}");
    }

    #[test]
    fn every_key_of_w_is_in_the_reference() {
        let command = Run::command().no_binary_name(true);
        let matches = command.try_get_matches_from(["-W", "help"]).unwrap();
        let help = LimitFlags::from_arg_matches(&matches).unwrap().help().unwrap();
        let keys: Vec<&str> =
            help.lines().filter_map(|line| line.trim().strip_prefix("-W ")?.split(' ').next()).collect();
        assert!(keys.len() > 5);
        let missing: Vec<&&str> = keys.iter().filter(|key| !PAGE.contains(&format!("| `{key}`"))).collect();
        assert!(missing.is_empty(), "docs/command-line.md does not say what these do: {missing:?}");
    }
}
