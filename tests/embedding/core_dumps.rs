//! Core dumps: of who traps, heard of or not, and of nobody else; as many at a time as there is room for.

use std::sync::mpsc::{channel, sync_channel};

use insula::{Exit, Host, IsolateId, Limits, Priority, RemoteError, Spawn};

use crate::harness;

const TEXT: &[u8] = br#"(module
    (memory (export "memory") 1)
    (data (i32.const 70) "what was in its memory")
    (func $inner (param i32) (unreachable))
    (func (export "traps") (call $inner (i32.const 7)))
    (func (export "returns"))
    (func (export "spins") (loop (br 0))))"#;

/// What is told of a core dump, less its bytes.
type Told = (IsolateId, String, Vec<u8>);

#[test]
fn who_traps_leaves_one_and_nobody_else_does() {
    let (told, dumps) = channel::<Told>();
    let builder = Host::builder().isolates(40).threads(1).cache_folder(harness::cache()).on_uncaught(|_| ());
    let taken = move |dump: &insula::CoreDump| {
        let what = (dump.isolate, dump.name.clone(), dump.bytes.clone());
        told.send(what).expect("the test waits");
    };
    let host = builder.on_core_dump(100, taken).build().expect("there is room for a small host");
    let module = host.load("traps", TEXT).expect("it is a module");
    let spawn = |entry| host.spawn(&module, Spawn::entry(entry)).expect("there is room");
    assert_eq!(spawn("returns").join(), Exit::Returned);
    let killed = spawn("spins");
    killed.kill(Priority::Immediate);
    assert!(matches!(killed.join(), Exit::Killed { .. }));
    // In both engines of a host: it makes the second one at the 17th birth.
    for _ in 0..20 {
        let errors = host.receive_port::<RemoteError>();
        let traps = host.spawn(&module, Spawn::entry("traps").paused(true)).expect("there is room");
        traps.add_error_listener(&errors.send_port()).expect("it takes errors");
        traps.resume_birth();
        assert!(matches!(traps.join(), Exit::Trapped { kind, .. } if kind == "unreachable"));
        let (isolate, name, bytes) = dumps.recv().expect("one is taken");
        assert_eq!((isolate, name.as_str()), (traps.id(), "traps"));
        let sections = insula::inspect("dump", &bytes).expect("it is in the form of a module").sections;
        let names: Vec<&str> = sections.iter().map(|section| section.name.as_str()).collect();
        for wanted in ["core", "coremodules", "coreinstances", "corestack"] {
            assert!(names.iter().any(|name| name.contains(wanted)), "{wanted} in {names:?}");
        }
        let memory = b"what was in its memory";
        assert!(bytes.windows(memory.len()).any(|part| part == memory), "its memory is there");
    }
    drop((module, host));
    assert!(dumps.recv().is_err(), "who returned or was killed leaves none");
}

#[test]
fn while_some_wait_and_when_enough_were_made_no_other_one_is_and_that_is_counted() {
    let (told, dumps) = channel();
    let (go, goes) = sync_channel::<()>(0);
    let goes = std::sync::Mutex::new(goes);
    let builder = Host::builder().isolates(8).threads(1).cache_folder(harness::cache()).on_uncaught(|_| ());
    let taken = move |dump: &insula::CoreDump| {
        told.send(dump.isolate).expect("the test waits");
        // Where the test is over, nothing is waited for.
        let _ = goes.lock().expect("no panic").recv();
    };
    let host = builder.on_core_dump(4, taken).build().expect("there is room for a small host");
    let module = host.load("traps", TEXT).expect("it is a module");
    let traps = || {
        let isolate = host.spawn(&module, Spawn::entry("traps")).expect("there is room");
        assert!(matches!(isolate.join(), Exit::Trapped { .. }));
        isolate.id()
    };
    let first = traps();
    assert_eq!(dumps.recv(), Ok(first));
    let others = [traps(), traps()];
    assert_eq!(host.skipped_core_dumps(), 0);
    traps();
    traps();
    assert_eq!(host.skipped_core_dumps(), 2, "three wait, one of them under way");
    for other in others {
        go.send(()).expect("it waits");
        assert_eq!(dumps.recv(), Ok(other));
    }
    let last = traps();
    go.send(()).expect("it waits");
    assert_eq!(dumps.recv(), Ok(last));
    traps();
    assert_eq!(host.skipped_core_dumps(), 3, "four were made");
    drop(go);
}

#[test]
fn who_met_a_limit_leaves_none() {
    let (told, dumps) = channel();
    let builder = Host::builder().isolates(2).threads(1).cache_folder(harness::cache()).on_uncaught(|_| ());
    let builder = builder.count_fuel(true).on_core_dump(9, move |dump| {
        told.send(dump.isolate).expect("the test waits");
    });
    let host = builder.build().expect("there is room for a small host");
    let module = host.load("traps", TEXT).expect("it is a module");
    let spawn = Spawn::entry("spins").limits(Limits::default().fuel(1_000));
    let exit = host.spawn(&module, spawn).expect("there is room").join();
    assert!(matches!(exit, Exit::Limit { which, .. } if which == "fuel"));
    drop((module, host));
    assert!(dumps.recv().is_err());
}
