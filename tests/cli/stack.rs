//! `stack`, `logs`, and how often isolates were started again: what a run says of what its isolates are at.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use serde_json::Value;

use super::live::Running;
use super::output;
use crate::harness::Folder;

/// Looks at a run, at most, until it is what it soon will be.
const LOOKS_MAX: usize = 1_000;

/// A program with lines that spins in a function of its own, until it is ended.
const PROGRAM: &str = r#"#[inline(never)]
fn spins() {
    loop {
        std::hint::spin_loop();
    }
}

fn main() {
    println!("spinning");
    spins();
}
"#;

const MANIFEST: &str = "[package]\nname = \"spinning\"\nedition = \"2024\"\n[workspace]\n\
    [profile.release]\ndebug = \"line-tables-only\"\n";

fn program(name: &str) -> (Folder, Running) {
    let folder = Folder::new(name);
    folder.file("Cargo.toml", MANIFEST);
    folder.file("src/main.rs", PROGRAM);
    let running = Running::at(folder.path(), "spinning\n", &format!("{name}-run"));
    (folder, running)
}

#[test]
fn the_stack_of_one_that_runs_is_told_as_a_trap_is_with_its_lines() {
    let (folder, running) = program("stack-lines");
    let pid = running.pid();
    // Sources are looked for where the command runs, wherever cargo builds.
    let mut command = running.command(["stack", &pid, "1"]);
    command.current_dir(folder.path());
    let told = output(command);
    assert_eq!(told.code, Some(0), "{told:?}");
    let told = told.stdout;
    let (title, rest) = told.split_once('\n').expect("there are lines");
    assert_eq!(title, "info: isolate #1 `spinning`: running");
    for text in [
        "src/main.rs:",
        "3 |     loop {",
        "module spinning.wasm, sha256",
        "frames, innermost first:",
        "0: spinning::spins",
    ] {
        assert!(rest.contains(text), "{text} in\n{told}");
    }
    assert!(rest.contains("1: spinning::main\n") && rest.contains("of libraries left out"), "{told}");
    let full = running.done(["stack", "--backtrace", "full", &pid, "#1"]);
    assert!(full.contains("_start") && !full.contains("left out"), "{full}");

    let stack: Value = serde_json::from_str(&running.done(["stack", "--json", &pid, "1"])).expect("it is JSON");
    let frames = stack["frames"].as_array().expect("it is a list");
    assert_eq!(frames[0]["function"], "spinning::spins", "{stack:#}");
    let spot = &frames[0]["places"].as_array().expect("it is a list").last().expect("there are lines")["spot"];
    assert!(spot["file"].as_str().is_some_and(|file| file.ends_with("src/main.rs")), "{stack:#}");
    assert_eq!(running.end_by("1").0, Some(137));
}

#[test]
fn the_stack_of_one_that_waits_is_that_of_its_wait() {
    let running = Running::of("looked_into", "looping\n", "stack-waits");
    let pid = running.pid();
    let waits = |told: &String| told.starts_with("info: isolate #1 `looked_into`: waiting: ports.receive\n");
    let mut looks = std::iter::repeat_with(|| running.done(["stack", &pid, "1"])).take(LOOKS_MAX);
    let told = looks.find(waits).expect("main comes to its wait");
    assert!(told.contains("looked_into::main @ 0x"), "{told}");
    running.done(["pause", &pid, "1"]);
    assert!(running.done(["stack", &pid, "1"]).starts_with("info: isolate #1 `looked_into`: paused\n"));
    running.done(["resume", &pid, "1"]);
    let stack: Value = serde_json::from_str(&running.done(["stack", "--json", &pid, "2"])).expect("it is JSON");
    assert_eq!((&stack["isolate"], &stack["name"], &stack["state"]), (&2.into(), &"loops".into(), &"running".into()));
    assert!(stack["frames"][0]["offset"].as_u64() > Some(0) && stack["frames"][0]["index"].as_u64() > Some(0));
    let refused = running.insula(["stack", &pid, "77"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("no isolate #77"), "{refused:?}");
    assert_eq!(running.insula(["stack", &pid]).code, Some(2));
    assert_eq!(running.end_by("#2"), (Some(0), "the child ended\n".to_owned()));
}

#[test]
fn an_isolate_that_is_started_again_says_how_often() {
    let running = Running::of("starts_again", "one stays\n", "stack-again");
    let pid = running.pid();
    let restarts: Vec<_> = running.rows().iter().map(|row| row["restarts"].clone()).collect();
    assert_eq!(restarts, [0, 3], "main, and the fourth of its children");
    let table = running.done(["top", "--once", &pid]);
    let heads = table.lines().next().expect("there is a first line");
    assert!(heads.contains("  parent  restarts  state"), "{table}");
    assert!(table.contains("#5       flaky         #1             3  "), "{table}");
    assert_eq!(running.end_by("#5").0, Some(0));
}

#[test]
fn the_logs_of_all_isolates_are_told_line_by_line_and_escaped() {
    let running = Running::of("starts_again", "one stays\n", "stack-logs");
    let pid = running.pid();
    let logs = running.done(["logs", &pid]);
    let attempts = (0..4).map(|attempt| format!("[flaky #{}] attempt {attempt}\\u{{1b}}[2J\n", attempt + 2));
    assert_eq!(logs, attempts.collect::<String>(), "of those too that failed");
    assert_eq!(running.done(["logs", &pid, "#5"]), "attempt 3\\u{1b}[2J\n");
    assert_eq!(running.done(["logs", &pid, "2"]), "attempt 0\\u{1b}[2J\n");
    assert_eq!(running.done(["logs", &pid, "1"]), "", "it wrote nothing yet");
    let refused = running.insula(["logs", &pid, "77"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("no isolate #77"), "{refused:?}");
    assert_eq!(running.end_by("#5").0, Some(0));
}

#[test]
fn logs_are_followed_to_the_end_of_an_isolate_and_of_the_run() {
    let running = Running::of("starts_again", "one stays\n", "stack-follow");
    let pid = running.pid();
    let followed = |mut command: std::process::Command| {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("insula can be run");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut first = String::new();
        lines.read_line(&mut first).expect("it prints text");
        (child, lines, first)
    };
    let (mut of_one, mut one, first) = followed(running.command(["logs", "--follow", &pid, "5"]));
    assert_eq!(first, "attempt 3\\u{1b}[2J\n");
    let (mut of_all, mut all, first) = followed(running.command(["logs", "-f", &pid]));
    assert_eq!(first, "[flaky #2] attempt 0\\u{1b}[2J\n");
    assert_eq!(running.end_by("#5").0, Some(0));
    let mut rest = String::new();
    one.read_to_string(&mut rest).expect("it prints text");
    assert_eq!((of_one.wait().expect("it ends").code(), rest.as_str()), (Some(0), ""));
    rest.clear();
    all.read_to_string(&mut rest).expect("it prints text");
    assert_eq!(of_all.wait().expect("it ends").code(), Some(0));
    let last: String = (0..3).map(|line| format!("[starts_again #1] main goes {line}\n")).collect();
    assert!(rest.ends_with(&last), "what was written at the very end is told: {rest}");
}
