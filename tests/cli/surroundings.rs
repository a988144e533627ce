//! What a guest of `insula run` is given, and what it is not.

use std::io::Write as _;
use std::process::Stdio;

use super::{Ran, run};
use crate::harness::{self, Folder, guest};

#[test]
fn s8_nothing_is_given_by_default() {
    let ran = run([guest("surroundings")]);
    let lines = "arguments: []\nenvironment: []\nfile: None\nwritten: false\ninput: \"\"\n";
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), lines), "{ran:?}");
    assert_eq!(ran.stderr, "to standard error\n");
}

#[test]
fn s8_what_is_granted_is_there() {
    let folder = Folder::new("surroundings");
    folder.file("file.txt", "content");
    let mut command = harness::insula();
    command.env("PASSED", "on").env("HIDDEN", "x").arg("run");
    command.arg("--dir").arg(format!("{}::/data", folder.path().display()));
    command.args(["--env", "NAME=value", "--env", "PASSED"]).arg(guest("surroundings")).args(["one", "--two"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("insula can be run");
    child.stdin.take().expect("it is piped").write_all(b"typed").expect("the guest reads");
    let ran = Ran::of(child.wait_with_output().expect("it ends"));
    let lines = [
        "arguments: [\"one\", \"--two\"]",
        "environment: [(\"NAME\", \"value\"), (\"PASSED\", \"on\")]",
        "file: Some(\"content\")",
        "written: true",
        "input: \"typed\"",
    ];
    assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), lines, "{ran:?}");
    assert_eq!(std::fs::read_to_string(folder.path().join("new.txt")).ok().as_deref(), Some("new"));
}

#[test]
fn s2_2_modules_beside_the_program_and_those_of_the_command_line_can_be_spawned() {
    let ran = run([guest("spawns_beside").as_os_str(), "other_module".as_ref()]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "other_module, as asked\n"), "{ran:?}");
    let offer = format!("elsewhere={}", guest("other_module").display());
    let ran = run(["--module", &offer, &guest("spawns_beside").display().to_string(), "elsewhere"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "elsewhere, as asked\n"), "{ran:?}");
    let path = guest("other_module").display().to_string();
    for missing in ["nowhere", path.as_str()] {
        let ran = run([guest("spawns_beside").as_os_str(), missing.as_ref()]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
        assert!(ran.stderr.contains("there is no module"), "{ran:?}");
    }
}

#[test]
fn a_broken_module_beside_the_program_is_named() {
    let folder = Folder::new("beside");
    folder.file("spawns_beside.wasm", std::fs::read(guest("spawns_beside")).expect("the guest is there"));
    let broken = folder.file("broken.wasm", "no module");
    let ran = run([folder.path().join("spawns_beside.wasm").as_os_str(), "broken".as_ref()]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.stderr.contains(&broken.display().to_string()), "the file is named: {ran:?}");
}
