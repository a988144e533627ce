//! Two isolates that are given nothing cannot reach each other, whatever numbers they pass.
//!
//! The guest is written here, from the WIT: it imports every function, and calls each of them over and over with drawn
//! numbers where a handle is meant. A function that is added to the WIT is attacked without a change here.

use std::fmt::Write as _;

use insula::{Exit, Host, SendPort, Spawn};

use crate::contract::{Contract, Role};
use crate::harness;

/// Rounds over all imports.
const ROUNDS: u32 = 5_000;

/// What takes no handle and would end the guest: an error is fatal.
const ENDS: [&str; 1] = ["error"];

/// What takes no handle and would give the guest something of its own, which a drawn number could then be.
const GIVES: [&str; 4] = ["open", "create-capability", "create", "current"];

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
        if ENDS.iter().chain(&GIVES).any(|left_out| left_out == field) {
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
            (select (global.get $state) (i32.and (global.get $state) (i32.const 0x3f))
                (i32.and (global.get $state) (i32.const 0x40))))
        (func $handle (result i32) (local $drawn i32)
            ;; 0 is no handle, which some calls take.
            (select (local.tee $drawn (call $draw)) (i32.const 1) (local.get $drawn)))
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
        Role::Handle | Role::Number | Role::Reads | Role::Fills | Role::Count => "i32",
    }
}

/// What the attacker passes: drawn numbers, except where they would make it wait, or trap.
fn argument(role: Role) -> &'static str {
    match role {
        Role::Handle => "(call $handle)",
        Role::Number => "(call $draw)",
        Role::Instant => "(i64.const 0)",
        Role::Wide => "(i64.extend_i32_u (call $draw))",
        // What is read is all zeros, and stays so: empty lists and records of nothing.
        Role::Reads => "(i32.const 1024)",
        Role::Fills => "(i32.const 8192)",
        Role::Count => "(i32.const 16)",
    }
}

#[test]
fn s3_4_drawn_numbers_reach_nothing() {
    let host = Host::builder().isolates(16).threads(2).build().expect("there is room for a small host");
    let (ports, heard) = (host.receive_port::<SendPort<u32>>(), host.receive_port::<u32>());
    let canary = host.load_file(harness::guest("canary")).expect("the canary is a module");
    let message = (ports.send_port(), heard.send_port());
    let canary = host.spawn(&canary, Spawn::entry("run").message(&message)).expect("it has an entry");
    let to_canary = ports.recv().expect("the canary hands out its port");
    let module = host.load("attacker.wat", attacker().as_bytes()).expect("the attacker is a module");
    let attackers = [(); 2].map(|()| host.spawn(&module, Spawn::entry("run")).expect("it has an entry"));
    for attacker in attackers {
        assert_eq!(attacker.join(), Exit::Returned, "a call with a drawn number was not refused");
    }
    to_canary.send(7).expect("the canary lives");
    assert_eq!(heard.recv().expect("the canary lives"), 7, "the canary heard something else first");
    drop(to_canary);
    assert_eq!(canary.join(), Exit::Returned);
    assert!(heard.try_recv().is_err(), "the canary heard more");
}
