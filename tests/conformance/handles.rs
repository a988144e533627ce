//! Handle numbers, from the import side: none means two objects, and a wrong one is a status that changes nothing.

use insula::{Exit, Host, Spawn};

use super::ledger::{Number, judge_numbers};

/// A guest that takes and drops capabilities by the imports, and sends each number to the embedder as it gets it.
///
/// It sends four bytes: postcard writes a `[u8; 4]` as they are.
const TAKES_AND_DROPS: &str = r#"(module
    (import "insula:isolate/handles@0.1.0" "create-capability" (func $create (param i32) (result i32)))
    (import "insula:isolate/handles@0.1.0" "drop" (func $drop (param i32) (result i32)))
    (import "insula:isolate/handles@0.1.0" "duplicate" (func $duplicate (param i32) (result i32)))
    (import "insula:isolate/isolates@0.1.0" "initial-message"
        (func $initial (param i32 i32 i32 i32 i32) (result i32)))
    (import "insula:isolate/ports@0.1.0" "send" (func $send (param i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func $ok (param i32) (if (local.get 0) (then unreachable)))
    (func $refused (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
    (func (export "run") (local $port i32) (local $left i32) (local $number i32)
        (call $ok (call $initial (i32.const 0) (i32.const 64) (i32.const 64) (i32.const 4) (i32.const 128)))
        (local.set $port (i32.load (i32.const 64)))
        (local.set $left (i32.const 5000))
        (loop $again
            (call $ok (call $create (i32.const 256)))
            (local.set $number (i32.load (i32.const 256)))
            (call $ok (call $send (local.get $port) (i32.const 256) (i32.const 4) (i32.const 0) (i32.const 0)))
            ;; Two counts: the number lives until the second drop, and is a status from then on.
            (call $ok (call $duplicate (local.get $number)))
            (call $ok (call $drop (local.get $number)))
            (call $ok (call $drop (local.get $number)))
            (call $refused (call $drop (local.get $number)))
            (call $refused (call $duplicate (local.get $number)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $again (local.get $left)))))"#;

#[test]
fn beyond_stale_handles() {
    let host = Host::builder().isolates(2).threads(1).build().expect("there is room for a small host");
    let module = host.load("handles.wat", TAKES_AND_DROPS.as_bytes()).expect("the text is a module");
    let port = host.receive_port::<[u8; 4]>();
    let spawn = Spawn::entry("run").message(&port.send_port());
    let isolate = host.spawn(&module, spawn).expect("it has an entry");
    let mut events = Vec::new();
    // More objects than a slot has generations: a slot that is used up must be retired.
    while let Ok(number) = port.recv() {
        let number = u32::from_le_bytes(number);
        events.extend([Number::Given(number), Number::Freed(number)]);
    }
    assert_eq!(isolate.join(), Exit::Returned, "a number that was freed was taken for something");
    assert_eq!(events.len(), 10_000);
    assert_eq!(judge_numbers(&events), Ok(()));
}

/// Every kind of handle, passed where each other kind is meant, is a status; and the caller goes on.
#[test]
fn s3_4_a_handle_of_the_wrong_kind_is_a_status_and_changes_nothing() {
    let text = r#"(module
        (import "insula:isolate/handles@0.1.0" "create-capability" (func $create (param i32) (result i32)))
        (import "insula:isolate/handles@0.1.0" "kind-of" (func $kind_of (param i32 i32) (result i32)))
        (import "insula:isolate/ports@0.1.0" "open" (func $open (param i64 i32 i32) (result i32)))
        (import "insula:isolate/ports@0.1.0" "sender" (func $sender (param i32 i32) (result i32)))
        (import "insula:isolate/ports@0.1.0" "close" (func $close (param i32) (result i32)))
        (import "insula:isolate/ports@0.1.0" "send" (func $send (param i32 i32 i32 i32 i32) (result i32)))
        (import "insula:isolate/isolates@0.1.0" "current" (func $current (param i32) (result i32)))
        (import "insula:isolate/control@0.1.0" "kill" (func $kill (param i32 i32 i32) (result i32)))
        (import "insula:isolate/control@0.1.0" "pause" (func $pause (param i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (global $wrong_kind i32 (i32.const 6))
        (func $ok (param i32) (if (local.get 0) (then unreachable)))
        (func $wrong (param i32) (if (i32.ne (local.get 0) (global.get $wrong_kind)) (then unreachable)))
        (func $sends (param i32) (result i32)
            (call $send (local.get 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
        (func (export "run") (local $token i32) (local $port i32) (local $to_port i32) (local $me i32)
            (call $ok (call $create (i32.const 0)))
            (local.set $token (i32.load (i32.const 0)))
            (call $ok (call $open (i64.const 0) (i32.const 0) (i32.const 0)))
            (local.set $port (i32.load (i32.const 0)))
            (call $ok (call $sender (local.get $port) (i32.const 0)))
            (local.set $to_port (i32.load (i32.const 0)))
            (call $ok (call $current (i32.const 16)))
            (local.set $me (i32.load (i32.const 16)))
            (call $wrong (call $sends (local.get $token)))
            (call $wrong (call $sends (local.get $port)))
            (call $wrong (call $sends (local.get $me)))
            (call $wrong (call $close (local.get $to_port)))
            (call $wrong (call $close (local.get $token)))
            (call $wrong (call $sender (local.get $to_port) (i32.const 0)))
            (call $wrong (call $kill (local.get $token) (i32.load (i32.const 24)) (i32.const 0)))
            (call $wrong (call $kill (local.get $me) (local.get $port) (i32.const 0)))
            (call $wrong (call $pause (local.get $me) (i32.load (i32.const 20)) (local.get $to_port)))
            ;; All are what they were.
            (call $ok (call $sends (local.get $to_port)))
            (call $ok (call $kind_of (local.get $token) (i32.const 32)))
            (if (i32.ne (i32.load (i32.const 32)) (i32.const 2)) (then unreachable))))"#;
    let host = Host::builder().isolates(2).threads(1).build().expect("there is room for a small host");
    let module = host.load("kinds.wat", text.as_bytes()).expect("the text is a module");
    let isolate = host.spawn(&module, Spawn::entry("run")).expect("it has an entry");
    assert_eq!(isolate.join(), Exit::Returned);
}
