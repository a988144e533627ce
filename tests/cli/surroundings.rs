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
