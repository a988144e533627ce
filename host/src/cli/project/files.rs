//! The files of a new project.

use std::borrow::Cow;
use std::path::PathBuf;

use super::sdk::Sdk;

/// A file that is to be written.
pub(super) struct Written {
    /// Where it is in the project.
    pub(super) path: PathBuf,
    pub(super) text: Cow<'static, str>,
    /// Whether one that is there already does as well.
    pub(super) may_be_there: bool,
}

impl Written {
    pub(super) fn new(path: impl Into<PathBuf>, text: impl Into<Cow<'static, str>>) -> Written {
        Written { path: path.into(), text: text.into(), may_be_there: false }
    }

    fn unless_there(self) -> Written {
        Written { may_be_there: true, ..self }
    }
}

const MAIN: &str = include_str!("template/main.rs");
const README: &str = include_str!("template/README.txt");

const CARGO_CONFIG: &str = r#"# `cargo run` and `cargo test` build for the sandbox, and run there.
[build]
target = "wasm32-wasip1"

[target.wasm32-wasip1]
runner = "insula run"
"#;

const TOOLCHAIN: &str = r#"# rustup adds the target where it is missing.
[toolchain]
targets = ["wasm32-wasip1"]
"#;

/// All files of a project, the SDK's among them.
pub(super) fn of(name: &str, sdk: &Sdk) -> Vec<Written> {
    let mut files = vec![
        Written::new("Cargo.toml", manifest(name, sdk)),
        Written::new(".cargo/config.toml", CARGO_CONFIG),
        Written::new("rust-toolchain.toml", TOOLCHAIN),
        Written::new("src/main.rs", MAIN),
        Written::new("README.md", README.replace("{name}", name)).unless_there(),
        Written::new(".gitignore", "/target\n").unless_there(),
    ];
    files.extend(sdk.files());
    files
}

fn manifest(name: &str, sdk: &Sdk) -> String {
    // A string of JSON is one of TOML as well.
    let guest = serde_json::Value::from(sdk.path().to_string_lossy());
    format!(
        r#"[package]
name = "{name}"
version = "0.1.0"
edition = "2024"

[dependencies]
insula-guest = {{ path = {guest} }}
serde = {{ version = "1", features = ["derive"] }}

# Names stay in the module, so that a report of what went wrong names functions.
[profile.release]
strip = "debuginfo"

# A guest is built for its own target, with settings of its own: it is no member of a workspace around it.
[workspace]
exclude = ["vendor"]
"#
    )
}
