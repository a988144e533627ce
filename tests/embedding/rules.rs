//! Sentences of the semantics that an embedder sees best: bytes that stay, types of listeners, reports, deadlines.

use std::time::Duration;

use insula::{Exit, Grant, Host, Limits, Output, Phase, Spawn};

use super::ends::loaded;
use crate::harness::{self, Folder};

#[test]
fn s2_6_a_file_that_changes_later_changes_nothing() {
    let folder = Folder::new("changes");
    let bytes = std::fs::read(harness::guest("chain")).expect("the guest is built");
    let path = folder.file("program.wasm", bytes);
    let host = Host::builder().isolates(16).threads(2).build().expect("there is room for a small host");
    let module = host.load_file(&path).expect("the guest is a module");
    std::fs::write(&path, "something else").expect("the file can be written");
    let port = host.receive_port::<String>();
    let spawn = Spawn::entry("run").message(&port.send_port());
    let isolate = host.spawn(&module, spawn).expect("it has an entry");
    // Ten of its kind are born after the change.
    assert_eq!(port.recv().as_deref(), Ok("depth 10"));
    assert_eq!(isolate.join(), Exit::Returned);
}

#[test]
fn s4_8_a_listener_of_another_type_is_refused() {
    let text = r#"(module
        (import "insula:isolate/ports@0.1.0" "open" (func $open (param i64 i32 i32) (result i32)))
        (import "insula:isolate/ports@0.1.0" "sender" (func $sender (param i32 i32) (result i32)))
        (import "insula:isolate/isolates@0.1.0" "current" (func $current (param i32) (result i32)))
        (import "insula:isolate/control@0.1.0" "ping" (func $ping (param i32 i32 i32 i64 i32) (result i32)))
        (import "insula:isolate/control@0.1.0" "add-exit-listener"
            (func $on_exit (param i32 i32 i64 i32) (result i32)))
        (import "insula:isolate/control@0.1.0" "add-error-listener" (func $on_error (param i32 i32 i64) (result i32)))
        (memory (export "memory") 1)
        (func $ok (param i32) (if (local.get 0) (then unreachable)))
        (func $invalid (param i32) (if (i32.ne (local.get 0) (i32.const 16)) (then unreachable)))
        (func $opened (param i64) (result i32)
            (call $ok (call $open (local.get 0) (i32.const 0) (i32.const 0)))
            (call $ok (call $sender (i32.load (i32.const 0)) (i32.const 0)))
            (i32.load (i32.const 0)))
        (func (export "run") (local $me i32) (local $typed i32) (local $any i32)
            (call $ok (call $current (i32.const 16)))
            (local.set $me (i32.load (i32.const 16)))
            (local.set $typed (call $opened (i64.const 7)))
            (local.set $any (call $opened (i64.const 0)))
            ;; 256 holds an empty payload.
            (call $invalid (call $on_exit (local.get $me) (local.get $typed) (i64.const 8) (i32.const 256)))
            (call $invalid (call $ping (local.get $me) (local.get $typed) (i32.const 0) (i64.const 8) (i32.const 256)))
            (call $invalid (call $on_error (local.get $me) (local.get $typed) (i64.const 0)))
            (call $ok (call $on_exit (local.get $me) (local.get $typed) (i64.const 7) (i32.const 256)))
            (call $ok (call $on_exit (local.get $me) (local.get $any) (i64.const 8) (i32.const 256)))
            (call $ok (call $on_error (local.get $me) (local.get $any) (i64.const 0)))))"#;
    let (host, module) = loaded(text);
    assert_eq!(host.spawn(&module, Spawn::entry("run")).expect("it has an entry").join(), Exit::Returned);
}

#[test]
fn s5_6_who_trapped_is_never_entered_again() {
    // Its event loop, which would come next, never ends.
    let text = "(module (func (export \"run\") unreachable) (func (export \"insula_loop\") (loop $a (br $a))))";
    let (host, module) = loaded(text);
    let exit = host.spawn(&module, Spawn::entry("run")).expect("it has an entry").join();
    assert!(matches!(exit, Exit::Trapped { .. }), "{exit:?}");
}

#[test]
fn s7_2_the_embedder_gets_every_end_as_fields() {
    let host = Host::builder().isolates(4).threads(2).cache_folder(harness::cache()).build();
    let host = host.expect("there is room for a small host");
    let module = host.load_file(harness::guest("mortal")).expect("the guest is a module");
    let ended = |cause: &str| {
        let port = host.receive_port::<insula::RemoteError>();
        let spawn = Spawn::entry(cause).message(&port.send_port()).on_error(&port.send_port());
        host.spawn(&module, spawn.stderr(Output::Null)).expect("it has an entry").join()
    };
    let panicked = ended("panicked");
    let Exit::Panicked { message, place, frames } = panicked else { panic!("{panicked:?}") };
    assert_eq!(message, "it panicked on purpose");
    assert!(place.starts_with("tests/guests/mortal.rs:"), "{place}");
    assert!(frames.iter().any(|frame| frame.function.as_deref() == Some("mortal::panicked")), "{frames:?}");
    let failed = ended("failed");
    assert!(matches!(&failed, Exit::Failed { error } if error.message == "an error came back"), "{failed:?}");
    assert_eq!(ended("proc_exit_code"), Exit::ProcExit { code: 7 });
}

#[test]
fn s7_3_the_last_4_kib_of_standard_error_come_along() {
    let text = r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\10\00\00\00\10\00\00\00")
        (data (i32.const 16) "0123456789abcde\n")
        (data (i32.const 32) "\30\00\00\00\04\00\00\00")
        (data (i32.const 48) "last")
        (func (export "run") (local $left i32)
            (local.set $left (i32.const 1000))
            (loop $again
                (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8192)))
                (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                (br_if $again (local.get $left)))
            (drop (call $write (i32.const 2) (i32.const 32) (i32.const 1) (i32.const 8192)))
            unreachable))"#;
    let (host, module) = loaded(text);
    let spawn = Spawn::entry("run").stderr(Output::Null);
    let isolate = host.spawn(&module, spawn).expect("it has an entry");
    assert!(matches!(isolate.join(), Exit::Trapped { .. }));
    let tail = isolate.stderr_tail();
    let (cut, kept) = tail.split_once('\n').expect("a first line says what was cut");
    assert_eq!((kept.len(), cut), (4 << 10, "[11908 bytes before this are not kept]"));
    assert!(kept.ends_with("0123456789abcde\nlast"), "{tail}");
    let kept = |bytes| {
        let spawn = Spawn::entry("run").stderr(Output::Null).limits(Limits::default().stderr(bytes));
        let isolate = host.spawn(&module, spawn).expect("it has an entry");
        assert!(matches!(isolate.join(), Exit::Trapped { .. }));
        isolate.stderr_tail()
    };
    assert_eq!(kept(6), "[15998 bytes before this are not kept]\ne\nlast");
    assert_eq!(kept(0), "[16004 bytes before this are not kept]\n");
    assert_eq!(kept(1 << 20).len(), 16_004, "all of it");
}

#[test]
fn s7_4_a_panic_is_what_a_trap_follows_at_once() {
    let text = r#"(module
        (import "insula:isolate/report@0.1.0" "panic" (func $report (param i32 i32 i32 i32) (result i32)))
        (import "insula:isolate/control@0.1.0" "stop-requested" (func $asks (result i32)))
        (import "insula:isolate/ports@0.1.0" "receive"
            (func $receive (param i32 i64 i32 i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "a text")
        (func $panics (drop (call $report (i32.const 0) (i32.const 6) (i32.const 0) (i32.const 1))))
        (func (export "and traps") (call $panics) unreachable)
        (func (export "and divides") (call $panics) (drop (i32.div_u (i32.const 1) (i32.const 0))))
        (func (export "and goes on") (call $panics) (drop (call $asks)) unreachable)
        (func (export "and waits") (call $panics)
            (drop (call $receive (i32.const 0) (i64.const 1) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
                (i32.const 64)))
            unreachable)
        (func (export "and returns") (call $panics)))"#;
    let (host, module) = loaded(text);
    let ended = |entry: &str| host.spawn(&module, Spawn::entry(entry)).expect("it has an entry").join();
    let panicked = ended("and traps");
    let as_told =
        |exit: &Exit| matches!(exit, Exit::Panicked { message, place, .. } if message == "a text" && place == "a");
    assert!(as_told(&panicked), "{panicked:?}");
    let divided = ended("and divides");
    assert!(matches!(&divided, Exit::Trapped { kind, .. } if kind == "integer divide by zero"), "{divided:?}");
    for goes_on in ["and goes on", "and waits"] {
        let went_on = ended(goes_on);
        assert!(matches!(&went_on, Exit::Trapped { kind, .. } if kind == "unreachable"), "{goes_on}: {went_on:?}");
    }
    assert_eq!(ended("and returns"), Exit::Returned);
}

#[test]
fn s8_a_child_gets_at_most_what_its_parent_has() {
    let host = Host::builder().isolates(4).threads(2).cache_folder(harness::cache()).build();
    let host = host.expect("there is room for a small host");
    let module = host.load_file(harness::guest("grants_narrow")).expect("the guest is a module");
    let port = host.receive_port::<String>();
    let spawn = Spawn::entry("run").message(&port.send_port());
    let spawn = spawn.grant(Grant::environment("ONE", "1")).grant(Grant::environment("TWO", "2"));
    let spawn = spawn.grant(Grant::config("four", "4")).grant(Grant::names("here")).grant(Grant::module("another"));
    let isolate = host.spawn(&module, spawn).expect("it has an entry");
    let told: Vec<String> = std::iter::from_fn(|| port.recv().ok()).collect();
    assert_eq!(isolate.join(), Exit::Returned);
    let given = ["inherits: ONE=1 TWO=2 four=4", "is given one: ONE=1", "is given a value: four=4", "is given none: "];
    assert_eq!(told[..4], given);
    let missing = [
        "variable ONE",
        "variable THREE",
        "config value four",
        "namespace elsewhere",
        "module other_module",
        "fine clock",
        "read-only folder .",
        "read-write folder .",
    ];
    for (refusal, grant) in told[4..].iter().zip(missing) {
        assert!(refusal.contains(grant) && refusal.contains("not within what the parent has"), "{refusal}");
    }
    assert!(told.len() == 13 && told[12].contains("no network"), "{told:?}");
}

#[test]
fn s9_1_a_deadline_runs_on_while_its_isolate_is_paused() {
    let (host, module) = loaded("(module (func (export \"run\")))");
    let soon = Limits::default().deadline(Duration::from_millis(5));
    let isolate = host.spawn(&module, Spawn::entry("run").paused(true).limits(soon)).expect("it has an entry");
    assert_eq!(isolate.join(), Exit::Deadline { phase: Phase::Start });
    assert!(isolate.cpu_time() < Duration::from_secs(1), "paused, it used no time");
}
