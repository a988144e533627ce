//! What a TARGET names, and the module that it becomes.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

pub(super) use super::cargo::Program;
use super::cargo::{self, Package};
use super::report;

/// What to run.
#[derive(Debug)]
pub(super) enum Target {
    /// A module that is there already, as binary or text.
    Module(PathBuf),
    /// A program that cargo builds.
    Program(Program),
}

impl Target {
    /// Finds what `path` names.
    pub(super) fn find(path: &Path) -> Result<Target> {
        let metadata = match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!(
                "{} is not there: a target is a .wasm or .wat file, a .rs file of a Cargo package, or a package folder",
                report::path(path)
            ),
            metadata => metadata.with_context(|| report::path(path))?,
        };
        if metadata.is_dir() {
            return of_folder(path).map(Target::Program);
        }
        if path.extension().is_some_and(|extension| extension == "rs") {
            return of_source(path).map(Target::Program);
        }
        Ok(Target::Module(path.to_owned()))
    }

    /// The folder in which its sources are, of one that cargo builds; where it builds may be elsewhere.
    pub(super) fn sources(&self) -> Option<&Path> {
        match self {
            Target::Module(_) => None,
            Target::Program(program) => Some(program.root()),
        }
    }

    /// The module's file, built if need be.
    pub(super) fn module(&self) -> Result<PathBuf> {
        match self {
            Target::Module(path) => Ok(path.clone()),
            Target::Program(program) => program.build(),
        }
    }
}

/// The bin or example of the package around it whose main file this is.
fn of_source(path: &Path) -> Result<Program> {
    let named = report::path(path);
    let file = path.canonicalize().with_context(|| named.clone())?;
    let mut folders = file.ancestors().skip(1);
    let Some(folder) = folders.find(|folder| folder.join("Cargo.toml").is_file()) else {
        bail!("{named} is in no Cargo package: no folder above it has a Cargo.toml; `cargo init` makes one");
    };
    let packages = cargo::packages(folder)?;
    let found = packages.iter().find_map(|package| package.program_at(&file));
    found.with_context(|| {
        let package = packages.iter().find(|package| package.is_at(&folder.join("Cargo.toml")));
        let programs: Vec<&str> = package.into_iter().flat_map(Package::programs).collect();
        format!(
            "{named} is no bin or example of the package in {}; its bins and examples are: {}",
            report::path(folder),
            if programs.is_empty() { "none".to_owned() } else { programs.join(", ") }
        )
    })
}

/// The program that `cargo run` would run in this folder.
fn of_folder(path: &Path) -> Result<Program> {
    let named = report::path(path);
    let folder = path.canonicalize().with_context(|| named.clone())?;
    let manifest = folder.join("Cargo.toml");
    if !manifest.is_file() {
        bail!("{named} is a folder without a Cargo.toml: give a package folder, or a .rs, .wasm or .wat file");
    }
    let packages = cargo::packages(&folder)?;
    let Some(package) = packages.iter().find(|package| package.is_at(&manifest)) else {
        let names: Vec<&str> = packages.iter().map(Package::name).collect();
        bail!("{named} is a workspace and no package; its packages are: {}", names.join(", "));
    };
    package.default_program().with_context(|| named)
}
