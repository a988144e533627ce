//! `insula new` and `insula init`: a project that builds offline, runs and is tested as cargo does it, and no file lost.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Ran, insula, output};
use crate::harness::{self, Folder, repository};

/// What would have cargo build elsewhere, otherwise, or run with something else.
const REMOVED: [&str; 6] = [
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_TARGET_WASM32_WASIP1_RUNNER",
];

/// cargo in a folder, offline, with our `insula` first in the PATH.
fn cargo(folder: &Path, arguments: &[&str]) -> Command {
    let insula = harness::insula();
    let ours = Path::new(insula.get_program()).parent().expect("it lies in a folder").to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = [ours].into_iter().chain(std::env::split_paths(&path));
    let mut command = Command::new(env!("CARGO"));
    command.env("PATH", std::env::join_paths(folders).expect("the folders have no separator in them"));
    command.envs(insula.get_envs().filter_map(|(name, value)| Some((name, value?))));
    for name in REMOVED {
        command.env_remove(name);
    }
    command.args(arguments).current_dir(folder).env("CARGO_NET_OFFLINE", "true");
    command
}

/// Makes a project and answers its folder.
fn made(folder: &Folder, name: &str, more: &[&str]) -> PathBuf {
    let path = folder.path().join(name);
    let ran = insula(["new".as_ref(), path.as_os_str()].into_iter().chain(more.iter().map(AsRef::as_ref)));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
    assert!(ran.stderr.contains("cargo run") && ran.stderr.lines().count() == 1, "{ran:?}");
    path
}

/// A program of a project that shows what cargo and the runner hand through.
const LEAVES: &str = r#"//! Says what it sees, and leaves.
fn main() {
    println!("{:?}", std::env::args().skip(1).collect::<Vec<_>>());
    println!("{:?}", std::fs::read_to_string("/here/note.txt").ok());
    std::process::exit(7);
}
"#;

#[test]
fn a_new_project_builds_offline_runs_and_is_tested() {
    let folder = Folder::new("project");
    let project = made(&folder, "hello", &[]);
    let ran = output(cargo(&project, &["run", "--quiet"]));
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "Hello, world!\n", ""), "{ran:?}");
    let ran = output(cargo(&project, &["run", "--quiet", "--", "Ada", "--wait"]));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "Hello, Ada!\nHello, --wait!\n"), "{ran:?}");
    let ran = output(cargo(&project, &["test", "--quiet"]));
    assert!(ran.code == Some(0) && ran.stdout.contains("1 passed"), "{ran:?}");

    // Exit codes and the working directory are handed through as well.
    std::fs::create_dir_all(project.join("src/bin")).expect("the project can be written to");
    std::fs::write(project.join("src/bin/leaves.rs"), LEAVES).expect("the project can be written to");
    let below = project.join("below");
    std::fs::create_dir(&below).expect("the project can be written to");
    std::fs::write(below.join("note.txt"), "a note").expect("the project can be written to");
    let mut command = cargo(&below, &["run", "--quiet", "--bin", "leaves", "--", "a b"]);
    command.env("CARGO_TARGET_WASM32_WASIP1_RUNNER", "insula run --dir .::/here");
    let ran = output(command);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(7), "[\"a b\"]\nSome(\"a note\")\n"), "{ran:?}");

    // As is, it passes what its author's tools ask, which know nothing of how this repository is formatted.
    let theirs = "max_width=100,use_small_heuristics=Default";
    let ran = output(cargo(&project, &["fmt", "--check", "--", "--config", theirs]));
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
}

#[test]
fn a_project_can_use_a_checkout() {
    let folder = Folder::new("project");
    let checkout = repository().display().to_string();
    let project = made(&folder, "checked", &["--sdk", &checkout, "--name", "other-name"]);
    assert!(!project.join("vendor").exists());
    let ran = output(cargo(&project, &["metadata", "--format-version", "1", "--no-deps"]));
    let metadata: serde_json::Value = serde_json::from_str(&ran.stdout).expect("it is JSON");
    let package = &metadata["packages"][0];
    assert_eq!(package["name"], "other-name");
    let guest = package["dependencies"].as_array().expect("a list").iter().find(|one| one["name"] == "insula-guest");
    assert_eq!(guest.expect("it depends on it")["path"], repository().join("guest").display().to_string());

    let empty = folder.path().display().to_string();
    let refused = insula(["new", &format!("{empty}/more"), "--sdk", &empty]);
    assert!(refused.code == Some(1) && refused.stderr.contains("no checkout of insula"), "{refused:?}");
}

/// That this was refused in one line which has the words, and that the folder has these files and no others.
fn is_refused(ran: &Ran, words: &[&str], folder: &Path, files: &[&str]) {
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.lines().count()), (Some(1), "", 1), "{ran:?}");
    for word in words {
        assert!(ran.stderr.contains(word), "{word} is not in {ran:?}");
    }
    let entries = std::fs::read_dir(folder).expect("it is there");
    let mut found: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    found.sort();
    assert_eq!(found, files);
}

#[test]
fn nothing_is_overwritten() {
    let folder = Folder::new("project");
    let path = folder.path();
    let init = |more: &[&str]| {
        let mut command = harness::insula();
        command.arg("init").args(more).current_dir(path);
        output(command)
    };
    let there = insula(["new".as_ref(), path.as_os_str()]);
    is_refused(&there, &["is there already", "insula init"], path, &[]);

    folder.file("Cargo.toml", "mine");
    is_refused(
        &init(&["--name", "mine"]),
        &["`Cargo.toml` is there already", "nothing was written"],
        path,
        &["Cargo.toml"],
    );
    std::fs::remove_file(path.join("Cargo.toml")).expect("it is there");

    folder.file("README.md", "mine");
    let ran = init(&["--name", "mine"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
    assert!(ran.stderr.contains("README.md` stays as it is"), "{ran:?}");
    assert_eq!(std::fs::read_to_string(path.join("README.md")).expect("it is there"), "mine");
    let made = [".cargo", ".gitignore", "Cargo.toml", "README.md", "rust-toolchain.toml", "src", "vendor"];
    is_refused(&init(&[]), &["nothing was written"], path, &made);
}

#[test]
fn a_name_that_cargo_would_not_take_is_refused_before_anything_is_made() {
    let folder = Folder::new("project");
    for name in ["two words", "1st", "fn", "serde"] {
        let path = folder.path().join(name);
        let ran = insula(["new".as_ref(), path.as_os_str()]);
        is_refused(&ran, &[name, "--name"], folder.path(), &[]);
    }
    made(&folder, "two words", &["--name", "two-words"]);
}
