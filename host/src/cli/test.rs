//! `insula test`: the tests of a Rust package, each in an isolate of its own.
//!
//! On wasm a panic ends the program, and libtest runs all tests in one: the first that fails would take the others along,
//! and a loop would hold them up for good. Here libtest lists its tests, and is then started once for each.
//!
//! - `binaries`: what cargo builds of a package's tests.
//! - `libtest`: how it is asked, and what its answers mean.
//! - `each`: the isolates, so many at a time.
//! - `show`, `json`, `junit`: what is told of them.

mod binaries;
mod each;
mod json;
mod junit;
mod libtest;
mod show;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser};
use insula::{CompileLimits, Grant, Host};

use super::code::Outcome;
use super::grants::{Folder, Variable};
use super::report::{self, Backtrace, Shown, Sources};
use super::run;
use binaries::Binary;
use each::{Plan, Reports};
use show::{Format, Show};

/// Runs the tests of a Rust package, each in an isolate of its own: one that traps or loops fails alone.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Test {
    #[command(flatten)]
    choice: Choice,

    /// A folder that tests may read and write, and the name that it has there
    #[arg(long = "dir", value_name = "HOST[::GUEST]")]
    folders: Vec<Folder>,

    /// An environment variable for the tests; without a value, the one of this process
    #[arg(long = "env", value_name = "NAME[=VALUE]")]
    variables: Vec<Variable>,

    /// How long a test may take, in seconds; 0 for as long as it likes
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = seconds)]
    timeout: Duration,

    /// Build with optimizations
    #[arg(long)]
    release: bool,

    /// Write the results to this file as JUnit XML, too
    #[arg(long, value_name = "FILE", conflicts_with = "runner")]
    junit: Option<PathBuf>,

    /// Which frames of a test that failed are shown; by default short, or full if RUST_BACKTRACE=full
    #[arg(long, value_name = "FRAMES", value_enum)]
    backtrace: Option<Backtrace>,

    /// For cargo: run the tests of this binary, with libtest's arguments; a program that has none as `insula run` does
    #[arg(long, num_args = 1.., allow_hyphen_values = true, value_names = ["FILE", "ARGS"], conflicts_with = "target")]
    runner: Option<Vec<OsString>>,

    #[arg(skip)]
    is_runner: bool,

    /// A package folder, a .rs file that is a test or the root of a library or bin, or a .wasm file that is a test binary
    #[arg(value_name = "TARGET", default_value = ".")]
    target: PathBuf,

    /// Run the tests only whose names contain one of these
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
}

/// Which tests, and how they are told: spelled as libtest spells it.
#[derive(Args, Clone, Debug)]
struct Choice {
    /// A filter is a whole name
    #[arg(long)]
    exact: bool,

    /// Leave the tests out whose names contain this, or, with --exact, are this
    #[arg(long, value_name = "FILTER")]
    skip: Vec<String>,

    /// List the tests, and run none
    #[arg(long)]
    list: bool,

    /// Run the ignored tests only
    #[arg(long, conflicts_with = "include_ignored")]
    ignored: bool,

    /// Run the ignored tests, too
    #[arg(long)]
    include_ignored: bool,

    /// Show what a test printed when it ends, whether it passed or not
    #[arg(long, alias = "no-capture")]
    nocapture: bool,

    /// Show what tests printed that passed, at the end
    #[arg(long)]
    show_output: bool,

    /// One character for each test; as --format terse
    #[arg(long, short)]
    quiet: bool,

    /// How many tests run at once; by default as many as there are cores
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    test_threads: Option<u16>,

    /// How results are shown
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,

    /// libtest wants it for --format json; nothing here does
    #[arg(short = 'Z', value_name = "FEATURE", hide = true)]
    unstable: Vec<String>,
}

/// What cargo hands on to a test binary.
#[derive(Debug, Parser)]
#[command(name = "insula test --runner FILE", disable_version_flag = true)]
struct Handed {
    #[command(flatten)]
    choice: Choice,
    filters: Vec<String>,
}

const EXAMPLES: &str = "\
The tests can print, read the clock, draw random numbers, and read the package's folder, both as
the present folder and by its whole path. More they have as --dir and --env say. Tests that should
panic are not run: libtest skips them on wasm.

Examples:
  insula test                      the package here
  insula test . parser --skip slow
  insula test --junit results.xml --timeout 10
  insula test target/wasm32-wasip1/debug/deps/app-0a1b2c.wasm --exact it_works

As cargo's runner, in .cargo/config.toml:
  [target.wasm32-wasip1]
  runner = [\"insula\", \"test\", \"--runner\"]

Exit code: 101 when a test fails, as cargo's.";

/// Longer than anybody waits.
const COMPILE_TIME: Duration = Duration::from_secs(24 * 60 * 60);

impl Test {
    pub(super) fn run(mut self) -> Result<Outcome> {
        let binaries = match self.runner.take() {
            None => binaries::of(&self.target, self.release)?,
            Some(words) => {
                let (file, words) = words.split_first().context("no file")?;
                if !libtest::is_in(Path::new(file))? {
                    return self.program(file, words);
                }
                let told = std::iter::once(&OsString::from("insula test")).chain(words).cloned().collect::<Vec<_>>();
                match Handed::try_parse_from(told) {
                    Ok(handed) => (self.choice, self.filters) = (handed.choice, handed.filters),
                    Err(usage) => {
                        report::usage(&usage);
                        return Ok(if usage.use_stderr() {
                            Outcome::Misused
                        } else {
                            Outcome::Tested { all_passed: true }
                        });
                    }
                }
                self.is_runner = true;
                vec![Binary::handed(file.into())]
            }
        };
        self.test(&binaries)
    }

    /// What cargo runs that is no test.
    fn program(self, file: &OsString, words: &[OsString]) -> Result<Outcome> {
        let command = OsString::from("run");
        let words = [&command, file].into_iter().chain(words).cloned();
        let program = run::Run::of_words(words)?;
        program.with_grants(self.folders, self.variables, self.backtrace).run()
    }

    fn test(&self, binaries: &[Binary]) -> Result<Outcome> {
        let mut show = Show::new(self.format(), self.choice.nocapture, self.choice.show_output, self.junit.clone());
        let mut all_ran = true;
        for binary in binaries {
            // One that has no list of tests keeps the others from nothing, and is no success.
            if let Err(error) = self.test_one(binary, &mut show) {
                report::failure(&error);
                all_ran = false;
            }
        }
        show.finish()?;
        Ok(Outcome::Tested { all_passed: all_ran && show.all_passed() })
    }

    /// The tests of one binary.
    fn test_one(&self, binary: &Binary, show: &mut Show) -> Result<()> {
        let reports = Reports::default();
        let host = self.host(binary, &reports)?;
        let module = host.load_file(&binary.file)?;
        let plan = Plan {
            host: &host,
            module: &module,
            grants: self.grants(binary)?,
            timeout: (!self.timeout.is_zero()).then_some(self.timeout),
            reports: &reports,
            also_ignored: self.choice.ignored || self.choice.include_ignored,
        };
        let all = plan.list().with_context(|| report::path(&binary.file))?;
        let total = all.len();
        let chosen: Vec<_> = all.into_iter().filter(|test| self.chooses(&test.name, test.ignored)).collect();
        if self.choice.list {
            show.list(&chosen);
            return Ok(());
        }
        let named = (!self.is_runner).then_some(binary.file.as_path());
        show.begins(&binary.title, named, chosen.len(), total - chosen.len());
        plan.run(&chosen, self.threads(), |done| show.ended(done));
        show.is_over(plan.leftovers());
        Ok(())
    }

    fn chooses(&self, name: &str, ignored: bool) -> bool {
        let fits = |filter: &String| if self.choice.exact { name == filter } else { name.contains(filter.as_str()) };
        let wanted = self.filters.is_empty() || self.filters.iter().any(fits);
        wanted && !self.choice.skip.iter().any(fits) && (ignored || !self.choice.ignored)
    }

    fn format(&self) -> Format {
        let terse = if self.choice.quiet { Format::Terse } else { Format::Pretty };
        self.choice.format.unwrap_or(terse)
    }

    fn threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.choice.test_threads.map_or_else(cores, usize::from)
    }

    /// What each test is given.
    fn grants(&self, binary: &Binary) -> Result<Vec<Grant>> {
        let folders = self.folders.iter().map(Folder::grant);
        let mut grants = folders.chain(self.variables.iter().map(Variable::grant)).collect::<Result<Vec<_>>>()?;
        if let Some(package) = &binary.package {
            let Some(path) = package.to_str() else { bail!("{}: the path is not UTF-8", report::path(package)) };
            grants.extend([Grant::read_only(package, "."), Grant::read_only(package, path)]);
            grants.push(Grant::environment("CARGO_MANIFEST_DIR", path));
        }
        grants.extend([Grant::fine_clock(), Grant::modules()]);
        Ok(grants)
    }

    fn host(&self, binary: &Binary, reports: &Reports) -> Result<Host> {
        let limits = CompileLimits::default().functions(u64::MAX).function_bytes(u64::MAX).wall(COMPILE_TIME);
        let backtrace = Backtrace::or_environment(self.backtrace);
        let shown =
            Shown { backtrace, sources: Sources::around(&binary.file, binary.package.as_deref()), with_stderr: false };
        let told = reports.clone();
        let mut builder = Host::builder().compile_limits(limits).spawn_frames(true);
        builder = builder.on_uncaught(move |uncaught| told.add(uncaught, &shown));
        if let Some(folder) = binary.file.parent() {
            builder = builder.module_folder(folder);
        }
        if let Some(folder) = run::cache_folder() {
            builder = builder.cache_folder(folder);
        }
        Ok(builder.build()?)
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().map_err(|error| error.to_string())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}
