//! Birth, errors and ends, as Dart's suites pin them.

use std::sync::mpsc;

use insula::{Exit, Host, LoadError, Spawn, SpawnError};

use crate::harness;
use crate::semantics::{tells, tells_at};

#[test]
fn dart_exit_at_spawn() {
    tells("dart_exit_at_spawn", &["[1, 2, 3]", "no other comes: true"]);
}

#[test]
fn dart_error_at_spawn() {
    tells("dart_error_at_spawn", &["(20, 20, 20)"]);
}

#[test]
fn dart_handle_error() {
    let works = ["no 1 here", "it works: 2", "no 3 here", "it works: 4", "it ended by itself"];
    tells("dart_handle_error", &works);
}

#[test]
fn dart_remove_error_listener() {
    let (sender, uncaught) = mpsc::channel();
    let told = move |uncaught: &insula::Uncaught| sender.send(uncaught.error.message.clone()).expect("the test waits");
    let builder = Host::builder().isolates(4).threads(2).cache_folder(harness::cache()).on_uncaught(told);
    let host = builder.build().expect("there is room for a small host");
    let module = host.load_file(harness::guest("dart_remove_error_listener")).expect("the guest is a module");
    let port = host.receive_port::<String>();
    let spawn = Spawn::entry("run").message(&port.send_port());
    let isolate = host.spawn(&module, spawn).expect("it has an entry");
    assert_eq!(port.recv().as_deref(), Ok("heard by the listener"));
    assert_eq!(port.recv().as_deref(), Ok("heard by the listener too: false"));
    assert_eq!(isolate.join(), Exit::Returned);
    drop((host, isolate, module, port)); // all that was to be told is told
    assert_eq!(uncaught.iter().collect::<Vec<_>>(), ["heard by the host"]);
}

#[test]
fn dart_throwing_hook() {
    tells_at("dart_hooks", "throwing", &["it ended", "there is a text: true"]);
}

#[test]
fn dart_exiting_hook() {
    tells_at("dart_hooks", "exiting", &["said by the hook", "it ended", "an error was told: false"]);
}

#[test]
fn dart_broken_module() {
    let host = Host::builder().isolates(1).threads(1).build().expect("there is room for a small host");
    let folder = harness::Folder::new("broken");
    let contents: [(&str, &[u8]); 4] = [
        ("bytes.wasm", b"this is no module"),
        ("truncated.wasm", b"\0asm\x01\0\0\0\x01\x85\x80"),
        ("component.wasm", b"\0asm\x0d\0\x01\0"),
        ("code.cwasm", b"\x7fELF\x02\x01\x01 of another version"),
    ];
    for (name, content) in contents {
        let error = host.load_file(folder.file(name, content)).map(|_| ()).expect_err("it cannot be run");
        assert!(error.to_string().contains(name), "{name} is not named: {error}");
    }
    let missing = host.load_file(folder.path().join("missing.wasm")).map(|_| ());
    assert!(matches!(missing, Err(LoadError::Io { ref name, .. }) if name.ends_with("missing.wasm")), "{missing:?}");
    let library = host.load("library.wat", b"(module (func (export \"other\")))").expect("it is a module");
    let refused = host.spawn(&library, Spawn::main()).map(|_| ());
    let (module, entry) = ("library.wat".to_owned(), "_start".to_owned());
    assert_eq!(refused, Err(SpawnError::NoEntry { module, entry }));
    assert_eq!(host.live(), 0, "something was born");
}

#[test]
fn dart_isolate_run() {
    let values = ["4", "Err(TooLarge { asked: 11, allowed: 10 })", "theirs [2, 2], here 100"];
    let ended = "the isolate ended without a result";
    tells("dart_isolate_run", &[&values[..], &["panic: true", ended, ended, ended]].concat());
}

#[test]
fn dart_isolate_current() {
    let same = ["after a trip to myself: true", "as the child sees it: true", "as the child sent it: true"];
    tells("dart_isolate_current", &[&same[..], &["part for part: true, and not mine: true"]].concat());
}

#[test]
fn dart_ondone() {
    tells("dart_ondone", &["[1, 2, 3, 99]", "another hears its own: [96]", "removed: true"]);
}

#[test]
fn dart_errors_fan_out() {
    tells("dart_errors_fan_out", &["[\"first\", \"second\"]", "[\"first\", \"second\"]", "[]", "[]"]);
}

#[test]
fn dart_active_passive() {
    let entry = ["the entry fails", "the timer fires", "it lives"];
    tells("dart_active_passive", &[&entry[..], &["the listener fails", "heard 7, the end"]].concat());
}

#[test]
fn dart_exit_after_last_throw() {
    let ends = ["the entry", "the timer", "the listener"].map(|who| format!("{who}, last of all, and it ended"));
    tells("dart_exit_after_last_throw", &[&*ends[0], &*ends[1], &*ends[2]]);
}

#[test]
fn dart_error_listener_after_error() {
    tells_at("dart_corners", "error_listener_after_error", &["first", "second", "second"]);
}

#[test]
fn dart_exit_listener_of_ones_own() {
    tells_at("dart_corners", "own_exit_listener", &["to another"]);
}

#[test]
fn dart_functions_as_entries() {
    tells_at("dart_corners", "entries", &["generic 7", "generic text", "associated", "closure"]);
}

#[test]
fn dart_handle_passed_on() {
    tells_at("dart_corners", "passed_on", &["the child ended", "grandchild ended"]);
}
