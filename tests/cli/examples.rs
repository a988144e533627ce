//! The examples, line for line.

use super::run;
use crate::harness::example;

/// Runs an example and compares what it prints; it must end well and say nothing on standard error.
fn prints(name: &str, arguments: &[&str], lines: &[&str]) {
    let target = example(name);
    let ran = run([target.to_str().expect("a path of ours is text")].iter().chain(arguments));
    assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), lines, "{ran:?}");
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
}

#[test]
fn pingpong() {
    prints("pingpong", &[], &["Worker received: ping", "Main received: pong"]);
}

#[test]
fn complexdata() {
    let lines = [
        "Name: Alice",
        "Scores: [95, 87, 92]",
        "After a change here: [95, 87, 92, 100], the worker still has: [95, 87, 92]",
    ];
    prints("complexdata", &[], &lines);
}

#[test]
fn termination() {
    let lines = ["Result: [0, 1, 4, 9, 16]", "Isolate has exited.", "The looping isolate was killed."];
    prints("termination", &[], &lines);
}

#[test]
fn parallel() {
    prints("parallel", &[], &["Sum 1..1000 = 500500"]);
    prints("parallel", &["10"], &["Sum 1..10 = 55"]);
}

#[test]
fn errors() {
    let ran = run([example("errors")]);
    let lines: Vec<_> = ran.stdout.lines().collect();
    let [data, panicked, divided, failed, last] = &lines[..] else { panic!("{ran:?}") };
    assert_eq!([*data, *last], ["Data: starting", "Main is still here."], "{ran:?}");
    for (line, text) in [
        (panicked, "something went wrong"),
        (divided, "attempt to divide by zero"),
        (failed, "\"forty-two\": invalid digit found in string"),
    ] {
        assert!(line.starts_with("Caught: ") && line.contains(text), "{ran:?}");
    }
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
}

#[test]
fn a_rust_source_is_built_and_run() {
    let ran = run(["examples/pingpong.rs"]);
    assert_eq!(ran.stdout, "Worker received: ping\nMain received: pong\n", "{ran:?}");
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

/// The size that a guest program of a few messages may have, without debug information.
#[test]
fn a_small_program_is_small() {
    let bytes = std::fs::metadata(example("pingpong")).expect("it is built").len();
    assert!(bytes < 120 << 10, "pingpong.wasm has {bytes} bytes");
}
