//! Cargo and rustup, called from a test.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::{WASM_TARGET, cargo_program, repository};

/// What would make a guest another program than its sources say, or send it elsewhere.
const GUEST_ENVIRONMENT_REMOVED: [&str; 7] = [
    "RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS",
    "RUSTC_WORKSPACE_WRAPPER",
    "CARGO_TARGET_WASM32_WASIP1_RUNNER",
];

/// Where this test run lives: the target directory, the folder of its profile in it, and its `--target`, if any.
struct Run {
    target_folder: PathBuf,
    profile_folder: PathBuf,
    triple: Option<String>,
}

impl Run {
    /// Reads it off the path of the running test: `TARGET/[TRIPLE/]PROFILE/deps/insula-HASH`.
    fn current() -> Run {
        let tests = std::env::current_exe().expect("a running program has a path");
        let profile_folder = tests.ancestors().nth(2).expect("a test lies in PROFILE/deps").to_path_buf();
        let target_folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is TARGET/tmp").to_path_buf();
        let triple = profile_folder
            .parent()
            .filter(|parent| *parent != target_folder)
            .and_then(|parent| Some(parent.file_name()?.to_str()?.to_owned()));
        Run { target_folder, profile_folder, triple }
    }

    /// Cargo's name of the profile, which differs from the folder's for the default one.
    fn profile(&self) -> &str {
        match self.profile_folder.file_name().and_then(|name| name.to_str()) {
            Some("debug") | None => "dev",
            Some(name) => name,
        }
    }
}

/// Builds the binary `insula` and returns its path.
pub(super) fn build_insula() -> PathBuf {
    let folder = build_native(&["-p", "insula", "--bin", "insula"]);
    folder.join(format!("insula{}", std::env::consts::EXE_SUFFIX))
}

/// Builds the programs of `examples/embedding` and returns the folder that they are in.
pub(super) fn build_embedding() -> PathBuf {
    build_native(&["-p", "insula-embedding", "--examples"]).join("examples")
}

/// Builds native programs in the profile of this test run, and returns the profile's folder.
fn build_native(programs: &[&str]) -> PathBuf {
    let run = Run::current();
    let mut cargo = Command::new(cargo_program());
    // With the test target beside it, Cargo resolves the features of dependencies as it did for this test run, and
    // finds all of them built. Alone, a program can mean another wasmtime, and minutes.
    cargo.args(["build", "--quiet", "-p", "insula-tests", "--test", "insula"]).args(programs);
    cargo.args(["--profile", run.profile()]).arg("--target-dir").arg(&run.target_folder);
    if let Some(triple) = &run.triple {
        cargo.args(["--target", triple]);
    }
    finish(cargo);
    run.profile_folder
}

/// Builds the guest programs of the tests, and the plugins of `examples/embedding`, and returns the folder that they are
/// in.
///
/// Without link-time optimisation, which would be most of the time and changes nothing that a test sees.
pub(super) fn build_guests() -> PathBuf {
    build_wasm(&["insula-test-guests", "insula-embedding-plugins"], &[("CARGO_PROFILE_RELEASE_LTO", "off")])
}

/// Builds the examples and returns the folder that they are in.
pub(super) fn build_examples() -> PathBuf {
    build_wasm(&["insula-examples"], &[])
}

/// Builds the programs of these packages for the guests' target.
fn build_wasm(packages: &[&str], environment: &[(&str, &str)]) -> PathBuf {
    let run = Run::current();
    add_wasm_target();
    let mut cargo = Command::new(cargo_program());
    cargo.args(["build", "--quiet", "--release", "--target", WASM_TARGET]);
    for package in packages {
        cargo.args(["-p", package]);
    }
    cargo.arg("--target-dir").arg(&run.target_folder);
    for name in GUEST_ENVIRONMENT_REMOVED {
        cargo.env_remove(name);
    }
    // An empty list, unlike none, also overrides flags from configuration files.
    cargo.env("CARGO_ENCODED_RUSTFLAGS", "").envs(environment.iter().copied());
    finish(cargo);
    run.target_folder.join(WASM_TARGET).join("release")
}

/// Adds the standard library of the guests' target to the toolchain in use, once, if it is not there.
///
/// rust-toolchain.toml names the target, but rustup does not act on it where `RUSTUP_AUTO_INSTALL=0`.
fn add_wasm_target() {
    static ADDED: OnceLock<()> = OnceLock::new();
    ADDED.get_or_init(|| {
        if !wasm_target_is_there() {
            rustup_target_add();
        }
    });
}

/// Adds it with rustup, for the toolchain in use, and says so.
fn rustup_target_add() {
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add"]);
    if let Some(toolchain) = std::env::var_os("RUSTUP_TOOLCHAIN") {
        rustup.arg("--toolchain").arg(toolchain);
    }
    rustup.arg(WASM_TARGET);
    let line = shown(&rustup);
    // Straight to stderr: a test's own output is captured, and this takes a while.
    writeln!(std::io::stderr(), "tests: the guests need {WASM_TARGET}; running `{line}`").expect("stderr is open");
    let added = rustup.current_dir(repository()).status().is_ok_and(|status| status.success());
    assert!(added && wasm_target_is_there(), "the target {WASM_TARGET} is missing; add it with `{line}`");
}

/// Whether rustc has a standard library for the guests' target.
fn wasm_target_is_there() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let asked = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", WASM_TARGET])
        .current_dir(repository())
        .output()
        .expect("rustc can be run");
    Path::new(String::from_utf8_lossy(&asked.stdout).trim()).is_dir()
}

/// Runs it in the repository, and fails the test with what it said if it fails.
fn finish(mut command: Command) {
    let line = shown(&command);
    let done = command.current_dir(repository()).output().unwrap_or_else(|error| panic!("`{line}`: {error}"));
    assert!(done.status.success(), "`{line}` failed:\n{}", String::from_utf8_lossy(&done.stderr));
}

/// The command line as one would type it.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
