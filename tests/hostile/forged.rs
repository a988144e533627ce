//! Two isolates that are given nothing cannot reach each other, whatever numbers they pass.
//!
//! The guest is written here, from the WIT: it imports every function, and calls each of them over and over with drawn
//! numbers where a handle is meant. A function that is added to the WIT is attacked without a change here.

use std::fmt::Write as _;
use std::time::Duration;

use insula::{Exit, Host, Spawn};

use crate::contract::{Contract, Role};

/// Rounds over all imports.
const ROUNDS: u32 = 20_000;

/// What would end the guest or its rounds: an exit that works, an error that is fatal.
const LEFT_OUT: [&str; 3] = ["exit", "error", "entered"];

/// The attacker, in WebAssembly's text format. It traps where an import answers ok to a number that it drew.
fn attacker() -> String {
    let roles = Contract::parse(insula_wire::WIT).roles();
    let mut imports = String::new();
    let mut calls = String::new();
    for (number, (module, field, params)) in roles.iter().enumerate() {
        let types: String = params.iter().map(|role| format!("{} ", core(*role))).collect();
        let result = if field == "now" { "i64" } else { "i32" };
        writeln!(imports, "(import \"{module}\" \"{field}\" (func $f{number} (param {types}) (result {result})))")
            .expect("a string can be written to");
        if LEFT_OUT.contains(&field.as_str()) {
            continue;
        }
        let arguments: String = params.iter().map(|role| format!("{} ", argument(*role))).collect();
        // A handle first means that the call is about it: it must be refused.
        let judged = if params.first() == Some(&Role::Handle) { "(call $refused)" } else { "drop" };
        writeln!(calls, "(call $f{number} {arguments}) {judged}").expect("a string can be written to");
    }
    format!(
        "(module {imports}
        (memory (export \"memory\") 1)
        (global $state (mut i32) (i32.const 0x2545f491))
        (func $draw (result i32)
            (global.set $state (i32.xor (global.get $state) (i32.shl (global.get $state) (i32.const 13))))
            (global.set $state (i32.xor (global.get $state) (i32.shr_u (global.get $state) (i32.const 17))))
            (global.set $state (i32.xor (global.get $state) (i32.shl (global.get $state) (i32.const 5))))
            ;; Half of the numbers are small, as those that a table gives.
            (select (global.get $state) (i32.and (global.get $state) (i32.const 0x3f)) (i32.and (global.get $state) (i32.const 0x40))))
        (func $refused (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
        (func $round {calls})
        (func (export \"run\") (local $left i32)
            (local.set $left (i32.const {ROUNDS}))
            (loop $again
                (call $round)
                (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                (br_if $again (local.get $left)))))"
    )
}

fn core(role: Role) -> &'static str {
    match role {
        Role::Instant | Role::Wide => "i64",
        Role::Handle | Role::Number | Role::Pointer | Role::Count => "i32",
    }
}

/// What the attacker passes: drawn numbers, except where they would make it wait, or trap.
fn argument(role: Role) -> &'static str {
    match role {
        Role::Handle | Role::Number => "(call $draw)",
        Role::Instant => "(i64.const 0)",
        Role::Wide => "(i64.extend_i32_u (call $draw))",
        Role::Pointer => "(i32.const 1024)",
        Role::Count => "(i32.const 16)",
    }
}

#[test]
fn drawn_numbers_reach_nothing() {
    let host = Host::builder().isolates(16).threads(2).build().expect("there is room for a small host");
    let canary = host.receive_port::<u32>();
    let waiting = host.load("canary.wat", canary_guest().as_bytes()).expect("the canary is a module");
    let sibling = host.spawn(&waiting, Spawn::entry("run")).expect("the canary has an entry");
    let module = host.load("attacker.wat", attacker().as_bytes()).expect("the attacker is a module");
    let attackers = [(); 2].map(|()| host.spawn(&module, Spawn::entry("run")).expect("it has an entry"));
    for attacker in attackers {
        assert_eq!(attacker.join(), Exit::Returned, "a call with a drawn number was not refused");
    }
    assert!(canary.try_recv().is_err(), "the canary heard something");
    assert_eq!(sibling.exit(), None, "the sibling was reached");
    host.shutdown(Duration::ZERO);
    assert_eq!(sibling.exit(), Some(Exit::HostClosed));
}

/// An isolate with a port of its own, which waits for it longer than any test.
fn canary_guest() -> String {
    r#"(module
        (import "insula:isolate/ports@0.1.0" "open" (func $open (param i64 i32 i32) (result i32)))
        (import "insula:isolate/ports@0.1.0" "sender" (func $sender (param i32 i32) (result i32)))
        (import "insula:isolate/ports@0.1.0" "receive"
            (func $receive (param i32 i64 i32 i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "run")
            (drop (call $open (i64.const 0) (i32.const 0) (i32.const 0)))
            (drop (call $sender (i32.load (i32.const 0)) (i32.const 4)))
            (drop (call $receive (i32.load (i32.const 0)) (i64.const 0x7fffffffffffffff)
                (i32.const 64) (i32.const 64) (i32.const 128) (i32.const 4) (i32.const 16)))))"#
        .to_owned()
}
