//! How a run ends: exit codes, signals, who is killed, what is said.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use super::{Ran, output, run};
use crate::harness::{self, Folder, guest};

/// How often it is looked, half a second each time, for a run that is being compiled.
const LOOKS_MAX: usize = 60;

/// Runs a module given as text.
fn text(module: &str) -> Ran {
    let folder = Folder::new("endings");
    run([folder.file("program.wat", module)])
}

#[test]
fn the_guests_own_code() {
    assert_eq!(text(r#"(module (func (export "_start")))"#).code, Some(0));
    let exits = r#"(module
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func (export "_start") (call $exit (i32.const 3))))"#;
    let ran = text(exits);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(3), ""), "the code says it all");
}

#[test]
fn s5_5_a_trap_and_a_panic_of_main_end_the_run_with_134() {
    let ran = text(r#"(module (func $main (export "_start") unreachable))"#);
    assert_eq!(ran.code, Some(134));
    assert!(ran.stderr.contains("unreachable"), "{ran:?}");

    let ran = run([guest("main_first").as_os_str(), "panic".as_ref()]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(134), "main ends\n"), "{ran:?}");
    assert!(ran.stderr.contains("main gives up"), "{ran:?}");
}

#[test]
fn s5_5_a_main_that_was_killed_is_137() {
    let ran = run([guest("kills_itself")]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(137), "goodbye\n"), "{ran:?}");
}

#[test]
fn s5_5_a_run_goes_on_until_the_children_of_a_main_that_returned_are_done() {
    let ran = run([guest("main_first")]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "main ends\nthe child goes on\n"), "{ran:?}");
}

#[test]
fn s5_5_all_asleep_is_said_and_is_1() {
    let ran = run([guest("all_asleep")]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.stderr.contains("sleeping beauty"), "{ran:?}");
}

#[test]
fn s4_5_an_error_that_nobody_listens_for_is_one_readable_block() {
    let ran = run([guest("uncaught")]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "main is still here\n"), "{ran:?}");
    assert!(ran.stderr.contains("lonely") && ran.stderr.contains("uncaught.rs:"), "{ran:?}");
    assert_eq!(ran.stderr.matches("isolate #2").count(), 1, "{ran:?}");
    assert!(!ran.stderr.contains('\u{1b}'), "an escape of the guest's reaches the terminal: {ran:?}");
}

#[test]
fn dart_remove_error_listener_and_the_default_is_back() {
    let ran = run([guest("dart_remove_error_listener")]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "heard by the listener\n"), "{ran:?}");
    assert_eq!(ran.stderr.matches(": heard by the host\n").count(), 1, "{ran:?}");
    assert!(!ran.stderr.contains("heard by the listener"), "{ran:?}");
}

#[test]
fn a_wrong_command_line_is_2() {
    for arguments in [&["run"][..], &["run", "--no-such-flag", "x.wasm"], &["no-such-command"]] {
        let mut command = harness::insula();
        command.args(arguments);
        let ran = output(command);
        assert_eq!(ran.code, Some(2), "{ran:?}");
    }
}

#[test]
fn a_signal_asks_first() {
    asks_first("asked_to_stop", "ready");
}

#[test]
fn a_signal_asks_a_program_that_only_computes_on_the_one_thread_that_there_is() {
    asks_first("busy_until_asked", "busy");
}

#[test]
fn a_signal_ends_a_run_that_is_over_but_for_a_reader_that_stalls() {
    let folder = Folder::new("endings-stalled");
    let mut command = harness::insula();
    // More than a pipe holds, which nobody reads, and less than is kept for who does not read: the guest waits for nothing.
    command.env("XDG_RUNTIME_DIR", folder.path()).args(["run", "--grace", "10ms"]).arg(guest("prints"));
    command.arg(format!("out:{}", "x".repeat(100_000))).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("insula can be run");
    let pid = child.id().to_string();
    // Who waits for signals waits for who looks in as well.
    let look = || {
        let mut looks = harness::insula();
        looks.env("XDG_RUNTIME_DIR", folder.path()).args(["ps", &pid]);
        output(looks).code == Some(0)
    };
    let is_seen = (0..LOOKS_MAX).any(|_| look());
    let kill = Command::new("kill").args(["-s", "INT", &pid]).status();
    assert!(kill.is_ok_and(|status| status.success()), "the signal is sent");
    if !is_seen {
        child.kill().expect("it is ours");
    }
    assert_eq!((is_seen, child.wait().expect("it ends").code()), (true, Some(130)));
}

/// A signal has this program say that it was asked, once it said this.
fn asks_first(program: &str, says: &str) {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let mut command = harness::insula();
        command.arg("run").arg(guest(program)).stdout(Stdio::piped());
        let mut child = command.spawn().expect("insula can be run");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut line = || lines.next().map(|line| line.expect("insula prints UTF-8"));
        assert_eq!(line().as_deref(), Some(says));
        let kill = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
        assert!(kill.is_ok_and(|status| status.success()), "the signal is sent");
        assert_eq!(line().as_deref(), Some("asked to stop: true"));
        assert_eq!(child.wait().expect("it ends").code(), Some(code));
    }
}

#[test]
fn s5_5_a_run_that_waits_for_main_only_ends_with_it() {
    // Its child would sleep for an hour.
    let ran = run(["--wait", "main", &guest("main_first").display().to_string(), "patient"]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "main ends\n", ""), "{ran:?}");
}
