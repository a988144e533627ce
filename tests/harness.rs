//! What the tests stand on: the binary `insula` and the guest programs, built when the first test asks for them.
//!
//! Nothing is built by a build script: a build script would run Cargo inside Cargo, which waits for itself, and would
//! rebuild guests for people who only want to type-check. Each thing is built once per test process, into the target
//! directory of the test run, so that a second run finds everything fresh. The harness knows nothing of the host's
//! API; it hands out paths and commands.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

mod apart;
mod cargo;
mod collector;
mod folder;
mod openmetrics;

pub(crate) use apart::{apart, measure_from_here, resident};
pub(crate) use collector::Collector;
pub(crate) use folder::Folder;
pub(crate) use openmetrics::Exposition;

/// Where guests are compiled to.
const WASM_TARGET: &str = "wasm32-wasip1";

/// The root of the repository.
pub(crate) fn repository() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository").to_path_buf()
    })
}

/// The compiled program `name` of `tests/guests`, or the plugin `name` of `examples/embedding`.
///
/// # Panics
/// When the guests do not build, with what Cargo said, or when there is none of that name.
pub(crate) fn guest(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    program(BUILT.get_or_init(cargo::build_guests), name)
}

/// The compiled program `name` of `examples`, as `cargo build --release` makes it.
///
/// # Panics
/// As [`guest`].
pub(crate) fn example(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    program(BUILT.get_or_init(cargo::build_examples), name)
}

/// The folder of the compiled plugins of `examples/embedding`.
///
/// # Panics
/// As [`guest`].
pub(crate) fn plugins() -> PathBuf {
    guest("filters").parent().expect("it lies in a folder").to_path_buf()
}

/// A command that runs the program `name` of `examples/embedding`, with its plugins.
///
/// # Panics
/// When it does not build, with what Cargo said.
pub(crate) fn embedding(name: &str) -> Command {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let mut command = Command::new(BUILT.get_or_init(cargo::build_embedding).join(name));
    command.arg("--plugins").arg(plugins()).current_dir(repository());
    command
}

fn program(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name).with_extension("wasm");
    assert!(path.is_file(), "no guest program {name}: there is no {}", path.display());
    path
}

/// A command that runs the binary `insula`, in the profile of this test run, with nothing in its environment that
/// would change what it prints or where it caches.
///
/// # Panics
/// When it does not build, with what Cargo said.
pub(crate) fn insula() -> Command {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let mut command = Command::new(BUILT.get_or_init(cargo::build_insula));
    for name in ["RUST_BACKTRACE", "RUST_LIB_BACKTRACE", "RUST_LOG", "CLICOLOR_FORCE", "INSULA_LOG"] {
        command.env_remove(name);
    }
    // Its cache belongs into the target directory, and not into the home of whoever runs the tests.
    command.env("XDG_CACHE_HOME", cache());
    command.env("NO_COLOR", "1").current_dir(repository());
    command
}

/// Where hosts of the tests may keep compiled modules.
pub(crate) fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

/// Cargo as the test run uses it.
fn cargo_program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
