//! Many isolates at once: nobody is lost, and the host lives.

mod siblings;

use insula::{Exit, Host, Isolate, Killer, Priority, Spawn, SpawnError};

use crate::harness;

/// In a process of its own: all hosts of one process share what the kernel has room for.
#[test]
fn ten_thousand_wait_and_each_answers() {
    let mut command = harness::insula();
    command.args(["run", "--isolates", "10000"]).arg(harness::guest("ten_thousand"));
    let output = command.output().expect("insula can be run");
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = told.lines().collect();
    let [wait, refused, answer, lives] = &lines[..] else { panic!("{told}{errors}") };
    assert_eq!([*wait, *answer, *lives], ["9999 wait", "9999 answer", "the host lives"], "{told}{errors}");
    assert!(refused.starts_with("one more: ") && refused.contains("10000"), "{told}");
    assert_eq!(output.status.code(), Some(0), "{told}{errors}");
}

/// Idle isolates of an embedder's, under the kernel's default settings.
const IDLE: u32 = 10_000;

#[test]
fn an_embedder_has_ten_thousand_that_wait_and_one_more_is_a_typed_error() {
    harness::apart(module_path!(), "an_embedder_has_ten_thousand_that_wait_and_one_more_is_a_typed_error", || {
        let text = r#"(module
            (import "insula:isolate/clock@0.1.0" "sleep" (func $sleep (param i64) (result i32)))
            (func (export "waits") (drop (call $sleep (i64.const -1)))))"#;
        let host = Host::builder().isolates(IDLE).build().expect("a stock kernel has room for so many");
        let module = host.load("waits", text.as_bytes()).expect("the text is a module");
        let spawn = || host.spawn(&module, Spawn::entry("waits"));
        let mut idle: Vec<Isolate> = (0..IDLE).map(|_| spawn().expect("there is room")).collect();
        let full = SpawnError::TooManyIsolates { max: IDLE };
        for number in [0, idle.len() / 2, idle.len() - 1] {
            assert_eq!(spawn().map(drop), Err(full.clone()), "one more");
            idle[number].kill(Priority::Immediate);
            assert_eq!(idle[number].join(), Exit::Killed { by: Killer::Embedder });
            idle[number] = spawn().expect("there is the room of the one that ended");
        }
        assert_eq!((host.live(), spawn().map(drop)), (idle.len(), Err(full)));
        assert!(idle.iter().all(|isolate| isolate.exit().is_none()), "somebody was lost");
    });
}
