//! Rust to wasm, by the user's own Cargo, for the user's own toolchain.

use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde::Deserialize;

use super::target::Program;

const WASM: &str = "wasm32-wasip1";

/// What is meant for the host program's build, and must not reach a guest's.
const NOT_FOR_GUESTS: [&str; 5] =
    ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTC_WORKSPACE_WRAPPER"];

/// Cargo, in a folder.
pub(super) fn cargo(folder: &Path) -> Command {
    command("cargo", folder)
}

fn command(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    for name in NOT_FOR_GUESTS {
        command.env_remove(name);
    }
    command
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    target: Option<Built>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Built {
    name: String,
}

/// Builds a program and says where its module is. Cargo shows its errors itself.
pub(super) fn module(program: &Program) -> anyhow::Result<PathBuf> {
    let folder = program.manifest.parent().unwrap_or(Path::new("/"));
    add_target(folder)?;
    let mut cargo = cargo(folder);
    cargo.args(["build", "--release", "--quiet", "--target", WASM, "--message-format=json-render-diagnostics"]);
    cargo.arg("--manifest-path").arg(&program.manifest);
    cargo.args(["--package", &program.package, program.flag, &program.name]);
    let mut building = cargo.stdout(Stdio::piped()).spawn().context("cargo cannot be started")?;
    let mut built = None;
    if let Some(stdout) = building.stdout.take() {
        for line in std::io::BufReader::new(stdout).lines() {
            let message: Option<Message> = serde_json::from_str(&line?).ok();
            built = message.and_then(|message| artifact(message, &program.name)).or(built);
        }
    }
    if !building.wait()?.success() {
        bail!("{}: the guest does not build", program.name);
    }
    built.with_context(|| format!("{}: cargo built it and named no .wasm file", program.name))
}

fn artifact(message: Message, name: &str) -> Option<PathBuf> {
    let ours = message.reason == "compiler-artifact" && message.target?.name == name;
    let is_wasm = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "wasm");
    message.filenames.into_iter().filter(|_| ours).find(is_wasm)
}

/// Adds the wasm target to the toolchain in use, if it is not there, and says so.
fn add_target(folder: &Path) -> anyhow::Result<()> {
    if has_target(folder) {
        return Ok(());
    }
    eprintln!("insula: adding the target {WASM} to the Rust toolchain: rustup target add {WASM}");
    let added = command("rustup", folder).args(["target", "add", WASM]).status();
    match added {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => bail!("the target {WASM} is missing and could not be added; run `rustup target add {WASM}`"),
        Err(error) => bail!(
            "the target {WASM} is missing and rustup cannot be started ({error}); \
             install rustup (https://rustup.rs) and run `rustup target add {WASM}`"
        ),
    }
}

fn has_target(folder: &Path) -> bool {
    let asked = command("rustc", folder).args(["--print", "target-libdir", "--target", WASM]).output();
    let libraries = asked.ok().filter(|output| output.status.success());
    libraries.is_some_and(|output| {
        let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        path.is_dir()
    })
}
