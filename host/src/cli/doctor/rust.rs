//! What guests are built with: cargo, rustc, the target, and cargo's runner.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::Check;
use crate::cli::cargo::{self, TRIPLE};
use crate::cli::report;

const INSTALL: &str = "install Rust from https://rustup.rs; without it .wasm and .wat files run, and no sources";

/// The variable by which cargo is told of a runner.
const RUNNER_VARIABLE: &str = "CARGO_TARGET_WASM32_WASIP1_RUNNER";

pub(super) fn checks() -> Result<Vec<Check>> {
    let here = std::env::current_dir().context("this folder is gone")?;
    let mut checks = vec![version("cargo", cargo::cargo(&here)), version("rustc", cargo::rustc(&here))];
    if checks.iter().all(|check| check.remedy.is_none()) {
        checks.push(target(&here));
    }
    checks.push(runner(&here));
    checks.push(insula());
    Ok(checks)
}

fn version(name: &'static str, mut command: Command) -> Check {
    match command.arg("--version").output() {
        Ok(output) if output.status.success() => Check::ok(name, String::from_utf8_lossy(&output.stdout).trim()),
        Ok(output) => Check::failed(name, String::from_utf8_lossy(&output.stderr).trim(), INSTALL),
        Err(error) => Check::failed(name, format!("cannot be run: {error}"), INSTALL),
    }
}

fn target(here: &Path) -> Check {
    match cargo::missing_target(here) {
        None => Check::ok("target", format!("{TRIPLE} is installed")),
        Some(add) => Check::failed("target", format!("{TRIPLE} is not installed"), add),
    }
}

/// The runner that cargo has for guests in this folder.
fn runner(here: &Path) -> Check {
    const NAME: &str = "runner";
    let remedy = format!(
        "for `cargo run` and `cargo test` of guests, put this into .cargo/config.toml: \
         target.{TRIPLE}.runner = \"insula run\" (`insula new` does)"
    );
    if let Some(runner) = std::env::var_os(RUNNER_VARIABLE) {
        return told(format!("`{}`, by {RUNNER_VARIABLE}", runner.display()), remedy);
    }
    for file in configurations(here) {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        match runner_in(&text) {
            Ok(Some(runner)) => return told(format!("`{runner}`, in {}", report::path(&file)), remedy),
            Ok(None) => {}
            Err(error) => {
                let found = format!("{}: {}", report::path(&file), error.message());
                return Check::failed(NAME, found, "correct the file: cargo does not read it either");
            }
        }
    }
    Check::warning(NAME, "cargo has none for guests in this folder", remedy)
}

fn told(found: String, remedy: String) -> Check {
    let is_ours = found.contains("insula");
    if is_ours { Check::ok("runner", found) } else { Check::warning("runner", format!("{found}: not insula"), remedy) }
}

/// The files that cargo reads, the first one that says something counts.
fn configurations(here: &Path) -> impl Iterator<Item = PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(directories::BaseDirs::new()?.home_dir().join(".cargo")));
    let above: Vec<PathBuf> = here.ancestors().map(|folder| folder.join(".cargo")).collect();
    above.into_iter().chain(home).flat_map(|folder| [folder.join("config"), folder.join("config.toml")])
}

/// A runner is a string, or a list of words.
fn runner_in(text: &str) -> Result<Option<String>, toml::de::Error> {
    let file: toml::Table = text.parse()?;
    let runner = file.get("target").and_then(|targets| targets.get(TRIPLE)?.get("runner"));
    Ok(runner.map(|runner| match runner.as_array() {
        Some(words) => words.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>().join(" "),
        None => runner.as_str().unwrap_or_default().to_owned(),
    }))
}

/// The `insula` that a runner of that name would be.
fn insula() -> Check {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let name = format!("insula{}", std::env::consts::EXE_SUFFIX);
    let found = std::env::split_paths(&path).map(|folder| folder.join(&name)).find(|file| file.is_file());
    match found {
        Some(file) => Check::ok("insula", format!("{}, version {}", report::path(&file), env!("CARGO_PKG_VERSION"))),
        None => Check::warning(
            "insula",
            "not in the PATH, where cargo looks for its runner",
            "put its folder into PATH, or install it: cargo install --path host --features cli",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runner_is_found_in_every_form_that_cargo_takes() {
        for text in [
            "[target.wasm32-wasip1]\nrunner = \"insula run\"",
            "target.wasm32-wasip1.runner = ['insula', 'run']",
            "[target]\nwasm32-wasip1 = { runner = \"insula run\" }",
        ] {
            assert_eq!(runner_in(text).unwrap().as_deref(), Some("insula run"), "{text}");
        }
        assert_eq!(runner_in("[build]\ntarget = \"wasm32-wasip1\"").unwrap(), None);
        assert!(runner_in("[target").is_err());
    }
}
