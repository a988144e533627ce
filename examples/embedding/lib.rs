//! What the programs of this folder share: where their plugins are.
//!
//! A program of yours has its plugins from wherever they come: a folder, an upload, `include_bytes!`. These have their
//! sources beside them, in `plugins/`, and compile them when they begin, so that one command runs an example.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// What guests are compiled for.
const TARGET: &str = "wasm32-wasip1";

/// Where the plugins may be, as an argument of each program.
#[derive(Debug, clap::Args)]
pub struct Plugins {
    /// Folder of compiled plugins; without it they are compiled first, by cargo
    #[arg(long, value_name = "FOLDER")]
    plugins: Option<PathBuf>,
}

impl Plugins {
    /// The folder in which each plugin is a `.wasm` file.
    ///
    /// # Errors
    /// When cargo cannot compile them.
    pub fn folder(&self) -> Result<PathBuf> {
        match &self.plugins {
            Some(folder) => Ok(folder.clone()),
            None => compiled(),
        }
    }
}

/// Compiles the plugins into the target directory of this repository.
fn compiled() -> Result<PathBuf> {
    let repository = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--release", "--target", TARGET, "-p", "insula-embedding-plugins"]);
    cargo.args(["--target-dir", "target"]).current_dir(&repository);
    // Flags for this program's own target mean nothing for a guest.
    cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS").env_remove("CARGO_BUILD_TARGET");
    let status = cargo.status().context("cargo cannot be run; give the folder of compiled plugins with --plugins")?;
    ensure!(status.success(), "the plugins do not compile; if their target is missing: rustup target add {TARGET}");
    Ok(repository.join("target").join(TARGET).join("release"))
}
