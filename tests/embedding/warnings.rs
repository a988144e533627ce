//! What an embedder is told of isolates that are near a limit.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use insula::{BuildError, Exit, Host, Limits, Priority, Spawn, Warning};

const PAGE: u64 = 64 << 10;

/// A host that warns at this share, and what it warns of.
fn host(percent: u8) -> (Host, Receiver<Warning>) {
    let (sender, warnings) = channel();
    let told = move |warning: &Warning| sender.send(warning.clone()).expect("the test listens");
    let host = Host::builder().isolates(4).threads(2).on_warning(percent, told).build();
    (host.expect("there is room for a small host"), warnings)
}

/// Runs the export `run` with this body until it ends. Answers what was warned of.
fn warned(percent: u8, body: &str, limits: Limits) -> (Exit, Vec<(String, u64, u64)>) {
    let (host, warnings) = host(percent);
    let text = format!(
        r#"(module
        (import "insula:isolate/ports@0.1.0" "open" (func $open (param i64 i32 i32) (result i32)))
        (import "insula:isolate/ports@0.1.0" "sender" (func $sender (param i32 i32) (result i32)))
        (import "insula:isolate/ports@0.1.0" "send" (func $send (param i32 i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "run") {body}))"#
    );
    let module = host.load("near", text.as_bytes()).expect("the text is a module");
    let spawn = Spawn::entry("run").debug_name("a\nname").limits(limits);
    let isolate = host.spawn(&module, spawn).expect("it has an entry");
    let exit = isolate.join();
    host.shutdown(Duration::ZERO);
    let told: Vec<Warning> = warnings.try_iter().collect();
    assert!(told.iter().all(|warning| warning.isolate == Some(isolate.id()) && warning.name == "a\nname"), "{told:?}");
    assert!(told.iter().all(|warning| !warning.to_string().contains('\n')), "{told:?}");
    (exit, told.into_iter().map(|warning| (warning.which, warning.used, warning.limit)).collect())
}

#[test]
fn whoever_nears_its_limit_of_memory_is_told_of_once() {
    let grow = "(drop (memory.grow (i32.const 1)))";
    let limits = || Limits::default().memory(5 * PAGE);
    let memory = |used: u64| ("memory".to_owned(), used * PAGE, 5 * PAGE);
    assert_eq!(warned(80, &grow.repeat(2), limits()), (Exit::Returned, vec![]));
    assert_eq!(warned(80, &grow.repeat(3), limits()), (Exit::Returned, vec![memory(4)]));
    assert_eq!(warned(80, &grow.repeat(9), limits()), (Exit::Returned, vec![memory(4)]));
    assert_eq!(warned(100, &grow.repeat(9), limits()), (Exit::Returned, vec![memory(5)]));
}

#[test]
fn whoever_nears_its_limit_of_messages_handles_and_ports_is_told_of() {
    let body = |sends: usize| {
        let open = "(drop (call $open (i64.const 0) (i32.const 0) (i32.const 0)))";
        let sender = "(drop (call $sender (i32.load (i32.const 0)) (i32.const 8)))";
        let send =
            "(drop (call $send (i32.load (i32.const 8)) (i32.const 64) (i32.const 36) (i32.const 0) (i32.const 0)))";
        [open, sender, &send.repeat(sends)].concat()
    };
    let (exit, told) = warned(50, &body(3), Limits::default().mailbox(8, 600).table(2, 4));
    assert_eq!(exit, Exit::Returned);
    let told: Vec<_> = told.iter().map(|(which, used, limit)| (which.as_str(), *used, *limit)).collect();
    assert_eq!(told, [("ports", 1, 2), ("handles", 2, 4), ("mailbox-bytes", 300, 600)]);
    let (_, told) = warned(50, &body(4), Limits::default().mailbox(8, 1_000).table(9, 9));
    assert_eq!(told, [("mailbox-messages".to_owned(), 4, 8)]);
}

#[test]
fn whoever_nears_the_end_of_its_time_is_told_of_before_it_ends() {
    let ms = Duration::from_millis;
    let looping = "(loop $again (br $again))";
    for (name, limits) in [
        ("cpu-time", Limits::default().cpu_time(ms(40))),
        ("deadline", Limits::default().deadline(ms(40))),
        ("run-deadline", Limits::default().run_deadline(ms(40))),
    ] {
        let (exit, told) = warned(50, looping, limits);
        assert!(matches!(exit, Exit::Limit { .. } | Exit::Deadline { .. }), "{exit:?}");
        let [(which, used, limit)] = &told[..] else { panic!("{name}: {told:?}") };
        assert_eq!((which.as_str(), *limit), (name, 40_000_000));
        assert!(*used >= 20_000_000, "{name}: {used}");
    }
}

#[test]
fn whoever_is_warned_may_kill_and_may_panic() {
    let (sender, isolates) = channel::<insula::Isolate>();
    let isolates = std::sync::Mutex::new(isolates);
    let kill = move |warning: &Warning| {
        if warning.isolate.is_none() {
            return; // the host is near its limit of isolates
        }
        let isolate = isolates.lock().expect("nobody panics under it").recv().expect("the test sends it");
        isolate.kill(Priority::Immediate);
        panic!("on purpose");
    };
    let host = Host::builder().isolates(4).threads(2).on_warning(10, kill).build().expect("there is room");
    let text = "(module (memory 4) (func (export \"run\") (loop (br 0))))";
    let module = host.load("near", text.as_bytes()).expect("the text is a module");
    for _ in 0..3 {
        let spawn = Spawn::entry("run").limits(Limits::default().memory(8 * PAGE));
        let isolate = host.spawn(&module, spawn).expect("it has an entry");
        sender.send(isolate.clone()).expect("it is there");
        assert!(matches!(isolate.join(), Exit::Killed { .. }));
    }
}

#[test]
fn whose_descendants_near_a_limit_of_their_tree_is_told_of_with_its_own_name() {
    let (host, warnings) = host(50);
    let module = host.load_file(crate::harness::guest("stops_when_asked")).expect("the guest is a module");
    let told = host.receive_port::<String>();
    let limits = Limits::default().descendants(3).tree(4 << 20, 1 << 20);
    let spawn = Spawn::entry("family_left").message(&told.send_port()).debug_name("the root").limits(limits);
    let root = host.spawn(&module, spawn).expect("it has an entry");
    assert_eq!(root.join(), Exit::Returned);
    // Its two children loop, and it is dead: the account is its own still.
    let warned = || warnings.recv().expect("the host lives");
    let of_tree = std::iter::repeat_with(warned).filter(|warning| warning.isolate == Some(root.id())).take(2);
    let mut told: Vec<_> = of_tree.map(|warning| (warning.which, warning.limit, warning.name)).collect();
    told.sort();
    let expected = [("descendants", 3), ("tree-memory", 4 << 20)];
    assert_eq!(told, expected.map(|(which, limit)| (which.to_owned(), limit, "the root".to_owned())));
    root.kill_tree();
}

#[test]
fn a_host_near_a_limit_of_its_own_is_told_of() {
    let (sender, warnings) = channel();
    let told = move |warning: &Warning| sender.send(warning.clone()).expect("the test listens");
    let builder = Host::builder().isolates(4).threads(2).total_memory_max(8 * PAGE).on_warning(75, told);
    let host = builder.build().expect("there is room for a small host");
    let module = host.load("three", b"(module (memory 3) (func (export \"run\")))").expect("the text is a module");
    let spawn = || host.spawn(&module, Spawn::entry("run").paused(true)).expect("there is room");
    let isolates = [spawn(), spawn()];
    // One after the other: two that run have so much memory together as is warned of.
    for isolate in isolates {
        isolate.resume_birth();
        assert_eq!(isolate.join(), Exit::Returned);
    }
    let three = [spawn(), spawn(), spawn()];
    let warning = warnings.recv().expect("the host lives");
    assert_eq!((warning.isolate, warning.which.as_str(), warning.used, warning.limit), (None, "isolates", 3, 4));
    assert_eq!((warning.to_string().as_str(), warning.name.as_str()), ("the host has 75 % of its limit isolates", ""));
    let text = "(module (memory 6) (func (export \"run\")))";
    let six = host.load("six", text.as_bytes()).expect("the text is a module");
    assert_eq!(host.spawn(&six, Spawn::entry("run")).expect("there is room").join(), Exit::Returned);
    let warning = warnings.recv().expect("the host lives");
    assert_eq!((warning.isolate, warning.which.as_str()), (None, "tree-memory"));
    assert_eq!((warning.used, warning.limit), (6 * PAGE, 8 * PAGE));
    drop(three);
    host.shutdown(Duration::ZERO);
    assert_eq!(warnings.try_iter().count(), 0, "once of each");
}

#[test]
fn a_share_is_between_one_and_a_hundred_percent() {
    for percent in [0, 101] {
        let refused = Host::builder().on_warning(percent, |_| ()).build();
        assert!(matches!(refused, Err(BuildError::Invalid(_))), "{refused:?}");
    }
}
