//! `insula doctor`: what is looked at, what is said of it, and the exit code.

use std::process::Command;

use super::{Ran, output};
use crate::harness::{self, Folder};

/// The state and the text of a check.
fn check(ran: &Ran, name: &str) -> (String, String) {
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).expect("it is JSON");
    let checks = told["checks"].as_array().expect("a list");
    let check = checks.iter().find(|check| check["name"] == name).expect("it is among the checks");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    (text(&check["state"]), format!("{} -> {}", text(&check["found"]), text(&check["remedy"])))
}

fn is(ran: &Ran, name: &str, state: &str, words: &[&str]) {
    let (found, text) = check(ran, name);
    assert_eq!(found, state, "{name}: {text}");
    for word in words {
        assert!(text.contains(word), "{name}: {word} is not in {text}");
    }
}

/// `insula doctor --json` in a folder.
fn doctor(folder: &Folder) -> Command {
    let mut command = harness::insula();
    command.args(["doctor", "--json"]).current_dir(folder.path()).env_remove("CARGO_TARGET_WASM32_WASIP1_RUNNER");
    command
}

#[test]
fn a_machine_that_runs_these_tests_is_well() {
    let folder = Folder::new("doctor");
    folder.file(".cargo/config.toml", "[target.wasm32-wasip1]\nrunner = ['insula', 'run']\n");
    let ran = output(doctor(&folder));
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    for (name, words) in [
        ("cargo", &["cargo 1."][..]),
        ("rustc", &["rustc 1."]),
        ("target", &["wasm32-wasip1"]),
        ("runner", &["insula run", "config.toml"]),
        ("isolates", &["vm.max_map_count"]),
        ("cores", &["threads"]),
        ("cache", &["modules"]),
        ("host", &["1000 isolates", "ms"]),
    ] {
        is(&ran, name, "ok", words);
    }
    let mut command = harness::insula();
    let ran = output({
        command.arg("doctor").current_dir(folder.path());
        command
    });
    assert!(ran.code == Some(0) && ran.stdout.contains("ok       runner         `insula run`"), "{ran:?}");
    assert!(!ran.stdout.contains('\u{1b}'), "colours in a pipe: {ran:?}");
}

#[test]
fn what_is_missing_is_said_with_its_remedy() {
    let folder = Folder::new("doctor");
    folder.file(".cargo/config.toml", "[target.wasm32-wasip1]\nrunner = \"wasmtime run\"\n");
    let mut command = doctor(&folder);
    command.env("PATH", folder.path()).env_remove("CARGO").env_remove("RUSTC");
    let ran = output(command);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    is(&ran, "cargo", "failed", &["https://rustup.rs"]);
    is(&ran, "rustc", "failed", &["https://rustup.rs"]);
    is(&ran, "runner", "warning", &["wasmtime run", "not insula", "insula run"]);
    is(&ran, "insula", "warning", &["PATH", "cargo install"]);
    is(&ran, "host", "ok", &[]);
}

#[test]
fn a_limit_that_is_too_low_is_named() {
    let folder = Folder::new("doctor");
    let plain = doctor(&folder);
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 100; ulimit -v 30000000; exec \"$0\" doctor --json"]).arg(plain.get_program());
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?)))).current_dir(folder.path());
    let ran = output(command);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    is(&ran, "open files", "warning", &["100", "ulimit -n"]);
    is(&ran, "address space", "warning", &["28.6 GiB", "ulimit -v"]);
    is(&ran, "host", "failed", &["ulimit -v"]);
}

#[test]
fn a_runner_file_that_cargo_cannot_read_and_a_cache_of_others_are_found() {
    let folder = Folder::new("doctor");
    folder.file(".cargo/config.toml", "[target");
    let cache = folder.path().join("insula/modules");
    std::fs::create_dir_all(&cache).expect("the folder can be made");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(&cache, open).expect("it is ours");
    let mut command = doctor(&folder);
    command.env("XDG_CACHE_HOME", folder.path());
    let ran = output(command);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    is(&ran, "runner", "failed", &["config.toml", "correct the file"]);
    is(&ran, "cache", "warning", &["others may write", "chmod 700"]);
}
