//! Where a deadline finds an isolate, and that it ends it there.

use std::process::Stdio;
use std::time::Duration;

use insula::{Exit, Host, Limits, MailboxPolicy, Phase, Spawn};

use super::ends::loaded;
use crate::harness::{self, Folder};

fn soon() -> Limits {
    Limits::default().deadline(Duration::from_millis(100))
}

/// Where the deadline finds the export `run` of this module.
fn found(text: &str) -> Phase {
    let (host, module) = loaded(text);
    let isolate = host.spawn(&module, Spawn::entry("run").limits(soon())).expect("it has an entry");
    match isolate.join() {
        Exit::Deadline { phase } => phase,
        other => panic!("it ended so: {other:?}"),
    }
}

fn waiting(call: &str) -> Phase {
    Phase::Waiting { call: call.to_owned() }
}

#[test]
fn s9_1_a_deadline_ends_a_start_function_and_a_constructor() {
    let start = "(module (func $start (loop (br 0))) (start $start) (func (export \"run\")))";
    assert_eq!(found(start), Phase::Start);
    let constructor = "(module (func (export \"_initialize\") (loop (br 0))) (func (export \"run\")))";
    assert_eq!(found(constructor), Phase::Start);
    // What waits there was not called either.
    let sleeps = r#"(module (import "insula:isolate/clock@0.1.0" "sleep" (func $sleep (param i64) (result i32)))
        (func $start (drop (call $sleep (i64.const -1)))) (start $start) (func (export "run")))"#;
    assert_eq!(found(sleeps), Phase::Start);
}

#[test]
fn s9_1_a_deadline_tells_code_from_the_calls_around_it() {
    let text = r#"(module
        (import "insula:isolate/clock@0.1.0" "now" (func $now (result i64)))
        (import "insula:isolate/clock@0.1.0" "sleep" (func $sleep (param i64) (result i32)))
        (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "run")
            (drop (call $sleep (i64.add (call $now) (i64.const 1000000))))
            (drop (call $close (i32.const 77)))
            (loop (br 0))))"#;
    assert_eq!(found(text), Phase::Guest);
}

#[test]
fn s9_1_a_deadline_names_the_call_that_waits() {
    let sleeps = r#"(module
        (import "insula:isolate/clock@0.1.0" "now" (func $now (result i64)))
        (import "insula:isolate/clock@0.1.0" "sleep" (func $sleep (param i64) (result i32)))
        (func (export "run") (drop (call $sleep (i64.add (call $now) (i64.const 60000000000))))))"#;
    assert_eq!(found(sleeps), waiting("clock.sleep"));
    let receives = |call: &str, parameters: &str, port: &str| {
        let text = format!(
            r#"(module
            (import "insula:isolate/ports@0.1.0" "open" (func $open (param i64 i32 i32) (result i32)))
            (import "insula:isolate/ports@0.1.0" "sender" (func $sender (param i32 i32) (result i32)))
            (import "insula:isolate/ports@0.1.0" "{call}" (func $receive (param {parameters} i64 i32 i32 i32 i32 i32)
                (result i32)))
            (import "insula:isolate/isolates@0.1.0" "current" (func $current (param i32) (result i32)))
            (import "insula:isolate/control@0.1.0" "add-exit-listener"
                (func $on_exit (param i32 i32 i64 i32) (result i32)))
            (memory (export "memory") 1)
            (func $ok (param i32) (if (local.get 0) (then unreachable)))
            (func (export "run")
                (call $ok (call $open (i64.const 0) (i32.const 0) (i32.const 0)))
                (call $ok (call $sender (i32.load (i32.const 0)) (i32.const 8)))
                (call $ok (call $current (i32.const 16)))
                ;; Whoever is to be told something can still be sent to. 256 holds an empty payload.
                (call $ok (call $on_exit (i32.load (i32.const 16)) (i32.load (i32.const 8)) (i64.const 0)
                    (i32.const 256)))
                (drop (call $receive {port} (i64.const -1) (i32.const 64) (i32.const 0) (i32.const 64) (i32.const 0)
                    (i32.const 128)))))"#
        );
        found(&text)
    };
    assert_eq!(receives("receive", "i32", "(i32.load (i32.const 0))"), waiting("ports.receive"));
    assert_eq!(receives("receive-any", "i32 i32", "(i32.const 0) (i32.const 1)"), waiting("ports.receive-any"));
}

#[test]
fn s9_1_a_deadline_ends_a_sender_at_a_full_mailbox() {
    let host = Host::builder().isolates(2).threads(2).cache_folder(harness::cache()).build().expect("there is room");
    let module = host.load_file(harness::guest("fills_a_port")).expect("the guest is a module");
    let port = host.receive_port_with::<u32>(&Limits::default().mailbox(4, 1_000), MailboxPolicy::Wait);
    let spawn = Spawn::main().message(&port.send_port()).limits(soon());
    let isolate = host.spawn(&module, spawn).expect("it has a main");
    assert_eq!(isolate.join(), Exit::Deadline { phase: waiting("ports.send-waiting") });
}

#[test]
fn s9_1_a_deadline_ends_whoever_waits_for_the_world() {
    let folder = Folder::new("deadline");
    let made = std::process::Command::new("mkfifo").arg(folder.path().join("never")).status();
    assert!(made.is_ok_and(|status| status.success()), "a file that nobody writes to can be made");
    let mut command = harness::insula();
    command.arg("run").arg("--dir").arg(format!("{}::/data", folder.path().display()));
    command.arg(harness::guest("deadline_at_a_file"));
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("insula can be run");
    let stdin = child.stdin.take().expect("it is piped"); // open, and nobody types
    let output = child.wait_with_output().expect("it ends");
    drop(stdin);
    let printed = String::from_utf8_lossy(&output.stdout);
    let calls = printed.lines().map(|line| line.strip_prefix("deadline passed while waiting in wasi."));
    let expected = [Some("fd_read"), Some("path_open"), Some("poll_oneoff")];
    assert_eq!(calls.collect::<Vec<_>>(), expected, "{output:?}");
}
