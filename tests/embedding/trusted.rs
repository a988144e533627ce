//! Trusted modules (semantics 9.4): what they give up, and that nobody else gives up anything.
//!
//! A loop of a trusted isolate ends by nothing from outside, so the loops here end by themselves: one asks whether it is
//! to stop, another looks whether it is dead already.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use insula::{
    BuildError, Exit, Grant, Host, HostBuilder, Isolate, Killer, Limits, LoadError, Module, Output, Priority, Spawn,
    SpawnError, Status, Uncaught,
};

use crate::harness::{self, Folder};

/// Tells the port of the initial message that it has begun.
const BEGINS: &str = r#"
    (import "insula:isolate/isolates@0.1.0" "initial-message"
        (func $initial_message (param i32 i32 i32 i32 i32) (result i32)))
    (import "insula:isolate/ports@0.1.0" "send" (func $send (param i32 i32 i32 i32 i32) (result i32)))
    (import "insula:isolate/ports@0.1.0" "open" (func $open (param i64 i32 i32) (result i32)))
    (import "insula:isolate/ports@0.1.0" "listen" (func $listen (param i32 i32) (result i32)))
    (import "insula:isolate/control@0.1.0" "stop-requested" (func $stop (result i32)))
    (import "insula:isolate/clock@0.1.0" "sleep" (func $sleep (param i64) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 64) "\50\00\00\00\04\00\00\00")
    (data (i32.const 80) "said")
    (func $begins
        (drop (call $initial_message (i32.const 256) (i32.const 64) (i32.const 320) (i32.const 4) (i32.const 384)))
        (drop (call $send (i32.load (i32.const 320)) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))))"#;

/// Loops that ask whether they are to stop, which ends nothing by itself.
const ASKS: &str = r#"
    (func $loops (call $begins) (loop $again (br_if $again (i32.eqz (call $stop)))))
    (func (export "loops") (call $loops))
    (func (export "loops_and_waits") (call $loops) (drop (call $sleep (i64.const -1))))
    (func (export "sends") (call $begins)
        (loop $again
            (drop (call $send (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
            (br $again)))
    (func (export "waits") (call $begins) (drop (call $sleep (i64.const -1))))
    (func (export "returns"))"#;

/// Loops until it is dead, without a wait. Dead, it computes for some seconds; then it says something, and waits.
const LOOPS_ON: &str = r#"
    (func $says (export "says") (drop (call $fd_write (i32.const 2) (i32.const 64) (i32.const 1) (i32.const 128))))
    (func (export "loops_on") (local $port i32) (local $left i64)
        (drop (call $open (i64.const 0) (i32.const 0) (i32.const 0)))
        (local.set $port (i32.load (i32.const 0)))
        (call $begins)
        (loop $alive (br_if $alive (i32.eqz (call $listen (local.get $port) (i32.const 0)))))
        (local.set $left (i64.const 4294967296))
        (loop $again
            (local.set $left (i64.sub (local.get $left) (i64.const 1)))
            (br_if $again (i64.ne (local.get $left) (i64.const 0))))
        (call $says)
        (drop (call $sleep (i64.const -1)))
        unreachable)"#;

fn builder() -> HostBuilder {
    Host::builder().isolates(16).threads(1).trusted_isolates(4).trusted_threads(1)
}

fn host() -> Host {
    builder().build().expect("there is room for a small host")
}

fn trusted(host: &Host, text: &str) -> Module {
    host.load_trusted("trusted.wat", text.as_bytes()).expect("the text is a module")
}

fn checked(host: &Host, text: &str) -> Module {
    host.load("checked.wat", text.as_bytes()).expect("the text is a module")
}

fn asks() -> String {
    format!("(module {BEGINS} {ASKS})")
}

/// An isolate that has begun.
fn begun(host: &Host, module: &Module, spawn: Spawn) -> Isolate {
    let port = host.receive_port::<()>();
    let isolate = host.spawn(module, spawn.message(&port.send_port())).expect("there is room");
    port.recv().expect("it begins");
    isolate
}

/// A host with a trusted module that loops on, and what the host is told.
fn loops_on() -> (Host, Module, Arc<Mutex<Vec<Uncaught>>>) {
    let told = Arc::<Mutex<Vec<Uncaught>>>::default();
    let kept = Arc::clone(&told);
    let keep = move |uncaught: &Uncaught| kept.lock().expect("no test panics here").push(uncaught.clone());
    let host = builder().on_uncaught(keep).build().expect("there is room for a small host");
    let module = trusted(&host, &format!("(module {BEGINS} {LOOPS_ON})"));
    (host, module, told)
}

/// That this isolate was reported, once.
fn is_reported(of: &Isolate, told: &Mutex<Vec<Uncaught>>) {
    let told = told.lock().expect("no test panics here");
    let [report] = &told[..] else { panic!("{told:?}") };
    assert_eq!(report.isolate, of.id());
    assert!(report.error.message.contains("left behind"), "{report}");
}

#[test]
fn s9_4_a_trusted_guest_tells_the_same() {
    // Guests without a busy loop: nothing would end it.
    for name in ["birth", "birth_paused", "blobs", "event_loop", "exit_order", "listeners", "names", "port_rules"] {
        let host = builder()
            .isolates(64)
            .trusted_isolates(64)
            .cache_folder(harness::cache())
            .build()
            .expect("there is room for a small host");
        let bytes = std::fs::read(harness::guest(name)).expect("the guest was built");
        let told = [host.load(name, &bytes), host.load_trusted(name, &bytes)].map(|module| {
            let module = module.expect("the guest is a module");
            let port = host.receive_port::<String>();
            let spawn = Spawn::entry("run").message(&port.send_port()).grant(Grant::names("tests"));
            let isolate = host.spawn(&module, spawn).expect("the guest has an entry `run`");
            let lines: Vec<String> = std::iter::from_fn(|| port.recv().ok()).collect();
            (lines, isolate.join())
        });
        assert!(told[0].0.len() > 1, "{name}: {told:?}");
        assert_eq!(told[0], told[1], "{name}");
    }
}

#[test]
fn s9_4_a_looping_one_holds_up_no_checked_one() {
    let host = host();
    let (trusted, checked) = (trusted(&host, &asks()), checked(&host, &asks()));
    assert_eq!((trusted.is_trusted(), checked.is_trusted()), (true, false));
    assert_eq!(trusted.digest(), checked.digest());
    let looping = begun(&host, &trusted, Spawn::entry("loops"));
    for _ in 0..100 {
        let isolate = host.spawn(&checked, Spawn::entry("returns")).expect("there is room");
        assert_eq!(isolate.join(), Exit::Returned);
    }
    let busy = begun(&host, &checked, Spawn::entry("loops"));
    busy.kill(Priority::Immediate);
    assert_eq!(busy.join(), Exit::Killed { by: Killer::Embedder });
    assert_eq!((looping.exit(), host.live()), (None, 1));
    looping.request_stop();
    assert_eq!(looping.join(), Exit::Returned);
}

#[test]
fn s9_4_one_that_waits_or_is_queued_is_killed_at_once() {
    let host = host();
    let module = trusted(&host, &asks());
    let waiting = begun(&host, &module, Spawn::entry("waits"));
    let looping = begun(&host, &module, Spawn::entry("loops"));
    let queued = host.spawn(&module, Spawn::entry("returns")).expect("there is room");
    for isolate in [&waiting, &queued] {
        isolate.kill(Priority::Immediate);
        assert_eq!(isolate.join(), Exit::Killed { by: Killer::Embedder });
    }
    assert_eq!(looping.exit(), None);
    looping.request_stop();
    assert_eq!(looping.join(), Exit::Returned);
}

#[test]
fn s9_4_a_kill_of_one_that_loops_acts_where_it_waits_or_returns() {
    let host = host();
    let module = trusted(&host, &asks());
    for entry in ["loops", "loops_and_waits"] {
        let isolate = begun(&host, &module, Spawn::entry(entry));
        isolate.kill(Priority::Immediate);
        let other = host.spawn(&checked(&host, &asks()), Spawn::entry("returns")).expect("there is room");
        assert_eq!((other.join(), isolate.exit()), (Exit::Returned, None), "{entry} has no wait before it is to stop");
        isolate.request_stop();
        assert_eq!(isolate.join(), Exit::Killed { by: Killer::Embedder }, "{entry}");
    }
}

#[test]
fn s9_4_one_that_never_waits_is_killed_where_it_sends() {
    let host = host();
    let isolate = begun(&host, &trusted(&host, &asks()), Spawn::entry("sends"));
    isolate.kill(Priority::Immediate);
    assert_eq!(isolate.join(), Exit::Killed { by: Killer::Embedder });
}

#[test]
fn s9_4_a_trusted_guest_traps_as_any_other() {
    let traps = r#"(module (memory (export "memory") 1)
        (func $deeper (export "deeper") (call $deeper))
        (func (export "beyond") (drop (i32.load (i32.const -4))))
        (func (export "divides") (drop (i32.div_s (i32.const 1) (i32.const 0)))))"#;
    let host = builder().on_uncaught(|_| {}).build().expect("there is room for a small host");
    for entry in ["deeper", "beyond", "divides"] {
        let ends = |module| host.spawn(&module, Spawn::entry(entry)).expect("there is room").join();
        let (expected, exit) = (ends(checked(&host, traps)), ends(trusted(&host, traps)));
        assert!(matches!(expected, Exit::Trapped { .. }), "{expected:?}");
        let kind = |exit| if let Exit::Trapped { kind, .. } = exit { kind } else { format!("{exit:?}") };
        assert_eq!(kind(exit), kind(expected), "{entry}");
    }
}

#[test]
fn s9_4_deadlines_and_cpu_limits_act_where_it_waits() {
    let computes = r#"(module
        (import "insula:isolate/clock@0.1.0" "sleep" (func $sleep (param i64) (result i32)))
        (func (export "run") (local $left i32)
            (local.set $left (i32.const 10000000))
            (loop $again
                (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                (br_if $again (local.get $left)))
            (drop (call $sleep (i64.const -1)))))"#;
    let host = host();
    let module = trusted(&host, computes);
    let ends = |limits| host.spawn(&module, Spawn::entry("run").limits(limits)).expect("there is room").join();
    let cpu = ends(Limits::default().cpu_time(Duration::from_micros(1)));
    assert_eq!(cpu, Exit::Limit { which: "cpu-time".to_owned(), value: 1_000 });
    let deadline = ends(Limits::default().deadline(Duration::from_millis(1)));
    assert!(matches!(deadline, Exit::Deadline { .. }), "{deadline:?}");
}

/// With room for two a child is born, and with room for one it is not, whatever room there is for others.
#[test]
fn s9_4_children_are_trusted_as_their_parent_is() {
    let parent = r#"(module
        (import "insula:isolate/isolates@0.1.0" "spawn-export" (func $spawn (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
        (memory (export "memory") 1)
        (data (i32.const 512) "child")
        (func (export "child"))
        (func (export "parent")
            (call $proc_exit (call $spawn (i32.const 512) (i32.const 5) (i32.const 0) (i32.const 1024)))))"#;
    for (room, code) in [(2, 0), (1, Status::Limit.code())] {
        let host = builder().trusted_isolates(room).build().expect("there is room for a small host");
        let exit = host.spawn(&trusted(&host, parent), Spawn::entry("parent")).expect("there is room for one").join();
        assert_eq!(exit, Exit::ProcExit { code }, "with room for {room}");
    }
}

#[test]
fn s9_4_an_offered_module_is_as_trusted_as_it_was_loaded() {
    let host = builder().trusted_isolates(1).on_uncaught(|_| {}).build().expect("there is room for a small host");
    let bytes = std::fs::read(harness::guest("other_module")).expect("the guest was built");
    host.offer("other_module", &host.load_trusted("other_module", &bytes).expect("the guest is a module"));
    let waiting = begun(&host, &trusted(&host, &asks()), Spawn::entry("waits"));
    let spawner = host.load_file(harness::guest("spawns_module")).expect("the guest is a module");
    let port = host.receive_port::<String>();
    let spawn = || Spawn::entry("run").message(&port.send_port()).grant(Grant::modules());
    let refused = host.spawn(&spawner, spawn()).expect("checked ones have room of their own");
    assert_ne!(refused.join(), Exit::Returned, "there is no room for what it spawns");
    waiting.kill(Priority::Immediate);
    assert_eq!(waiting.join(), Exit::Killed { by: Killer::Embedder });
    assert_eq!(host.spawn(&spawner, spawn()).expect("there is room").join(), Exit::Returned);
}

#[test]
fn s9_4_the_limit_of_trusted_isolates_is_a_spawn_error() {
    let host = builder().isolates(1).trusted_isolates(1).build().expect("there is room for a small host");
    let module = trusted(&host, &asks());
    let waiting = begun(&host, &module, Spawn::entry("waits"));
    let refused = host.spawn(&module, Spawn::entry("waits")).map(|_| ());
    assert_eq!(refused, Err(SpawnError::TooManyTrusted { max: 1 }));
    let other = begun(&host, &checked(&host, &asks()), Spawn::entry("waits"));
    waiting.kill(Priority::Immediate);
    assert_eq!(waiting.join(), Exit::Killed { by: Killer::Embedder });
    let again = host.spawn(&module, Spawn::entry("returns")).expect("there is room again");
    assert_eq!((again.join(), other.exit()), (Exit::Returned, None));
}

#[test]
fn s9_4_closing_the_host_leaves_a_looping_one_behind_and_reports_it() {
    let (host, module, told) = loops_on();
    let says = host.spawn(&module, Spawn::entry("says").stderr(Output::Null)).expect("there is room");
    assert_eq!((says.join(), says.stderr_tail()), (Exit::Returned, "said".to_owned()));

    let gone = host.receive_port::<String>();
    let spawn = Spawn::entry("loops_on").stderr(Output::Null).on_exit(&gone.send_port(), "gone".to_owned());
    let looping = begun(&host, &module, spawn);
    let exits = host.shutdown(Duration::ZERO);
    assert_eq!(host.left_behind(), exits.iter().map(|(id, _)| *id).collect::<Vec<_>>());
    assert_eq!(exits, [(looping.id(), Exit::HostClosed)]);
    assert_eq!((looping.join(), host.live()), (Exit::HostClosed, 0));
    assert_eq!(gone.recv().as_deref(), Ok("gone"));
    is_reported(&looping, &told);

    // Its code ends by itself in some seconds, and nobody hears what it says.
    while !host.left_behind().is_empty() {
        std::thread::yield_now();
    }
    assert_eq!((looping.exit(), looping.stderr_tail()), (Some(Exit::HostClosed), String::new()));
    drop(host);
    is_reported(&looping, &told);
}

#[test]
fn s9_4_dropping_the_host_leaves_a_looping_one_behind_and_reports_it() {
    let (host, module, told) = loops_on();
    let looping = begun(&host, &module, Spawn::entry("loops_on"));
    drop((host, module));
    assert_eq!(looping.exit(), Some(Exit::HostClosed));
    is_reported(&looping, &told);
}

#[test]
fn s9_4_the_end_of_a_run_leaves_a_looping_one_behind() {
    let (host, module, told) = loops_on();
    let looping = begun(&host, &module, Spawn::entry("loops_on"));
    let exits = r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
        (func (export "_start") (call $proc_exit (i32.const 7))))"#;
    let main = checked(&host, exits);
    let ended = host.run(&main, Spawn::main()).expect("there is room");
    assert_eq!((ended.main, looping.exit()), (Exit::ProcExit { code: 7 }, Some(Exit::HostClosed)));
    is_reported(&looping, &told);
    let ended = host.run(&main, Spawn::main()).expect("the host is there for the next run");
    assert_eq!(ended.main, Exit::ProcExit { code: 7 });
}

#[test]
fn s9_4_compiled_code_is_kept_by_digest_and_kind() {
    let folder = Folder::new("kinds");
    let compiled = || std::fs::read_dir(folder.path()).expect("the folder is there").count();
    let loops = b"(module (func (export \"run\") (loop $again (br $again))) (func (export \"done\")))";
    for round in 1..=2 {
        let host = builder().cache_folder(folder.path()).build().expect("there is room for a small host");
        let trusted = host.load_trusted("loops", loops).expect("it is a module");
        let checked = host.load("loops", loops).expect("it is a module");
        assert_eq!(compiled(), 3, "a key, and the code of each kind, in round {round}");
        assert_eq!((trusted.digest(), trusted.is_trusted(), checked.is_trusted()), (checked.digest(), true, false));
        // Only code with epoch checks can be killed here; only code of a host's own engines runs.
        let busy = host.spawn(&checked, Spawn::entry("run")).expect("there is room");
        busy.kill(Priority::Immediate);
        assert_eq!(busy.join(), Exit::Killed { by: Killer::Embedder });
        assert_eq!(host.spawn(&trusted, Spawn::entry("done")).expect("there is room").join(), Exit::Returned);
    }
}

#[test]
fn s9_4_a_host_says_why_it_takes_no_trusted_module() {
    let refused = |builder: HostBuilder| {
        let host = builder.build().expect("there is room for a small host");
        match host.load_trusted("sum", b"(module)") {
            Err(LoadError::NotTrusted { name, source }) if name == "sum" => source,
            other => panic!("{other:?}"),
        }
    };
    let seeded = refused(Host::builder().isolates(1).seed(1));
    assert!(matches!(seeded, BuildError::Invalid(reason) if reason.contains("HostBuilder::seed")), "{seeded:?}");
    let wanted = 4_000_000_000;
    match refused(builder().trusted_isolates(wanted)) {
        BuildError::TooManyIsolates { wanted: named, budget, taken } => {
            assert_eq!((named, budget < wanted, taken >= 16), (wanted, true, true));
        }
        other => panic!("{other:?}"),
    }
    let contradictory =
        [builder().trusted_isolates(0), builder().trusted_threads(0), Host::builder().seed(1).trusted_threads(1)];
    for builder in contradictory {
        assert!(matches!(builder.build(), Err(BuildError::Invalid(_))));
    }
}

#[test]
fn a_module_of_another_host_is_refused() {
    let (one, two) = (host(), host());
    for module in [checked(&one, &asks()), trusted(&one, &asks())] {
        let refused = two.spawn(&module, Spawn::entry("returns")).map(|_| ());
        assert!(
            matches!(refused, Err(SpawnError::Invalid(ref reason)) if reason.contains("another host")),
            "{refused:?}"
        );
    }
}
