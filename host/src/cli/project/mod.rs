//! `insula new` and `insula init`: a guest project that builds and runs.
//!
//! The SDK is on no registry yet, so a project gets a copy of it (`sdk`), or is told where a checkout of insula is. What
//! the SDK needs from crates.io cargo fetches, or has: a project is built offline where those crates were fetched before.
//! No file that is there is ever written to.

mod files;
mod name;
mod sdk;

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;

use self::files::Written;
use self::sdk::Sdk;
use super::code::Outcome;
use super::report;

/// Makes a guest project in a new folder, which cargo builds, runs and tests
#[derive(Args, Debug)]
#[command(after_help = NEW_EXAMPLES)]
pub(super) struct New {
    /// The folder to make
    #[arg(value_name = "PATH")]
    path: PathBuf,

    #[command(flatten)]
    options: Options,
}

/// Makes a guest project in a folder that is there; no file in it is changed
#[derive(Args, Debug)]
#[command(after_help = INIT_EXAMPLES)]
pub(super) struct Init {
    /// The folder
    #[arg(value_name = "PATH", default_value = ".")]
    path: PathBuf,

    #[command(flatten)]
    options: Options,
}

#[derive(Args, Debug)]
struct Options {
    /// The package's name; by default the folder's
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// A checkout of insula whose SDK the project uses; by default a copy of the SDK goes into vendor/
    #[arg(long, value_name = "PATH")]
    sdk: Option<PathBuf>,
}

const NEW_EXAMPLES: &str = "\
In the project `cargo run` builds the program and runs it with `insula run`; `cargo test` runs its
test the same way. The copy of the SDK needs a few crates of crates.io (serde, postcard, futures-core):
offline, cargo takes those that it fetched before.

Examples:
  insula new hello && cd hello && cargo run
  insula new plugins/score --name score-plugin
  insula new hello --sdk ~/src/insula";

const INIT_EXAMPLES: &str = "\
What is made is what `insula new` makes. A README.md and a .gitignore that are there stay; where
another file is in the way, nothing is written.

Examples:
  insula init
  insula init hello --name greeter";

impl New {
    pub(super) fn run(self) -> Result<Outcome> {
        if fs::symlink_metadata(&self.path).is_ok() {
            bail!("{} is there already: `insula init` makes a project in a folder that is", report::path(&self.path));
        }
        make(&self.path, &self.options)
    }
}

impl Init {
    pub(super) fn run(self) -> Result<Outcome> {
        make(&self.path, &self.options)
    }
}

fn make(folder: &Path, options: &Options) -> Result<Outcome> {
    let name = match &options.name {
        Some(name) => name.clone(),
        None => name::of_folder(folder)?,
    };
    name::check(&name)?;
    let files = files::of(&name, &Sdk::find(options.sdk.as_deref())?);
    let (there, missing): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|file| fs::symlink_metadata(folder.join(&file.path)).is_ok());
    let in_the_way: Vec<String> =
        there.iter().filter(|file| !file.may_be_there).map(|file| report::path(&file.path)).collect();
    if let Some(first) = in_the_way.first() {
        let more = if in_the_way.len() > 1 { format!(" and {} more", in_the_way.len() - 1) } else { String::new() };
        bail!("{}: {first}{more} is there already, so nothing was written", report::path(folder));
    }
    for file in &missing {
        write(folder, file)?;
    }
    for file in there {
        report::note(&format!("{} stays as it is", report::path(&folder.join(file.path))));
    }
    report::note(&format!(
        "made the package `{name}` in {}: in it, `cargo run` builds and runs the program, `cargo test` its test",
        report::path(folder)
    ));
    Ok(Outcome::Answered(ExitCode::SUCCESS))
}

/// Makes a file that is not there; one that appeared a moment ago is somebody else's.
fn write(folder: &Path, file: &Written) -> Result<()> {
    let path = folder.join(&file.path);
    let named = || report::path(&path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| report::path(parent))?;
    }
    match OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(mut made) => made.write_all(file.text.as_bytes()).with_context(named),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => bail!("{} appeared meanwhile", named()),
        Err(error) => Err(error).with_context(named),
    }
}
