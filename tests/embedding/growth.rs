//! A host begins with an engine that has no pool, and makes one with a pool after some births: nobody can tell who was born
//! where.

use std::process::Command;
use std::time::Duration;

use insula::testing::Kit;
use insula::{
    Exit, Host, HostBuilder, Isolate, Killer, Limits, Module, Output, Phase, Priority, Sha256, Spawn, SpawnError,
};

use crate::harness;

/// More births than the first engine is for.
const MANY: usize = 40;

const TEXT: &str = r#"(module
    (import "insula:isolate/clock@0.1.0" "sleep" (func $sleep (param i64) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 64) "\50\00\00\00\04\00\00\00")
    (data (i32.const 80) "said")
    (func $inner unreachable)
    (func (export "waits") (drop (call $sleep (i64.const -1))))
    (func (export "loops") (loop $again (br $again)))
    (func (export "says") (drop (call $fd_write (i32.const 1) (i32.const 64) (i32.const 1) (i32.const 128))))
    (func (export "traps") (call $inner))
    (func (export "returns")))"#;

fn builder() -> HostBuilder {
    Host::builder().isolates(100).threads(1)
}

fn host() -> Host {
    builder().build().expect("there is room for a small host")
}

fn module(host: &Host) -> Module {
    host.load("grows", TEXT.as_bytes()).expect("the text is a module")
}

fn spawned(host: &Host, module: &Module, entry: &str) -> Isolate {
    host.spawn(module, Spawn::entry(entry)).expect("there is room")
}

/// Has so many born and end that whoever is born next is not born where the first ones were.
fn grow(host: &Host, module: &Module) {
    for _ in 0..MANY {
        assert_eq!(spawned(host, module, "returns").join(), Exit::Returned);
    }
}

#[test]
fn the_limit_of_isolates_is_exact_wherever_they_were_born() {
    let host = host();
    let module = module(&host);
    let spawn = || host.spawn(&module, Spawn::entry("waits"));
    let mut waiting: Vec<_> = (0..100).map(|_| spawn().expect("there is room for a hundred")).collect();
    let full = SpawnError::TooManyIsolates { max: 100 };
    for number in [0, 1, 50, 99] {
        assert_eq!(spawn().map(drop), Err(full.clone()));
        waiting[number].kill(Priority::Immediate);
        assert_eq!(waiting[number].join(), Exit::Killed { by: Killer::Embedder });
        waiting[number] = spawn().expect("there is the room of the one that ended");
    }
    assert_eq!((host.live(), host.isolates_max(), spawn().map(drop)), (100, 100, Err(full)));
    assert!(waiting.iter().all(|isolate| isolate.exit().is_none()), "somebody was lost");
}

#[test]
fn who_was_born_before_and_after_the_growth_gives_way_and_is_killed() {
    let host = host();
    let module = module(&host);
    // On the one thread there is.
    let before = spawned(&host, &module, "loops");
    grow(&host, &module);
    let after = spawned(&host, &module, "loops");
    assert_eq!(spawned(&host, &module, "returns").join(), Exit::Returned, "both give way");
    for isolate in [&before, &after] {
        assert_eq!(isolate.exit(), None);
        isolate.kill(Priority::Immediate);
        assert_eq!(isolate.join(), Exit::Killed { by: Killer::Embedder });
    }
}

#[test]
fn deadlines_and_cpu_time_hold_before_and_after_the_growth() {
    let host = host();
    let module = module(&host);
    let ends = |limits: Limits, entry: &str| {
        host.spawn(&module, Spawn::entry(entry).limits(limits)).expect("there is room").join()
    };
    let soon = Duration::from_millis(20);
    for _ in 0..2 {
        assert_eq!(ends(Limits::default().deadline(soon), "loops"), Exit::Deadline { phase: Phase::Guest });
        assert!(matches!(ends(Limits::default().run_deadline(soon), "waits"), Exit::Deadline { .. }));
        assert!(
            matches!(ends(Limits::default().cpu_time(soon), "loops"), Exit::Limit { which, .. } if which == "cpu-time")
        );
        let little = ends(Limits::default().memory(1 << 10), "returns");
        assert!(!matches!(little, Exit::Returned), "{little}");
        grow(&host, &module);
    }
}

#[test]
fn a_module_is_the_same_before_and_after_the_growth() {
    let host = host();
    let module = module(&host);
    let tells = |module: &Module| {
        let says = Spawn::entry("says").stdout(Output::Capture { bytes_max: 100 });
        let says = host.spawn(module, says).expect("there is room");
        let (said, trapped) = (says.join(), spawned(&host, module, "traps").join());
        assert!(trapped.frames().iter().any(|frame| frame.function.as_deref() == Some("inner")), "{trapped}");
        (said, says.stdout().to_string(), trapped)
    };
    let before = tells(&module);
    assert_eq!((&before.0, before.1.as_str()), (&Exit::Returned, "said"));
    grow(&host, &module);
    assert_eq!(tells(&module), before);

    // Loaded again, it is the one that is there; others are loaded where they are used, and kept code is taken.
    let again = self::module(&host);
    assert_eq!((again.digest(), tells(&again)), (module.digest(), before.clone()));
    let other = host.load("other", b"(module (func (export \"returns\")))").expect("the text is a module");
    assert_eq!(spawned(&host, &other, "returns").join(), Exit::Returned);
    assert_ne!(other.digest(), Sha256::of(TEXT.as_bytes()));
    assert!(again.precompile() == module.precompile(), "the code is one");

    let elsewhere = self::host().spawn(&other, Spawn::entry("returns")).map(drop);
    assert!(matches!(elsewhere, Err(SpawnError::Invalid(reason)) if reason.contains("another host")));
}

#[test]
fn an_entry_that_is_not_there_is_refused_before_and_after_the_growth() {
    let host = host();
    let module = module(&host);
    let refused = Err(SpawnError::NoEntry { module: "grows".to_owned(), entry: "missing".to_owned() });
    for _ in 0..MANY {
        assert_eq!(host.spawn(&module, Spawn::entry("missing")).map(drop), refused);
    }
    assert_eq!((host.live(), spawned(&host, &module, "returns").join()), (0, Exit::Returned));
}

#[test]
fn trusted_quarters_grow_and_their_limit_is_exact() {
    let host = builder().trusted_isolates(50).build().expect("there is room for a small host");
    let module = host.load_trusted("grows", TEXT.as_bytes()).expect("the text is a module");
    grow(&host, &module);
    let waiting: Vec<_> = (0..50).map(|_| spawned(&host, &module, "waits")).collect();
    let full = Err(SpawnError::TooManyTrusted { max: 50 });
    assert_eq!(host.spawn(&module, Spawn::entry("waits")).map(drop), full);
    assert_eq!(spawned(&host, &self::module(&host), "returns").join(), Exit::Returned, "these are not counted there");
    for isolate in waiting {
        isolate.kill(Priority::Immediate);
        assert_eq!(isolate.join(), Exit::Killed { by: Killer::Embedder });
    }
}

#[test]
fn many_hosts_of_a_process_grow_each_for_itself() {
    let hosts: Vec<_> =
        (0..6).map(|_| Host::builder().isolates(60).threads(1).build().expect("there is room")).collect();
    let waiting: Vec<_> = hosts
        .iter()
        .map(|host| {
            let module = module(host);
            grow(host, &module);
            spawned(host, &module, "waits")
        })
        .collect();
    for (host, isolate) in hosts.into_iter().zip(&waiting) {
        assert_eq!((host.live(), isolate.exit()), (1, None));
        host.shutdown(Duration::ZERO);
        assert_eq!(isolate.join(), Exit::HostClosed);
    }
}

#[test]
fn many_that_are_born_at_once_find_one_engine() {
    let host = Host::builder().isolates(400).threads(2).build().expect("there is room for a small host");
    let module = module(&host);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope
                .spawn(|| (0..100).for_each(|_| assert_eq!(spawned(&host, &module, "returns").join(), Exit::Returned)));
        }
    });
    assert_eq!(host.live(), 0);
}

#[test]
fn the_same_seed_is_the_same_record_across_the_growth() {
    let record = |seed| {
        let kit = Kit::of(Host::builder().isolates(100).seed(seed));
        let module = module(kit.host());
        for number in 0..MANY {
            let spawn = Spawn::entry("returns").debug_name(number.to_string());
            kit.host().spawn(&module, spawn).expect("there is room");
        }
        kit.settle();
        kit.record()
    };
    let first = record(1);
    assert_eq!(first.len(), 2 * MANY, "each is born and ends: {first:?}");
    assert_eq!(first, record(1));
    assert_ne!(first, record(2));
}

/// Address space for the first engine of a host of so many isolates, and not for the second.
const ADDRESS_SPACE: u64 = 1 << 40;

#[test]
fn where_the_system_has_no_room_for_all_a_spawn_says_so_and_the_first_live() {
    harness::apart(module_path!(), "where_the_system_has_no_room_for_all_a_spawn_says_so_and_the_first_live", || {
        let bound = |bytes: &str| {
            let process = std::process::id().to_string();
            let bounded = Command::new("prlimit").args(["--pid", &process, &format!("--as={bytes}:")]).status();
            assert!(bounded.expect("util-linux has prlimit").success());
        };
        bound(&ADDRESS_SPACE.to_string());
        let host = Host::builder().isolates(1_000).threads(1).build().expect("there is room for the first ones");
        let module = module(&host);
        let spawn = || host.spawn(&module, Spawn::entry("waits"));
        let mut living = Vec::new();
        let refused = loop {
            match spawn() {
                Ok(isolate) => living.push(isolate),
                Err(refused) => break refused,
            }
        };
        assert!(matches!(refused, SpawnError::NoRoom { max: 1_000, .. }), "{refused}");
        let text = refused.to_string();
        assert!(text.starts_with("the system has no room for 1000 isolates (HostBuilder::isolates): "), "{text}");
        assert!(!living.is_empty() && living.iter().all(|isolate| isolate.exit().is_none()));
        // A larger host is refused when it is built, as one that can never have its room.
        let large = Host::builder().isolates(2_500).threads(1).build();
        assert!(matches!(large, Err(insula::BuildError::Engine(_))));
        // Whoever asks again may have better luck.
        bound("unlimited");
        living.push(spawn().expect("there is room now"));
        living.iter().for_each(|isolate| isolate.kill(Priority::Immediate));
        assert!(living.iter().all(|isolate| isolate.join() == Exit::Killed { by: Killer::Embedder }));
    });
}
