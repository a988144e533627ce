//! `insula run TARGET [ARGS...]`: a program, from its file to its exit code.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use insula::{Ended, Grant, Host, Spawn, Stdin};

use super::signals::Signals;
use super::{FAILED, code_of, target};

const EXAMPLES: &str = "\
TARGET is a .wasm or .wat file, a .rs file that is a bin or an example of the Cargo package around it, or the folder of \
a package. Rust is built for wasm32-wasip1, with Cargo's release profile.

Examples:
  insula run examples/pingpong.rs
  insula run --dir data::/data app.wasm in.txt
  insula run --env RUST_LOG=debug my-package -- --verbose";

/// Runs a program: its main, and all that it spawns.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Run {
    /// Lets the guest read and write a folder of this machine, as GUEST or under its own name.
    #[arg(long, value_name = "HOST[::GUEST]")]
    dir: Vec<String>,

    /// Gives the guest an environment variable; without a value, the one that is set here.
    #[arg(long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,

    /// How many isolates may live at once.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    isolates: u32,

    /// How many threads run guest code; one for each CPU by default.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,

    /// What to run.
    #[arg(value_name = "TARGET")]
    target: PathBuf,

    /// The program's own arguments.
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl Run {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let file = target::module_file(&self.target)?;
        let spawn = self.spawn(&file)?;
        let mut builder = Host::builder().isolates(self.isolates);
        if let Some(threads) = self.threads {
            builder = builder.threads(threads.into());
        }
        if let Some(folder) = cache_folder() {
            builder = builder.cache_folder(folder);
        }
        let host = builder.build()?;
        let module = host.load_file(&file)?;
        let signals = Signals::forward_to(&host)?;
        let ended = host.run(&module, spawn)?;
        if let Some(code) = signals.code() {
            return Ok(ExitCode::from(code));
        }
        Ok(ExitCode::from(told(&ended)))
    }

    fn spawn(&self, file: &Path) -> anyhow::Result<Spawn> {
        let name = file.file_name().map_or_else(|| "main".into(), |name| name.to_string_lossy());
        let arguments = std::iter::once(name.into_owned()).chain(self.arguments.iter().cloned());
        let mut spawn = Spawn::main().args(arguments).stdin(Stdin::Inherit).grant(Grant::fine_clock());
        for folder in &self.dir {
            let (host, guest) = folder.split_once("::").unwrap_or((folder, folder));
            if !Path::new(host).is_dir() {
                bail!("--dir {folder}: there is no folder {host}");
            }
            spawn = spawn.grant(Grant::read_write(host, guest));
        }
        for variable in &self.env {
            spawn = spawn.grant(environment(variable)?);
        }
        Ok(spawn)
    }
}

fn environment(variable: &str) -> anyhow::Result<Grant> {
    if let Some((name, value)) = variable.split_once('=') {
        return Ok(Grant::environment(name, value));
    }
    let value = std::env::var(variable).with_context(|| format!("--env {variable}: it cannot be taken from here"))?;
    Ok(Grant::environment(variable, value))
}

/// Where compiled modules are kept between runs: the user's own cache folder.
fn cache_folder() -> Option<PathBuf> {
    directories::ProjectDirs::from("", "", "insula").map(|folders| folders.cache_dir().join("modules"))
}

/// Says why a run ended, where its guests could not say so themselves.
fn told(ended: &Ended) -> u8 {
    let Some(asleep) = &ended.asleep else { return code_of(ended) };
    eprintln!("insula: error: all isolates are asleep, and nothing can wake one");
    for sleeper in asleep {
        eprintln!("  {sleeper}");
    }
    eprintln!("  (a port that nobody will send to is closed, or waited for with a timeout)");
    FAILED
}
