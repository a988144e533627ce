//! What happened, in the same order for the same seed; and what is said where it is not what was expected.

use std::panic::{AssertUnwindSafe, catch_unwind};

use insula::testing::{Faults, Kit};
use insula::{Priority, Spawn, Wait};

use super::{Question, SECOND, kit, plugin, seeded};
use crate::harness;

/// Plugins that are all there before the first one runs, and end as it comes.
fn ends(seed: u64) -> Vec<String> {
    let kit = seeded(seed);
    let module = kit.host().load("ends", b"(module (func (export \"run\")))").expect("it is a module");
    for number in 0..6 {
        let spawn = Spawn::entry("run").debug_name(number.to_string());
        kit.host().spawn(&module, spawn).expect("it has the entry");
    }
    kit.settle();
    kit.record()
}

#[test]
fn the_same_seed_is_the_same_record_and_another_one_may_be_another() {
    for seed in 0..20 {
        assert_eq!(ends(seed), ends(seed));
    }
    let first = ends(0);
    assert!((1..20).any(|seed| ends(seed) != first), "no seed changes anything: {first:?}");
    assert_eq!(first[..6], (1..=6).map(|id| format!("#{id} `{}` born", id - 1)).collect::<Vec<_>>());
}

#[test]
fn a_program_of_many_isolates_is_the_same_each_time() {
    let run = |seed| {
        let kit = seeded(seed);
        let module = kit.host().load_file(harness::guest("first_program")).expect("the guest is a module");
        let ended = kit.host().run_until(&module, Spawn::main().stdout(insula::Output::Null), Wait::All);
        assert!(ended.expect("it is a program").main.is_ok());
        kit.record()
    };
    let record = run(3);
    assert_eq!(record, run(3));
    assert!(record.iter().any(|line| line.ends_with("born of #1")), "{record:?}");
}

#[test]
fn births_faults_errors_and_ends_are_in_it_with_what_the_test_notes() {
    let kit = kit();
    let plugin = plugin(&kit, Faults::new().status_at("ports.send", 2, insula::Status::TooLarge));
    drop(plugin.call(&Question::Count(0), SECOND));
    kit.note("the call is over");
    plugin.isolate().kill(Priority::Immediate);
    kit.expect(
        "#1 `run` born
         #1 `run` meets the status TooLarge at call 2 of ports.send
         #1 `run` ended: failed: ...
         #1 `run` uncaught: ...
         the call is over",
    );
}

/// What a test is told that fails so.
fn told(fails: impl FnOnce(&Kit), kit: &Kit) -> String {
    let panic = catch_unwind(AssertUnwindSafe(|| fails(kit))).expect_err("it was to fail");
    panic.downcast_ref::<String>().cloned().expect("a text with values")
}

#[test]
fn a_guest_that_panics_is_shown_with_its_frames_and_its_last_words() {
    let kit = kit();
    let plugin = plugin(&kit, Faults::new());
    drop(plugin.call(&Question::Panic("no such key".to_owned()), SECOND));
    let text = told(|kit| drop(kit.expect_exit(plugin.isolate(), "returned")), &kit);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], ["isolate #1 `run` ended otherwise", "  expected: returned"]);
    assert!(lines[2].starts_with("  found:    panicked at ") && lines[2].ends_with(": no such key"), "{text}");
    assert_eq!(lines[3], "  frames:");
    assert!(lines.iter().any(|line| line.contains("serves_calls::")), "{text}");
    kit.expect_exit(plugin.isolate(), "panicked at ...serves_calls.rs:...: no such key");
}

#[test]
fn what_a_guest_keeps_is_left_and_is_said_to_be() {
    let kit = kit();
    let plugin = plugin(&kit, Faults::new());
    let kept = plugin.stream(&Question::Keep, SECOND).expect("it serves");
    let text = told(Kit::expect_nothing_left, &kit);
    assert!(text.starts_with("something is left:\n  isolate #1 `run`, which waits in ports.receive, "), "{text}");
    assert!(text.ends_with(" handles"), "{text}");
    drop((plugin, kept));
    kit.expect_nothing_left();
}
