//! What Dart has no word for: late listeners, kills in every place, ports that nobody can reach, ends with a reason.

use std::process::{Command, Stdio};
use std::time::Duration;

use insula::{Exit, Host, Killer, Limits, Module, Phase, Priority, RemoteError, Spawn};

use super::ledger::{Entry, Told, judge};
use crate::harness::{self, Folder};
use crate::semantics::tells;

#[test]
fn beyond_late_listener() {
    tells("beyond_late_listener", &["wrong while it ends: []", "first", "late, later"]);
}

#[test]
fn s5_1_who_listens_late_hears_the_error_before_the_exit() {
    // With threads only: the death and the listener have to meet.
    let builder = Host::builder().isolates(8).threads(2).cache_folder(harness::cache());
    let host = builder.build().expect("there is room for a small host");
    let module = host.load_file(harness::guest("beyond_late_listener")).expect("the guest is a module");
    let port = host.receive_port::<String>();
    let spawn = Spawn::entry("while_it_ends").message(&port.send_port());
    let isolate = host.spawn(&module, spawn).expect("it has an entry");
    assert_eq!(port.recv().as_deref(), Ok("exits before their error: 0"));
    assert_eq!(isolate.join(), Exit::Returned);
}

#[test]
fn beyond_unreachable_port_closes() {
    let gone = ["queued at the dead: true", "dropped unread: true true", "a listener no more: true"];
    tells("beyond_unreachable", &[&gone[..], &["all the way down: true", "reachable again: true"]].concat());
}

#[test]
fn beyond_kill_parked() {
    let folder = Folder::new("parked");
    let made = Command::new("mkfifo").arg(folder.path().join("never")).status();
    assert!(made.is_ok_and(|status| status.success()), "a file that nobody writes to can be made");
    let mut command = harness::insula();
    command.arg("run").arg("--dir").arg(format!("{}::/data", folder.path().display()));
    command.arg(harness::guest("beyond_kill_parked"));
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("insula can be run");
    let stdin = child.stdin.take().expect("it is piped"); // open, and nobody types
    let output = child.wait_with_output().expect("it ends");
    drop(stdin);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(printed.lines().collect::<Vec<_>>(), ["file", "stdin", "spawn", "main lives"], "{output:?}");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

fn loaded(text: &str) -> (Host, Module) {
    let host = Host::builder().isolates(16).threads(2).build().expect("there is room for a small host");
    let module = host.load("test.wat", text.as_bytes()).expect("the text is a module");
    (host, module)
}

/// An isolate of this text is killed, many times, at once and after so many other births; its observer hears one exit.
fn killed_while_it_is_born(text: &str) {
    let (host, module) = loaded(text);
    let gone = RemoteError { message: "gone".to_owned(), stack: String::new() };
    for turn in 0..200 {
        let port = host.receive_port::<RemoteError>();
        let spawn = Spawn::entry("run").on_exit(&port.send_port(), gone.clone()).on_error(&port.send_port());
        let isolate = host.spawn(&module, spawn).expect("it has an entry");
        // Some are killed before they are on a CPU, some a little later: in whatever of their birth they are.
        (0..turn).for_each(|_| assert!(std::hint::black_box(&isolate).debug_name() == "run"));
        isolate.kill(Priority::Immediate);
        assert_eq!(isolate.join(), Exit::Killed { by: Killer::Embedder });
        let told: Vec<_> = std::iter::from_fn(|| port.recv_message().ok().map(Entry::of)).collect();
        assert_eq!(judge(&[Told::Exit("gone")], &told), Ok(()), "{told:?}");
    }
    assert_eq!(host.live(), 0);
}

#[test]
fn beyond_kill_during_birth() {
    let looping = "(loop $again (br $again))";
    killed_while_it_is_born(&format!("(module (func $start {looping}) (start $start) (func (export \"run\")))"));
    killed_while_it_is_born(&format!("(module (func (export \"_initialize\") {looping}) (func (export \"run\")))"));
    killed_while_it_is_born(&format!("(module (func (export \"run\") {looping}))"));
}

#[test]
fn beyond_kill_between_birth_and_entry() {
    let (host, module) = loaded("(module (func (export \"run\") unreachable))");
    let isolate = host.spawn(&module, Spawn::entry("run").paused(true)).expect("it has an entry");
    isolate.kill(Priority::BeforeNextEvent); // it waits for its resume: this is the end of a turn
    assert_eq!(isolate.join(), Exit::Killed { by: Killer::Embedder });
    isolate.resume_birth();
    assert_eq!(isolate.join(), Exit::Killed { by: Killer::Embedder });
}

/// Runs the export `run` of a module whose function has this body, and returns its end and what an observer heard.
fn ends(body: &str, limits: Limits) -> (Exit, Vec<Entry>) {
    let text = format!(
        "(module
            (import \"insula:isolate/clock@0.1.0\" \"sleep\" (func $sleep (param i64) (result i32)))
            (type $other (func (param i64)))
            (memory (export \"memory\") 1)
            (table 3 funcref) (elem (i32.const 1) $run)
            (func $run (export \"run\") {body}))"
    );
    let (host, module) = loaded(&text);
    let port = host.receive_port::<RemoteError>();
    let gone = RemoteError { message: "gone".to_owned(), stack: String::new() };
    let spawn = Spawn::entry("run").limits(limits).on_error(&port.send_port()).on_exit(&port.send_port(), gone.clone());
    let exit = host.spawn(&module, spawn).expect("it has an entry").join();
    (exit, std::iter::from_fn(|| port.recv_message().ok().map(Entry::of)).collect())
}

#[test]
fn beyond_trap_kinds() {
    let traps: [(&str, &str); 10] = [
        ("unreachable", "unreachable"),
        ("(drop (i32.div_u (i32.const 1) (i32.const 0)))", "integer divide by zero"),
        ("(drop (i64.div_s (i64.const 0x8000000000000000) (i64.const -1)))", "integer overflow"),
        ("(drop (i32.trunc_f64_u (f64.const nan)))", "invalid conversion to integer"),
        ("(i32.store (i32.const -1) (i32.const 0))", "out of bounds memory access"),
        ("(memory.fill (i32.const 0) (i32.const 0) (i32.const 65537))", "out of bounds memory access"),
        ("(call_indirect (i32.const 9))", "undefined element: out of bounds table access"),
        ("(call_indirect (i32.const 2))", "uninitialized element"),
        ("(call_indirect (type $other) (i64.const 0) (i32.const 1))", "indirect call type mismatch"),
        ("(call $run)", "call stack exhausted"),
    ];
    for (body, words) in traps {
        let (exit, told) = ends(body, Limits::default());
        assert!(matches!(&exit, Exit::Trapped { kind, frames } if kind == words && !frames.is_empty()), "{exit:?}");
        assert_eq!(judge(&[Told::Error(words.to_owned().leak()), Told::Exit("gone")], &told), Ok(()), "{told:?}");
    }
}

#[test]
fn beyond_limits_and_deadlines_by_their_own_words() {
    let looping = "(loop $again (br $again))";
    let told = |told: &[Entry], words: &'static str| judge(&[Told::Error(words), Told::Exit("gone")], told);
    let grows = "(if (i32.eq (memory.grow (i32.const 100)) (i32.const -1)) (then unreachable))";
    let (exit, heard) = ends(grows, Limits::default().memory(64 << 10));
    assert_eq!(exit, Exit::Limit { which: "memory".to_owned(), value: 64 << 10 });
    assert_eq!(told(&heard, "limit exceeded: memory 65536"), Ok(()));

    let (exit, heard) = ends(looping, Limits::default().cpu_time(Duration::from_millis(5)));
    assert_eq!(exit, Exit::Limit { which: "cpu-time".to_owned(), value: 5_000_000 });
    assert_eq!(told(&heard, "limit exceeded: cpu-time 5000000"), Ok(()));

    // Long enough to be in guest code by then on a busy machine.
    let soon = Limits::default().deadline(Duration::from_millis(500));
    let (exit, heard) = ends(looping, soon.clone());
    assert_eq!(exit, Exit::Deadline { phase: Phase::Guest });
    assert_eq!(told(&heard, "deadline passed in guest code"), Ok(()));
    let (exit, heard) = ends("(drop (call $sleep (i64.const -1)))", soon);
    assert_eq!(exit, Exit::Deadline { phase: Phase::Waiting { call: "clock.sleep".to_owned() } });
    assert_eq!(told(&heard, "deadline passed while waiting in clock.sleep"), Ok(()));
}
