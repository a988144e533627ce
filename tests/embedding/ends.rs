//! Every way to end, seen by an embedder as an `Exit` with fields.

use std::time::Duration;

use insula::{Exit, Host, Killer, Limits, Module, Phase, Priority, Spawn};

/// A host for a test, and a module of this text.
pub(super) fn loaded(text: &str) -> (Host, Module) {
    let host = Host::builder().isolates(16).threads(2).build().expect("there is room for a small host");
    let module = host.load("test.wat", text.as_bytes()).expect("the text is a module");
    (host, module)
}

/// Runs the export `run` of a module whose function has this body, under these limits.
fn ends(body: &str, limits: Limits) -> Exit {
    let text = format!("(module (memory (export \"memory\") 1) (table 1 funcref) (func $run (export \"run\") {body}))");
    let (host, module) = loaded(&text);
    let spawn = Spawn::entry("run").limits(limits);
    host.spawn(&module, spawn).expect("the module has an entry `run`").join()
}

fn trap(body: &str) -> String {
    match ends(body, Limits::default()) {
        Exit::Trapped { kind, frames } => {
            assert_eq!(frames.first().and_then(|frame| frame.function.as_deref()), Some("run"), "{kind}");
            kind
        }
        other => panic!("{body} ended so: {other:?}"),
    }
}

#[test]
fn s7_1_every_trap_has_its_own_words() {
    assert!(trap("unreachable").contains("unreachable"));
    assert!(trap("(drop (i32.div_s (i32.const 1) (i32.const 0)))").contains("divide by zero"));
    assert!(trap("(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))").contains("overflow"));
    assert!(trap("(drop (i32.trunc_f32_s (f32.const nan)))").contains("integer"));
    assert!(trap("(drop (i32.load (i32.const -4)))").contains("out of bounds memory access"));
    assert!(trap("(call_indirect (i32.const 9))").contains("out of bounds"));
    assert!(trap("(call_indirect (i32.const 0))").contains("uninitialized"));
    assert!(trap("(call $run)").contains("call stack exhausted"));
}

#[test]
fn s9_limits_end_the_guilty_by_name() {
    let looping = "(loop $again (br $again))";
    let cpu = ends(looping, Limits::default().cpu_time(Duration::from_millis(20)));
    assert!(matches!(cpu, Exit::Limit { ref which, .. } if which.contains("cpu")), "{cpu:?}");
    // Long enough to be in guest code by then on a busy machine.
    let deadline = ends(looping, Limits::default().deadline(Duration::from_millis(500)));
    assert_eq!(deadline, Exit::Deadline { phase: Phase::Guest });
}

/// A module that sleeps for an hour.
const SLEEPS: &str = r#"(module
    (import "insula:isolate/clock@0.1.0" "now" (func $now (result i64)))
    (import "insula:isolate/clock@0.1.0" "sleep" (func $sleep (param i64) (result i32)))
    (func (export "run") (drop (call $sleep (i64.add (call $now) (i64.const 3600000000000))))))"#;

#[test]
fn s9_1_a_run_deadline_leaves_out_the_time_that_is_paused() {
    let (host, module) = loaded(SLEEPS);
    let spawn = |nanos| Spawn::entry("run").limits(Limits::default().run_deadline(Duration::from_nanos(nanos)));
    let paused = host.spawn(&module, spawn(200_000_000).paused(true)).expect("there is room");
    let asleep = host.spawn(&module, spawn(300_000_000)).expect("there is room");
    let stopped = host.spawn(&module, spawn(3_600_000_000_000)).expect("there is room");
    let token = stopped.pause();
    assert_eq!(asleep.join(), Exit::Deadline { phase: Phase::Waiting { call: "clock.sleep".to_owned() } });
    assert_eq!((paused.exit(), stopped.exit()), (None, None), "who is paused loses no time");
    paused.resume_birth();
    assert!(matches!(paused.join(), Exit::Deadline { .. }));
    stopped.resume(&token);
    stopped.kill(Priority::Immediate);
    assert_eq!(stopped.join(), Exit::Killed { by: Killer::Embedder });
}

#[test]
fn s9_a_host_has_so_much_memory_for_all_together() {
    let host = Host::builder().isolates(8).total_memory_max(3 << 16).build().expect("there is room");
    let text = SLEEPS.replace("(func (export", "(memory (export \"memory\") 1) (func (export");
    let module = host.load("sleeps.wat", text.as_bytes()).expect("the text is a module");
    let three = [(); 3].map(|()| host.spawn(&module, Spawn::entry("run")).expect("there is room"));
    let port = host.receive_port::<()>();
    // Of those that ask for the last of it one is refused, whichever comes last.
    let spawn = Spawn::entry("run").on_exit(&port.send_port(), ());
    let fourth = host.spawn(&module, spawn).expect("the limit is met when it starts");
    let refused = |isolate: &insula::Isolate| matches!(isolate.exit(), Some(Exit::Limit { ref which, value }) if which == "tree-memory" && value == 3 << 16);
    while !three.iter().chain([&fourth]).any(refused) {
        std::thread::yield_now();
    }
    assert_eq!(host.live(), 3);
}

#[test]
fn s7_4_memory_beyond_the_limit_is_refused_in_the_guest() {
    let grows = "(if (i32.ne (memory.grow (i32.const 100)) (i32.const -1)) (then unreachable))";
    assert_eq!(ends(grows, Limits::default().memory(64 << 10)), Exit::Returned);
    let gives_up = "(if (i32.eq (memory.grow (i32.const 100)) (i32.const -1)) (then unreachable))";
    let exit = ends(gives_up, Limits::default().memory(64 << 10));
    assert!(matches!(exit, Exit::Limit { ref which, .. } if which.contains("memory")), "{exit:?}");
}

#[test]
fn s2_3_a_start_function_that_loops_or_traps_ends_like_any_other() {
    let start = |body: &str| format!("(module (func $start {body}) (start $start) (func (export \"run\")))");
    let (host, module) = loaded(&start("(loop $again (br $again))"));
    let isolate = host.spawn(&module, Spawn::entry("run")).expect("it is born before it starts");
    isolate.kill(Priority::Immediate);
    assert_eq!(isolate.join(), Exit::Killed { by: Killer::Embedder });

    let (host, module) = loaded(&start("unreachable"));
    let exit = host.spawn(&module, Spawn::entry("run")).expect("it is born before it starts").join();
    assert!(matches!(exit, Exit::StartFailed { .. }), "{exit:?}");
}

#[test]
fn killed_and_closed() {
    let (host, module) = loaded("(module (func (export \"run\") (loop $again (br $again))))");
    let killed = host.spawn(&module, Spawn::entry("run")).expect("it has an entry");
    killed.kill(Priority::Immediate);
    killed.kill(Priority::Immediate);
    assert_eq!(killed.join(), Exit::Killed { by: Killer::Embedder });
    let left = host.spawn(&module, Spawn::entry("run")).expect("it has an entry");
    let exits = host.shutdown(Duration::ZERO);
    assert_eq!(exits, [(left.id(), Exit::HostClosed)]);
    assert_eq!((left.join(), host.live()), (Exit::HostClosed, 0));
}
