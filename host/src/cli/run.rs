//! `insula run`: a program of one or many isolates, until it ends.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use clap::Args;
use insula::{CompileLimits, Grant, Host, Spawn, Stdin, Wait};

use super::code::Outcome;
use super::grants::{Folder, Offer, Variable};
use super::report::{self, Backtrace, Shown, Sources};
use super::signals::Signals;
use super::target::Target;

/// Runs a program, and exits with its exit code.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, override_usage = "insula run [OPTIONS] <TARGET> [ARGS]...")]
pub(super) struct Run {
    /// A folder that the program may read and write, and the name that it has there
    #[arg(long = "dir", value_name = "HOST[::GUEST]")]
    pub(super) folders: Vec<Folder>,

    /// An environment variable for the program; without a value, the one of this process
    #[arg(long = "env", value_name = "NAME[=VALUE]")]
    pub(super) variables: Vec<Variable>,

    /// A module that the program may spawn, and its name; those beside the program it may spawn in any case
    #[arg(long = "module", value_name = "NAME=TARGET")]
    pub(super) modules: Vec<Offer>,

    /// How many isolates may live at once
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) isolates: u32,

    /// What the run waits for when its main has returned
    #[arg(long, value_name = "WHOM", value_enum, default_value_t = WaitFor::All)]
    pub(super) wait: WaitFor,

    /// How many threads run them; by default as many as there are cores
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) threads: Option<u16>,

    /// Which frames of an isolate that failed are shown; by default short, or full if RUST_BACKTRACE=full
    #[arg(long, value_name = "FRAMES", value_enum)]
    pub(super) backtrace: Option<Backtrace>,

    /// A .wasm or .wat file, a .rs file that is a bin or example of the package around it, or a package folder; then
    /// the program's own arguments, untouched
    #[arg(value_name = "TARGET", required = true, trailing_var_arg = true)]
    pub(super) target_and_arguments: Vec<OsString>,
}

/// Whom a run waits for.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq)]
pub(super) enum WaitFor {
    /// All isolates.
    All,
    /// Its main only; the others are ended then.
    Main,
}

impl From<WaitFor> for Wait {
    fn from(wait: WaitFor) -> Wait {
        match wait {
            WaitFor::All => Wait::All,
            WaitFor::Main => Wait::Main,
        }
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

Exit code: the program's own; 134 when its main trapped or panicked, 137 when it was killed, 1 on a
failure of insula's or when all isolates wait for each other, 2 for wrong usage, 130 and 143 after
SIGINT and SIGTERM. After a signal the isolates have 2 seconds to end; a second signal ends at once.";

/// Longer than anybody waits.
const COMPILE_TIME: Duration = Duration::from_secs(24 * 60 * 60);

impl Run {
    /// What these words ask for, of which the first is the command.
    pub(super) fn of_words(words: impl IntoIterator<Item = OsString>) -> Result<Run> {
        #[derive(clap::Parser)]
        struct Words {
            #[command(flatten)]
            run: Run,
        }
        Ok(<Words as clap::Parser>::try_parse_from(words)?.run)
    }

    /// The same, with these grants.
    pub(super) fn with_grants(self, folders: Vec<Folder>, variables: Vec<Variable>, shown: Option<Backtrace>) -> Run {
        Run { folders, variables, backtrace: shown, ..self }
    }

    pub(super) fn run(self) -> Result<Outcome> {
        let grants = self.folders.iter().map(Folder::grant).chain(self.variables.iter().map(Variable::grant));
        let grants = grants.collect::<Result<Vec<_>>>()?;
        let (target, arguments) = self.target_and_arguments.split_first().context("no target")?;
        let arguments = arguments.iter().map(utf8).collect::<Result<Vec<_>>>()?;
        let module = Target::find(Path::new(target))?.module()?;

        let host = self.host(&module)?;
        for offer in &self.modules {
            host.offer_file(&offer.name, Target::find(&offer.target)?.module()?);
        }
        let name = file_name(&module);
        let program = host.load_file(&module)?;
        let spawn = Spawn::main().args([name].into_iter().chain(arguments)).stdin(Stdin::Inherit);
        let given = [Grant::fine_clock(), Grant::names("run"), Grant::modules()];
        let spawn = given.into_iter().chain(grants).fold(spawn, Spawn::grant);
        let signals = Signals::watch(&host)?;
        let ended = host.run_until(&program, spawn, self.wait.into());
        let ended = ended.with_context(|| format!("cannot run {}", report::path(&module)))?;
        if let Some(signal) = signals.caught() {
            return Ok(Outcome::Signalled(signal));
        }
        report::ended(&ended);
        Ok(Outcome::Ended(ended))
    }

    fn host(&self, module: &Path) -> Result<Host> {
        // Whoever runs a program waits for it by choice, and can end that: what it is, is limited by its length only.
        let limits = CompileLimits::default().functions(u64::MAX).function_bytes(u64::MAX).wall(COMPILE_TIME);
        let backtrace = Backtrace::or_environment(self.backtrace);
        let shown = Shown { backtrace, sources: Sources::around(module), with_stderr: true };
        let mut builder = Host::builder().isolates(self.isolates).compile_limits(limits);
        builder = builder.spawn_frames(true).on_uncaught(move |uncaught| shown.tell(uncaught));
        if let Some(folder) = module.parent() {
            builder = builder.module_folder(folder);
        }
        if let Some(threads) = self.threads {
            builder = builder.threads(threads.into());
        }
        if let Some(folder) = cache_folder() {
            builder = builder.cache_folder(folder);
        }
        Ok(builder.build()?)
    }
}

/// The user's cache of compiled modules; none where the system names no such place.
pub(super) fn cache_folder() -> Option<PathBuf> {
    let folders = directories::ProjectDirs::from("", "", "insula")?;
    Some(folders.cache_dir().join("modules"))
}

/// What the program finds as its own name.
fn file_name(module: &Path) -> String {
    module.file_name().unwrap_or(module.as_os_str()).to_string_lossy().into_owned()
}

fn utf8(argument: &OsString) -> Result<String> {
    let text = argument.to_str().map(str::to_owned);
    text.ok_or_else(|| anyhow!("argument `{}` is not UTF-8, which a WASI program's arguments are", argument.display()))
}
