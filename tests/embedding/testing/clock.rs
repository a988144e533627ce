//! A clock that goes by steps: no test waits for it, and all that waits for time waits for it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use insula::testing::{Faults, Kit, Script};
use insula::{CallError, Caller, Exit, Host, Phase, Priority, RecvError, Service, Spawn};

use super::{Question, SECOND, kit, limits, opened, plugin};

const NANOSECOND: Duration = Duration::from_nanos(1);

fn script(kit: &Kit, script: &Script) -> Service<u32, u32> {
    let module = script.load(kit.host(), "script").expect("it is a module");
    kit.host().open(&module, Spawn::entry(Script::ENTRY)).expect("it has the entry")
}

#[test]
fn a_deadline_comes_when_the_clock_does_and_not_before() {
    let kit = kit();
    let sleeps = opened(&kit, Spawn::entry("refuses").limits(limits().deadline(SECOND)));
    kit.advance(SECOND - NANOSECOND);
    assert_eq!(sleeps.isolate().exit(), None);
    kit.advance(NANOSECOND);
    let phase = Phase::Waiting { call: "clock.sleep".to_owned() };
    assert_eq!(sleeps.isolate().exit(), Some(Exit::Deadline { phase }));
    kit.expect("#1 `refuses` born\nat 1s\n#1 `refuses` ended: deadline passed while waiting in clock.sleep\n#1 `refuses` uncaught: deadline passed while waiting in clock.sleep");
}

#[test]
fn a_sleep_of_an_hour_is_over_when_the_clock_is_stepped_by_one() {
    let kit = kit();
    let sleeps = opened(&kit, Spawn::entry("refuses"));
    kit.settle();
    assert_eq!((sleeps.isolate().exit(), kit.elapsed()), (None, Duration::ZERO));
    kit.advance(Duration::from_secs(3_600));
    kit.expect_exit(sleeps.isolate(), "returned");
}

#[test]
fn each_step_of_time_has_all_that_follows_from_it_before_the_next_one() {
    let kit = kit();
    let text = r#"(module
        (import "insula:isolate/clock@0.1.0" "now" (func $now (result i64)))
        (import "insula:isolate/clock@0.1.0" "sleep" (func $sleep (param i64) (result i32)))
        (func (export "run") (local $left i32)
            (local.set $left (i32.const 3))
            (loop $again
                (drop (call $sleep (i64.add (call $now) (i64.const 1000000000))))
                (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))))"#;
    let module = kit.host().load("naps", text.as_bytes()).expect("it is a module");
    kit.host().spawn(&module, Spawn::entry("run")).expect("it has the entry");
    kit.advance(SECOND * 10);
    kit.expect("#1 `run` born\nat 1s\nat 2s\nat 3s\n#1 `run` ended: returned");
    assert_eq!(kit.elapsed(), SECOND * 10);
}

#[test]
fn a_call_that_blocks_on_another_thread_times_out_when_the_clock_is_stepped() {
    let kit = kit();
    let late = plugin(&kit, Faults::new().delay_at("ports.send", 2, SECOND * 3_600));
    let answer = std::thread::scope(|scope| {
        let asked = scope.spawn(|| late.call(&Question::Count(0), SECOND));
        // The question is there, so its time has begun.
        while !kit.record().iter().any(|line| line.contains("meets a delay")) {
            std::thread::yield_now();
        }
        assert!(!asked.is_finished());
        kit.advance(SECOND);
        asked.join().expect("it does not panic")
    });
    assert_eq!(answer, Err(CallError::TimedOut));
}

#[test]
fn whatever_blocks_or_awaits_has_its_time_up_where_time_passes() {
    let kit = kit();
    let silent = script(&kit, &Script::new().wait());
    assert_eq!(kit.let_time_pass(|| silent.call(&1, SECOND)), Err(CallError::TimedOut));
    assert_eq!(kit.block_on(silent.call_async(&1, SECOND)), Err(CallError::TimedOut));
    assert_eq!(kit.let_time_pass(|| silent.isolate().join_timeout(SECOND)), None);
    let port = kit.host().receive_port::<u32>();
    let _sender = port.send_port();
    assert!(matches!(kit.let_time_pass(|| port.recv_timeout(SECOND)), Err(RecvError::TimedOut)));
    assert_eq!(kit.elapsed(), SECOND * 4);
    let exit = kit.let_time_pass(|| silent.isolate().stop(SECOND));
    assert_eq!(
        (exit.map(|exit| exit.to_string()), kit.elapsed()),
        (Some("killed by the embedder".to_owned()), SECOND * 5)
    );
    let loops = opened(&kit, Spawn::entry("refuses"));
    assert_eq!(kit.let_time_pass(|| kit.host().shutdown(SECOND)).len(), 1);
    assert_eq!((loops.isolate().exit(), kit.elapsed()), (Some(Exit::HostClosed), SECOND * 6));
}

#[test]
#[should_panic(expected = "which stands still, and all isolates are at rest: wait within `Kit::let_time_pass`")]
fn a_wait_for_a_clock_that_nobody_steps_says_so() {
    let kit = Kit::patient(Host::builder().isolates(1), Duration::from_millis(10));
    drop(script(&kit, &Script::new().wait()).call(&1, SECOND));
}

#[test]
#[should_panic(expected = "something that does not come")]
fn a_wait_for_what_never_comes_says_so() {
    let kit = Kit::patient(Host::builder().isolates(1), Duration::from_millis(10));
    let silent = script(&kit, &Script::new());
    kit.let_time_pass(|| drop(silent.isolate().join()));
}

#[test]
#[should_panic(expected = "the isolates do not come to rest:\n  isolate #1 `run`, which ")]
fn isolates_that_never_rest_are_named() {
    let kit = Kit::patient(Host::builder().isolates(1), Duration::from_millis(20));
    let text = r#"(module (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
        (memory (export "memory") 1)
        (func (export "run") (loop (drop (call $yield)) (br 0))))"#;
    let module = kit.host().load("yields", text.as_bytes()).expect("it is a module");
    kit.host().spawn(&module, Spawn::entry("run")).expect("it has the entry");
    kit.settle();
}

#[test]
fn a_host_that_is_closed_in_the_midst_of_it_is_at_rest() {
    let kit = kit();
    let silent = script(&kit, &Script::new().wait());
    silent.tell(&1, SECOND).expect("it serves");
    kit.settle();
    assert_eq!(kit.host().shutdown(Duration::ZERO).len(), 1);
    kit.advance(SECOND);
    let exit = kit.expect_exit(silent.isolate(), "the host closed");
    assert_eq!(kit.block_on(silent.call_async(&1, SECOND)), Err(CallError::Ended(exit)));
    kit.expect_nothing_left();
}

/// Restarts a plugin as often as it fails, a second after it did.
fn supervised(kit: &Kit, script: &Script) -> Vec<String> {
    let module = script.load(kit.host(), "script").expect("it is a module");
    let mut ended = Vec::new();
    loop {
        let plugin = kit.host().open::<u32, u32>(&module, Spawn::entry(Script::ENTRY)).expect("it has the entry");
        match plugin.call(&1, SECOND) {
            Err(CallError::Ended(exit)) if ended.len() < 2 => ended.push(exit.to_string()),
            _ => return ended,
        }
        let nobody = kit.host().receive_port::<u32>();
        let _sender = nobody.send_port();
        nobody.recv_timeout(SECOND).expect_err("nobody sends");
    }
}

#[test]
fn a_loop_that_restarts_with_a_pause_needs_no_time() {
    let kit = kit();
    let ended = kit.let_time_pass(|| supervised(&kit, &Script::new().trap()));
    assert_eq!((ended.len(), kit.elapsed()), (2, SECOND * 2));
    kit.expect(
        "#1 `serve` born
         #1 `serve` ended: trapped: unreachable
         #1 `serve` uncaught: unreachable
         at 1s
         #2 `serve` born
         #2 `serve` ended: trapped: unreachable
         #2 `serve` uncaught: unreachable
         at 2s
         #3 `serve` born
         #3 `serve` ended: trapped: unreachable
         #3 `serve` uncaught: unreachable",
    );
}

#[test]
fn one_that_loops_holds_up_nobody_and_meets_its_deadline() {
    let kit = Kit::patient(Host::builder().isolates(2), Duration::from_millis(200));
    let loops = script(&kit, &Script::new().hang());
    let limited = opened(&kit, Spawn::entry("run").limits(limits().deadline(SECOND * 9)));
    loops.tell(&1, SECOND).expect("it serves");
    limited.tell(&Question::Loop, SECOND).expect("it serves");
    kit.settle();
    assert_eq!((loops.isolate().exit(), limited.isolate().exit()), (None, None));
    kit.advance(SECOND * 9);
    kit.expect_exit(limited.isolate(), "deadline passed in guest code");
    let third = script(&kit, &Script::new().answer(&3_u32));
    assert_eq!(third.call(&1, SECOND), Ok(3), "beside the one that loops");
    loops.isolate().kill(Priority::Immediate);
    drop(third);
    kit.expect_nothing_left();
}

#[test]
fn what_the_embedder_runs_for_an_isolate_is_over_when_all_is_settled() {
    let kit = kit();
    let told = Arc::new(Mutex::new(Vec::new()));
    let says = |told: &Arc<Mutex<Vec<String>>>, text: String| told.lock().expect("no panic").push(text);
    let called = Arc::clone(&told);
    let double = kit.host().function("double", move |caller: &Caller, number: u64| {
        says(&called, format!("{} doubles {number}", caller.id()));
        Ok::<u64, String>(number * 2)
    });
    let module = kit.host().load_file(crate::harness::guest("calls_host")).expect("the guest is a module");
    let spawn = Spawn::entry("run").function(&double.expect("there are threads"));
    let plugin = kit.host().open::<(u32, u64), String>(&module, spawn).expect("it has an entry");
    for number in [1, 2] {
        plugin.tell(&(0, number), SECOND).expect("it serves"); // the order to double, as the guest has it
    }
    let ended = Arc::clone(&told);
    plugin.isolate().on_end(move |exit| says(&ended, exit.to_string()));
    kit.settle();
    assert_eq!(*told.lock().expect("no panic"), ["#1 doubles 1", "#1 doubles 2"]);
    plugin.isolate().kill(Priority::Immediate);
    kit.settle();
    assert_eq!(told.lock().expect("no panic")[2..], ["killed by the embedder"]);
}

#[test]
fn a_program_that_sleeps_is_run_to_its_end_where_time_passes() {
    let kit = kit();
    let text = r#"(module (import "insula:isolate/clock@0.1.0" "sleep" (func $sleep (param i64) (result i32)))
        (memory (export "memory") 1)
        (func (export "_start") (drop (call $sleep (i64.const 3600000000000)))))"#;
    let module = kit.host().load("sleeps", text.as_bytes()).expect("it is a module");
    let ended = kit.let_time_pass(|| kit.host().run(&module, Spawn::main())).expect("it is a program");
    assert_eq!((ended.main, kit.elapsed()), (Exit::Returned, SECOND * 3_600));
}

#[test]
fn time_of_day_and_chance_are_the_kits() {
    let text = r#"(module
        (import "wasi_snapshot_preview1" "clock_time_get" (func $time (param i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\08\00\00\00\10\00\00\00")
        (func (export "run")
            (drop (call $time (i32.const 0) (i64.const 1) (i32.const 8)))
            (drop (call $random (i32.const 16) (i32.const 8)))
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64)))))"#;
    let said = |seed| {
        let kit = super::seeded(seed);
        kit.advance(SECOND);
        let module = kit.host().load("asks", text.as_bytes()).expect("it is a module");
        let spawn = Spawn::entry("run").stdout(insula::Output::Capture { bytes_max: 99 });
        let isolate = kit.host().spawn(&module, spawn).expect("it has the entry");
        kit.expect_exit(&isolate, "returned");
        isolate.stdout().bytes
    };
    let (one, again, two) = (said(1), said(1), said(2));
    assert_eq!(one, again);
    assert_eq!(one[..8], 1_000_000_001_000_000_000_u64.to_le_bytes());
    assert_ne!(one[8..], two[8..]);
}
