//! Faults of guests that were written with the SDK, at the call for which they were scripted.

use std::error::Error;
use std::time::Duration;

use insula::testing::{Faults, Kit};
use insula::{CallError, Exit, Killer, Output, Phase, Priority, Spawn, SpawnError, Status};

use super::{Question, SECOND, kit, limits, opened, plugin};
use crate::harness;

fn ask(plugin: &super::Plugin) -> Result<Vec<u64>, CallError> {
    plugin.call(&Question::Count(0), SECOND)
}

/// The program `prints`, which is to say this, and what becomes of it.
fn prints(kit: &Kit, says: &str, faults: Faults) -> insula::Isolate {
    let module = kit.host().load_file(harness::guest("prints")).expect("the guest is a module");
    let spawn = Spawn::main().args(["prints", says]).stdout(Output::Capture { bytes_max: 99 }).stderr(Output::Null);
    kit.host().spawn(&module, spawn.faults(faults)).expect("it is a program")
}

#[test]
fn a_trap_at_the_nth_call_becomes_the_error_of_the_call_under_way() {
    let kit = kit();
    // It sends its port, and then an answer to each question.
    let plugin = plugin(&kit, Faults::new().trap_at("ports.send", 3));
    assert_eq!(ask(&plugin), Ok(vec![1]));
    let Err(CallError::Ended(Exit::Trapped { kind, frames })) = ask(&plugin) else { panic!("it went on") };
    assert_eq!(kind, "a fault of the test's: call 3 of ports.send");
    assert!(frames.iter().any(|frame| frame.to_string().contains("serves_calls")), "{frames:?}");
    assert_eq!(ask(&plugin), Err(CallError::Ended(Exit::Trapped { kind, frames })), "all get the same");
    kit.expect_nothing_left();
}

#[test]
fn a_guest_that_meets_no_fault_is_as_any() {
    let kit = kit();
    let plugin = plugin(&kit, Faults::new());
    let failed = plugin.call(&Question::Fail("no such key".to_owned()), SECOND);
    assert!(matches!(failed, Err(CallError::Failed(error)) if error.message == "no such key"));
    assert_eq!(plugin.call(&Question::Drop, SECOND), Err(CallError::Unanswered));
    assert_eq!(ask(&plugin), Ok(vec![1]));
}

#[test]
fn a_full_mailbox_is_what_the_guest_is_told() {
    let kit = kit();
    // The SDK waits where a mailbox is full; that finds no room either.
    let plugin = plugin(&kit, Faults::new().full_at("ports.send", 2).full_at("ports.send-waiting", 1));
    match ask(&plugin) {
        Err(CallError::Failed(error)) => assert_eq!(error.message, "the answer was not sent: the mailbox is full"),
        other => panic!("{other:?}"),
    }
    kit.expect_exit(plugin.isolate(), "failed: the mailbox is full");
    let closed = super::plugin(&kit, Faults::new().status_at("ports.send", 2, Status::Closed));
    assert_eq!(ask(&closed), Err(CallError::Ended(kit.expect_exit(closed.isolate(), "failed: the port is closed"))));
}

#[test]
fn a_delay_takes_its_time_on_the_kits_clock_and_is_a_wait_for_whoever_looks() {
    let kit = kit();
    let late = plugin(&kit, Faults::new().delay_at("ports.send", 2, SECOND / 2));
    assert_eq!(kit.let_time_pass(|| ask(&late)), Ok(vec![1]));
    assert_eq!(kit.elapsed(), SECOND / 2);
    let too_late = plugin(&kit, Faults::new().delay_at("ports.send", 2, SECOND * 2));
    assert_eq!(kit.let_time_pass(|| ask(&too_late)), Err(CallError::TimedOut));
    assert_eq!(kit.elapsed(), SECOND * 3 / 2);
    let faults = Faults::new().delay_at("ports.receive", 2, SECOND * 2);
    let ended = opened(&kit, Spawn::entry("run").limits(limits().deadline(SECOND)).faults(faults));
    assert_eq!(ask(&ended), Ok(vec![1]));
    kit.advance(SECOND);
    let phase = Phase::Waiting { call: "ports.receive".to_owned() };
    assert_eq!(ended.isolate().exit(), Some(Exit::Deadline { phase }));
}

#[test]
fn a_delay_of_a_call_that_does_not_wait_by_itself_ends_with_its_isolate() {
    let kit = kit();
    let held = || opened(&kit, Spawn::entry("run").faults(Faults::new().delay_at("ports.send", 1, Duration::MAX)));
    let (killed, closed) = (held(), held());
    kit.settle();
    assert_eq!((killed.isolate().exit(), closed.isolate().exit()), (None, None));
    killed.isolate().kill(Priority::Immediate);
    kit.expect_exit(killed.isolate(), "killed by the embedder");
    let limited = limits().deadline(SECOND);
    let faults = Faults::new().delay_at("ports.send", 1, Duration::MAX);
    let overdue = opened(&kit, Spawn::entry("run").limits(limited).faults(faults));
    kit.advance(SECOND);
    kit.expect_exit(overdue.isolate(), "deadline passed ...");
    assert_eq!(kit.host().shutdown(Duration::ZERO).len(), 1);
    kit.expect_exit(closed.isolate(), "the host closed");
    kit.expect_nothing_left();
}

#[test]
fn a_kill_at_a_point_is_the_embedders() {
    let kit = kit();
    let sleeps = opened(&kit, Spawn::entry("refuses").faults(Faults::new().kill_at("clock.sleep", 1)));
    assert_eq!(ask(&sleeps), Err(CallError::Ended(Exit::Killed { by: Killer::Embedder })));
    kit.expect("#1 `refuses` born\n#1 `refuses` meets a kill at call 1 of clock.sleep\n#1 `refuses` ended: killed by the embedder");
}

#[test]
fn what_is_printed_fails_as_a_full_disk_does() {
    let kit = kit();
    let fails = prints(&kit, "line:hello", Faults::new().errno_at("wasi.fd_write", 1, 51));
    kit.expect_exit(&fails, "trapped: unreachable"); // a panic, which the SDK would have reported, and is not used here
    assert!(fails.stderr_tail().contains("No space left on device"), "{}", fails.stderr_tail());
    assert_eq!(fails.stdout().bytes, b"");
    let traps = prints(&kit, "line:hello", Faults::new().trap_at("wasi.fd_write", 1));
    kit.expect_exit(&traps, "trapped: a fault of the test's: call 1 of wasi.fd_write");
    let prints = prints(&kit, "line:hello", Faults::new().trap_at("wasi.fd_write", 2));
    kit.expect_exit(&prints, "returned");
    assert_eq!(prints.stdout().bytes, b"hello\n");
}

#[test]
fn a_fault_is_of_one_isolate_and_not_of_its_children() {
    let kit = kit();
    let parent = prints(&kit, "child", Faults::new().trap_at("wasi.fd_write", 1));
    kit.expect_exit(&parent, "returned");
    assert_eq!(parent.stdout().bytes, b"of the child\n");
}

#[test]
fn a_fault_that_can_never_happen_is_an_error_of_the_spawn() -> Result<(), Box<dyn Error>> {
    let kit = kit();
    let module = kit.host().load("empty", b"(module (func (export \"run\")))")?;
    let refused = |faults| kit.host().spawn(&module, Spawn::entry("run").faults(faults)).expect_err("it cannot happen");
    let SpawnError::Invalid(text) = refused(Faults::new().trap_at("clock.slep", 1)) else { panic!("another error") };
    assert_eq!(text, "a fault at `clock.slep`: there is no such import, but clock.now, clock.sleep");
    let SpawnError::Invalid(text) = refused(Faults::new().full_at("wasi.fd_write", 1)) else { panic!("another error") };
    assert_eq!(text, "wasi.fd_write answers no status: Faults::errno_at");
    assert_eq!(kit.record(), [""; 0], "nobody was born");
    Ok(())
}
