//! Where an isolate is, asked from outside: wherever it is it answers, or it is said why not, and its guest sees nothing.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use insula::{
    Doing, Exit, Grant, Host, Isolate, Limits, MailboxPolicy, Module, Priority, ReceivePort, SendPort, Spawn, Stack,
    StackError, Value,
};

use crate::harness::{self, Folder};

/// Longer than anything here takes: none of it passes.
const LONG: Duration = Duration::from_secs(120);

/// How long is waited for an answer that cannot come.
const SHORT: Duration = Duration::from_millis(50);

/// Looks until there is what soon will be.
fn soon<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    while begun.elapsed() < LONG {
        if let Some(found) = look() {
            return found;
        }
        std::thread::yield_now();
    }
    panic!("it does not come to {what}")
}

/// Isolates in all places where one can be found.
const TEXT: &str = r#"(module
    (import "insula:isolate/ports@0.1.0" "open" (func $open (param i64 i32 i32) (result i32)))
    (import "insula:isolate/ports@0.1.0" "sender" (func $sender (param i32 i32) (result i32)))
    (import "insula:isolate/ports@0.1.0" "receive"
        (func $receive (param i32 i64 i32 i32 i32 i32 i32) (result i32)))
    (import "insula:isolate/isolates@0.1.0" "current" (func $current (param i32) (result i32)))
    (import "insula:isolate/control@0.1.0" "add-exit-listener"
        (func $on_exit (param i32 i32 i64 i32) (result i32)))
    (import "insula:isolate/clock@0.1.0" "now" (func $now (result i64)))
    (import "insula:isolate/clock@0.1.0" "sleep" (func $sleep (param i64) (result i32)))
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func $spin (loop $again (br $again)))
    (func $spins (export "spins") (call $spin))
    (func $down (param $left i32)
        (if (local.get $left)
            (then (call $down (i32.sub (local.get $left) (i32.const 1))))
            (else (call $spin))))
    (func $recurses (export "recurses") (call $down (i32.const 5000)))
    (func $wait (drop (call $sleep (i64.const -1))))
    (func $sleeps (export "sleeps") (call $wait))
    (func $naps (export "naps") (drop (call $sleep (i64.add (call $now) (i64.const 200000000)))))
    (func $receives (export "receives")
        (drop (call $open (i64.const 0) (i32.const 0) (i32.const 0)))
        (drop (call $sender (i32.load (i32.const 0)) (i32.const 8)))
        ;; Whoever is to be told something can still be sent to. 256 holds an empty payload.
        (drop (call $current (i32.const 16)))
        (drop (call $on_exit (i32.load (i32.const 16)) (i32.load (i32.const 8)) (i64.const 0) (i32.const 256)))
        (drop (call $receive (i32.load (i32.const 0)) (i64.const -1) (i32.const 64) (i32.const 0) (i32.const 64)
            (i32.const 0) (i32.const 128))))
    ;; A relative clock of an hour.
    (func $polls (export "polls")
        (i32.store8 (i32.const 264) (i32.const 0))
        (i32.store (i32.const 272) (i32.const 1))
        (i64.store (i32.const 280) (i64.const 3600000000000))
        (drop (call $poll (i32.const 256) (i32.const 512) (i32.const 1) (i32.const 768)))))"#;

fn host() -> Host {
    let builder = Host::builder().isolates(16).threads(2).cache_folder(harness::cache()).on_uncaught(|_| ());
    builder.build().expect("there is room for a small host")
}

fn module(host: &Host) -> Module {
    host.load("places", TEXT.as_bytes()).expect("the text is a module")
}

fn spawned(host: &Host, entry: &str) -> Isolate {
    host.spawn(&module(host), Spawn::entry(entry)).expect("it has that entry")
}

/// Its stack, once it does this.
fn stack(isolate: &Isolate, doing: Doing) -> Stack {
    let looks = || Some(isolate.stack(LONG).expect("it lives")).filter(|stack| stack.doing == doing);
    soon(&format!("{doing:?}"), looks)
}

fn names(stack: &Stack) -> Vec<&str> {
    stack.frames.iter().map(|frame| frame.function.as_deref().unwrap_or("")).collect()
}

fn waits(call: &'static str) -> Doing {
    Doing::Waits { call: Some(call) }
}

#[test]
fn one_that_runs_is_found_in_its_code_and_runs_on() {
    let host = host();
    let isolate = spawned(&host, "spins");
    // The first time it may be at the very beginning.
    soon("its loop", || (isolate.stack(LONG).expect("it lives").frames.len() == 2).then_some(()));
    for _ in 0..100 {
        let stack = isolate.stack(LONG).expect("it lives");
        assert_eq!((stack.doing, names(&stack), stack.isolate), (Doing::Runs, vec!["spin", "spins"], isolate.id()));
        assert_eq!(stack.module, module(&host));
        assert!(stack.frames.iter().all(|frame| frame.offset > 0));
    }
    assert_eq!(isolate.exit(), None);
    // More of them than have a CPU: each has its turn.
    let others = [(); 6].map(|()| spawned(&host, "spins"));
    for isolate in &others {
        let looks = || Some(isolate.stack(LONG).expect("it lives")).filter(|stack| names(stack) == ["spin", "spins"]);
        soon("its loop", looks);
    }
}

#[test]
fn of_a_deep_recursion_the_innermost_frames_are_told() {
    let host = host();
    let isolate = spawned(&host, "recurses");
    let looks = || Some(isolate.stack(LONG).expect("it lives")).filter(|stack| names(stack)[0] == "spin");
    let stack = soon("the ground", looks);
    assert_eq!((stack.frames.len(), &names(&stack)[1..]), (20, &["down"; 19][..]));
}

#[test]
fn one_that_waits_is_found_in_its_wait() {
    let host = host();
    for (entry, call, inner) in [
        ("sleeps", "clock.sleep", vec!["wait", "sleeps"]),
        ("receives", "ports.receive", vec!["receives"]),
        ("polls", "wasi.poll_oneoff", vec!["polls"]),
    ] {
        let isolate = spawned(&host, entry);
        assert_eq!(names(&stack(&isolate, waits(call))), inner);
        // To answer, it was awake for a moment.
        soon("its wait", || (isolate.doing() == waits(call)).then_some(()));
        assert_eq!(isolate.exit(), None, "it waits on");
        let pause = isolate.pause();
        assert_eq!(names(&stack(&isolate, Doing::Paused)), inner);
        isolate.resume(&pause);
        assert_eq!(names(&stack(&isolate, waits(call))), inner);
        isolate.kill(Priority::Immediate);
    }
}

#[test]
fn one_that_waits_for_room_is_found_there_and_sends_all_once() {
    let host = host();
    let module = host.load_file(harness::guest("fills_a_port")).expect("the guest is a module");
    let port = host.receive_port_with::<u32>(&Limits::default().mailbox(4, 1_000), MailboxPolicy::Wait);
    let isolate = host.spawn(&module, Spawn::main().message(&port.send_port())).expect("it has a main");
    let stack = stack(&isolate, waits("ports.send-waiting"));
    assert!(names(&stack).iter().any(|name| name.contains("fills_a_port::main")), "{stack:?}");
    for n in 0..100 {
        let asked = isolate.stack(LONG);
        assert!(asked.is_ok() || matches!(asked, Err(StackError::Ended { .. })), "{asked:?}");
        assert_eq!(port.recv(), Ok(n));
    }
    assert_eq!(isolate.join(), Exit::Returned);
}

#[test]
fn a_guest_that_is_asked_all_the_time_gets_every_message_and_every_timer() {
    let host = host();
    let module = host.load_file(harness::guest("mirror")).expect("the guest is a module");
    let back: ReceivePort<Value> = host.receive_port();
    let mirror = host.spawn(&module, Spawn::entry("run").message(&back.send_port())).expect("it has that entry");
    let Value::SendPort(port) = back.recv().expect("it says where to send") else { panic!("that is no port") };
    let port: SendPort<Value> = port.typed();
    let (over, asked) = (std::sync::atomic::AtomicBool::new(false), std::sync::atomic::AtomicUsize::new(0));
    let order = std::sync::atomic::Ordering::SeqCst;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(order) {
                let stack = mirror.stack(LONG).expect("it lives");
                assert!(!stack.frames.is_empty());
                asked.fetch_add(1, order);
            }
        });
        for n in 0..2_000 {
            port.send(Value::from(n)).expect("it listens");
            assert_eq!(back.recv(), Ok(Value::from(n)));
        }
        while asked.load(order) < 100 {
            std::thread::yield_now();
        }
        over.store(true, order);
    });
    let naps = spawned(&host, "naps");
    while naps.stack(LONG).is_ok() {}
    assert_eq!(naps.join(), Exit::Returned);
}

#[test]
fn whoever_asks_wakes_nobody_that_is_asleep() {
    let host = host();
    let module = host.load_file(harness::guest("falls_asleep")).expect("the guest is a module");
    // As long as somebody has a handle, somebody could wake them.
    let handle = spawned(&host, "naps");
    handle.kill(Priority::Immediate);
    let ended = std::thread::scope(|scope| {
        let run = scope.spawn(|| host.run(&module, Spawn::main()).expect("there is room"));
        let isolates = soon("two isolates", || Some(host.isolates()).filter(|isolates| isolates.len() == 2));
        stack(&isolates[0], waits("ports.receive"));
        stack(&isolates[1], Doing::Paused);
        for _ in 0..1_000 {
            isolates.iter().for_each(|isolate| assert!(isolate.stack(LONG).is_ok()));
        }
        drop((isolates, handle));
        run.join().expect("a run does not panic")
    });
    assert_eq!(ended.asleep.map(|sleepers| sleepers.len()), Some(2));
}

#[test]
fn one_that_has_not_begun_or_has_ended_has_no_stack() {
    let host = host();
    let isolate = host.spawn(&module(&host), Spawn::entry("spins").paused(true)).expect("it has that entry");
    let id = isolate.id();
    assert_eq!(isolate.stack(LONG), Err(StackError::NotBegun { isolate: id }));
    isolate.resume_birth();
    assert_eq!(isolate.stack(LONG).map(|stack| stack.doing), Ok(Doing::Runs));
    isolate.kill(Priority::Immediate);
    let error = isolate.stack(LONG).expect_err("it is dead");
    assert!(matches!(error, StackError::Ended { isolate, exit: Exit::Killed { .. } } if isolate == id), "{error:?}");
    assert_eq!(error.to_string(), format!("isolate {id} has ended: killed by the embedder"));
}

#[test]
fn a_hundred_who_ask_at_once_are_all_answered() {
    let host = host();
    for entry in ["spins", "sleeps"] {
        let isolate = spawned(&host, entry);
        let stacks = std::thread::scope(|scope| {
            let asked: Vec<_> = (0..100).map(|_| scope.spawn(|| isolate.stack(LONG))).collect();
            asked.into_iter().map(|asked| asked.join().expect("it does not panic")).collect::<Vec<_>>()
        });
        assert!(stacks.iter().all(|stack| stack.as_ref().is_ok_and(|stack| !stack.frames.is_empty())), "{stacks:?}");
        isolate.kill(Priority::Immediate);
    }
}

/// An isolate that opens a pipe which nobody writes to.
fn at_a_pipe(host: &Host, folder: &Folder) -> Isolate {
    let made = std::process::Command::new("mkfifo").arg(folder.path().join("never")).status();
    assert!(made.is_ok_and(|status| status.success()), "a pipe can be made");
    let module = host.load_file(harness::guest("hangs_at_files")).expect("the guest is a module");
    let told = host.receive_port::<String>();
    let spawn = Spawn::entry("opens").message(&("/data/never", told.send_port()));
    let isolate =
        host.spawn(&module, spawn.grant(Grant::read_write(folder.path(), "/data"))).expect("it has that entry");
    soon("the pipe", || (isolate.doing() == waits("wasi.path_open")).then_some(()));
    isolate
}

#[test]
fn one_in_a_call_of_wasi_s_answers_when_that_is_over_and_until_then_the_call_is_named() {
    let (host, folder) = (host(), Folder::new("stack-pipe"));
    let isolate = at_a_pipe(&host, &folder);
    let error = isolate.stack(SHORT).expect_err("nobody writes to the pipe");
    let call = "wasi.path_open";
    assert_eq!(error, StackError::InCall { isolate: isolate.id(), call, within: SHORT });
    assert!(error.to_string().contains("is in wasi.path_open, and says where it is when that is over"), "{error}");
    let stack = std::thread::scope(|scope| {
        let asked = scope.spawn(|| isolate.stack(LONG));
        drop(std::fs::OpenOptions::new().write(true).open(folder.path().join("never")).expect("it is read from"));
        asked.join().expect("it does not panic")
    });
    // If it was asked too late, it ended meanwhile.
    match stack {
        Ok(stack) => assert!(names(&stack).iter().any(|name| name.contains("hangs_at_files::said")), "{stack:?}"),
        Err(error) => assert!(matches!(error, StackError::Ended { exit: Exit::Returned, .. }), "{error:?}"),
    }
}

#[test]
fn whoever_asks_is_told_of_an_end_that_comes_first() {
    for closes in [false, true] {
        let (host, folder) = (host(), Folder::new("stack-end"));
        let isolate = at_a_pipe(&host, &folder);
        let errors = std::thread::scope(|scope| {
            let asked: Vec<_> = (0..100).map(|_| scope.spawn(|| isolate.stack(LONG))).collect();
            if closes {
                host.shutdown(Duration::ZERO);
            } else {
                isolate.kill(Priority::Immediate);
            }
            asked.into_iter().map(|asked| asked.join().expect("it does not panic")).collect::<Vec<_>>()
        });
        let exit = isolate.exit().expect("it ended");
        assert_eq!(exit == Exit::HostClosed, closes);
        for error in errors {
            assert_eq!(error, Err(StackError::Ended { isolate: isolate.id(), exit: exit.clone() }));
        }
        // Whoever opens it for writing lets the thread go that waits there.
        drop(std::fs::OpenOptions::new().read(true).write(true).open(folder.path().join("never")));
    }
}

#[test]
fn kills_and_questions_at_one_time_leave_nobody_waiting() {
    let host = host();
    for round in 0..200 {
        let isolate = spawned(&host, if round % 2 == 0 { "spins" } else { "receives" });
        std::thread::scope(|scope| {
            let asked = [(); 4].map(|()| scope.spawn(|| while isolate.stack(LONG).is_ok() {}));
            isolate.kill(Priority::Immediate);
            asked.into_iter().for_each(|asked| asked.join().expect("it does not panic"));
        });
    }
}

#[test]
fn a_trusted_one_is_found_where_it_waits_and_not_in_its_code() {
    let host = Host::builder().isolates(2).trusted_threads(2).build().expect("there is room");
    let text = r#"(module
        (import "insula:isolate/control@0.1.0" "stop-requested" (func $stop (result i32)))
        (import "insula:isolate/clock@0.1.0" "sleep" (func $sleep (param i64) (result i32)))
        (func $loops (loop $again (br_if $again (i32.eqz (call $stop)))))
        (func $waits (drop (call $sleep (i64.const -1))))
        (func $run (export "run") (call $loops) (call $waits)))"#;
    let module = host.load_trusted("trusted", text.as_bytes()).expect("the text is a module");
    let isolate = host.spawn(&module, Spawn::entry("run")).expect("it has that entry");
    soon("its code", || (isolate.doing() == Doing::Runs).then_some(()));
    let error = isolate.stack(SHORT).expect_err("nothing interrupts it");
    assert_eq!(error, StackError::Trusted { isolate: isolate.id(), within: SHORT });
    let stack = std::thread::scope(|scope| {
        let asked = scope.spawn(|| isolate.stack(LONG));
        isolate.request_stop();
        asked.join().expect("it does not panic").expect("it waits at last")
    });
    assert_eq!((stack.doing, names(&stack)), (waits("clock.sleep"), vec!["waits", "run"]));
    isolate.kill(Priority::Immediate);
}

#[test]
fn a_question_is_a_future_that_can_be_dropped() {
    let host = host();
    let isolate = spawned(&host, "sleeps");
    stack(&isolate, waits("clock.sleep"));
    for _ in 0..100 {
        let polled = pin!(isolate.stack_async(LONG)).poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending() || matches!(polled, Poll::Ready(Ok(_))), "{polled:?}");
    }
    let tokio = tokio::runtime::Builder::new_current_thread().build().expect("there are threads");
    let stack = tokio.block_on(isolate.stack_async(LONG)).expect("it lives");
    assert_eq!(names(&stack), ["wait", "sleeps"]);
}

#[test]
fn one_is_found_by_every_scheduler_and_where_a_test_steps_the_clock() {
    let seeded = Host::builder().isolates(16).seed(7).build().expect("there is room");
    let kit = insula::testing::Kit::new();
    for host in [&seeded, kit.host()] {
        let waiting = spawned(host, "sleeps");
        assert_eq!(names(&stack(&waiting, waits("clock.sleep"))), ["wait", "sleeps"]);
        let spinning = [(); 3].map(|()| spawned(host, "spins"));
        for isolate in &spinning {
            let looks = || Some(isolate.stack(LONG).expect("it lives")).filter(|stack| stack.frames.len() == 2);
            assert_eq!(names(&soon("its loop", looks)), ["spin", "spins"]);
        }
        assert_eq!(stack(&waiting, waits("clock.sleep")).frames.len(), 2);
        spinning.iter().chain([&waiting]).for_each(|isolate| isolate.kill(Priority::Immediate));
    }
    assert_eq!(kit.elapsed(), Duration::ZERO, "no time passes for it");
}

#[test]
fn how_often_one_was_started_again_is_how_often_its_kind_failed() {
    let host = host();
    let text = "(module (func (export \"fails\") unreachable) (func (export \"loops\") (loop (br 0))))";
    let module = host.load("fails", text.as_bytes()).expect("the text is a module");
    let spawn =
        |entry: &str, name: &str| host.spawn(&module, Spawn::entry(entry).debug_name(name)).expect("it has that entry");
    for restarts in 0..5 {
        let isolate = spawn("fails", "worker");
        assert!(!isolate.join().is_ok());
        assert_eq!(isolate.restarts(), restarts);
    }
    // Others than the one that takes the place are new, whatever differs.
    assert_eq!(spawn("loops", "worker").restarts(), 0);
    assert_eq!(spawn("fails", "other").restarts(), 0);
    let (successor, next) = (spawn("fails", "worker"), spawn("fails", "worker"));
    assert_eq!((successor.restarts(), next.restarts()), (5, 0));
    // Who is killed did not fail.
    let killed = spawn("loops", "again");
    killed.kill(Priority::Immediate);
    assert!(!killed.join().is_ok());
    assert_eq!(spawn("loops", "again").restarts(), 0);
}
