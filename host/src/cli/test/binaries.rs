//! What cargo builds of a package's tests, and what is a test binary already.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::super::{cargo, report};

/// A program of tests.
#[derive(Debug)]
pub(super) struct Binary {
    pub(super) file: PathBuf,
    /// What cargo calls it.
    pub(super) title: String,
    /// The folder of the package that it is of, which its tests may read.
    pub(super) package: Option<PathBuf>,
}

impl Binary {
    /// What cargo wants to be run, in the folder of its package.
    pub(super) fn handed(file: PathBuf) -> Binary {
        let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let package = package.or_else(|| std::env::current_dir().ok()).and_then(|folder| folder.canonicalize().ok());
        Binary { package, ..Binary::alone(file) }
    }

    /// Units before what tests them from outside.
    fn order(&self) -> (bool, &str) {
        (!self.title.starts_with("unittests "), &self.title)
    }

    fn alone(file: PathBuf) -> Binary {
        let title = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
        Binary { file, title, package: None }
    }
}

/// The test binaries that `target` names, built if need be.
pub(super) fn of(target: &Path, release: bool) -> Result<Vec<Binary>> {
    let named = report::path(target);
    let found = match target.canonicalize() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!("{named} is not there: a target comes before filters; to filter the tests here: insula test . FILTER")
        }
        found => found.with_context(|| named.clone())?,
    };
    if found.is_dir() {
        if !found.join("Cargo.toml").is_file() {
            bail!("{named} is a folder without a Cargo.toml: give a package folder, or a .rs or .wasm file");
        }
        let binaries = build(&found, None, release)?;
        return if binaries.is_empty() { bail!("{named} has nothing to test") } else { Ok(binaries) };
    }
    if found.extension().is_some_and(|extension| extension == "rs") {
        let mut folders = found.ancestors().skip(1);
        let Some(folder) = folders.find(|folder| folder.join("Cargo.toml").is_file()) else {
            bail!("{named} is in no Cargo package: no folder above it has a Cargo.toml");
        };
        let binaries = build(folder, Some(&found), release)?;
        return if binaries.is_empty() {
            bail!("{named} is no test of the package in {}, nor the root of its library or a bin", report::path(folder))
        } else {
            Ok(binaries)
        };
    }
    if !super::libtest::is_in(&found)? {
        bail!("{named} is no test binary: it has no libtest in it; `cargo test --no-run` makes one");
    }
    Ok(vec![Binary::alone(target.to_owned())])
}

/// What cargo says of a thing that it built.
#[derive(Deserialize)]
struct Artifact {
    manifest_path: PathBuf,
    target: Target,
    profile: Profile,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
    src_path: PathBuf,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// Builds the tests of the package in `folder`: all, or those with this main file.
fn build(folder: &Path, only: Option<&Path>, release: bool) -> Result<Vec<Binary>> {
    cargo::ensure_target(folder)?;
    let mut command = cargo::cargo(folder);
    command.args(["test", "--no-run", "--quiet", "--target", cargo::TRIPLE]);
    command.arg("--message-format=json-render-diagnostics").args(release.then_some("--release"));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(cargo::no_cargo)?;
    let messages = BufReader::new(child.stdout.take().context("cargo has no output")?);
    let mut binaries = Vec::new();
    // All are read: cargo would wait for us otherwise.
    for line in messages.lines() {
        let line = line.context("cannot read what cargo says")?;
        let Ok(artifact) = serde_json::from_str::<Artifact>(&line) else { continue };
        if only.is_none_or(|file| artifact.target.src_path == file) {
            binaries.extend(binary(artifact));
        }
    }
    let status = child.wait().context("cannot wait for cargo")?;
    if !status.success() {
        bail!("cargo cannot build the tests in {} for {}", report::path(folder), cargo::TRIPLE);
    }
    // cargo's messages come as its builds end.
    binaries.sort_by(|one, other| one.order().cmp(&other.order()));
    Ok(binaries)
}

fn binary(artifact: Artifact) -> Option<Binary> {
    let file = artifact.executable.filter(|_| artifact.profile.test)?;
    let package = artifact.manifest_path.parent().map(Path::to_owned);
    let source = &artifact.target.src_path;
    let source = package.as_ref().and_then(|package| source.strip_prefix(package).ok()).unwrap_or(source);
    let is_test = artifact.target.kind.iter().any(|kind| kind == "test");
    let title = format!("{}{}", if is_test { "" } else { "unittests " }, source.display());
    Some(Binary { file, title, package })
}
