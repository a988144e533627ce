//! A run on the thread that waits for it, and the threads that others need.

use std::process::Command;
use std::time::{Duration, Instant};

use insula::{Doing, Exit, Host, Isolate, Killer, Limits, Module, Priority, Spawn, SpawnError, Wait};

use crate::harness;

const LONG: Duration = Duration::from_secs(120);

const TEXT: &str = r#"(module
    (import "insula:isolate/clock@0.1.0" "now" (func $now (result i64)))
    (import "insula:isolate/clock@0.1.0" "sleep" (func $sleep (param i64) (result i32)))
    (func (export "returns"))
    (func (export "naps") (drop (call $sleep (i64.add (call $now) (i64.const 1000000)))))
    (func (export "rests") (drop (call $sleep (i64.add (call $now) (i64.const 3600000000000)))))
    (func (export "sleeps") (drop (call $sleep (i64.const -1))))
    (func (export "spins") (loop (br 0))))"#;

/// A program that prints more often than a task of a runtime may find what it waits for before it makes room for others.
const PRINTS: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\08\00\00\00\02\00\00\00.\0a")
    (func (export "_start") (local $left i32)
        (local.set $left (i32.const 1000))
        (loop $again
            (if (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)) (then unreachable))
            (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))))"#;

const KILLED: Exit = Exit::Killed { by: Killer::Embedder };

/// How long one has to end by itself, which does not.
const SHORT: Duration = Duration::from_millis(20);

fn loaded(threads: usize) -> (Host, Module) {
    let builder = Host::builder().isolates(16).threads(threads).memory_max(1 << 16).memory_reservation(1 << 16);
    let host = builder.build().expect("there is room for a small host");
    let module = host.load("running", TEXT.as_bytes()).expect("the text is a module");
    (host, module)
}

/// The names of this process's threads that are a host's.
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("a process can list its threads");
    let tasks = tasks.map(|task| task.expect("it can be read").path());
    // The first thread has the name of the program.
    let others = tasks.filter(|task| !task.ends_with(std::process::id().to_string()));
    let names = others.filter_map(|task| std::fs::read_to_string(task.join("comm")).ok());
    let names = names.map(|name| name.trim().to_owned());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("insula-")).collect();
    names.sort();
    names
}

/// The threads of hosts are these. A thread names itself a moment after it is there, and one that compiled is gone a moment
/// after its module is there; those of schedulers stay, so that one too many is found whenever this looks.
fn has_threads<const N: usize>(wanted: [&str; N]) {
    let begun = Instant::now();
    while threads() != wanted {
        assert!(begun.elapsed() < LONG, "{:?}, and not {wanted:?}", threads());
        std::thread::yield_now();
    }
}

#[test]
fn a_program_of_one_isolate_needs_no_thread_but_the_one_that_waits_for_it() {
    harness::apart(module_path!(), "a_program_of_one_isolate_needs_no_thread_but_the_one_that_waits_for_it", || {
        let (host, module) = loaded(2);
        let run = |spawn: Spawn| assert_eq!(host.run(&module, spawn).expect("it is born").main, Exit::Returned);
        run(Spawn::entry("returns"));
        has_threads([]);
        // What has to come in time has a thread for that, unless its time has come before it waits.
        let begun = Instant::now();
        while threads().is_empty() {
            assert!(begun.elapsed() < LONG, "time comes by itself");
            run(Spawn::entry("naps"));
        }
        has_threads(["insula-ticker"]);
        // Nobody waits here who could run it.
        let spawned = host.spawn(&module, Spawn::entry("returns")).expect("it is born");
        assert_eq!(spawned.join(), Exit::Returned);
        has_threads(["insula-ticker", "insula-worker-0"]);
        let (limited, module) = loaded(2);
        let spawn = Spawn::entry("returns").limits(Limits::default().cpu_time(LONG));
        assert_eq!(limited.run(&module, spawn).expect("it is born").main, Exit::Returned);
        has_threads(["insula-ticker", "insula-ticker", "insula-worker-0"]);
    });
}

/// The one other isolate of a host, once it does this.
fn main_of(host: &Host, doing: Doing) -> Isolate {
    let begun = Instant::now();
    while begun.elapsed() < LONG {
        let found =
            host.isolates().into_iter().find(|isolate| isolate.stack(LONG).is_ok_and(|stack| stack.doing == doing));
        if let Some(isolate) = found {
            return isolate;
        }
        std::thread::yield_now();
    }
    panic!("main does not come to {doing:?}")
}

#[test]
fn a_run_ends_with_its_main_though_the_thread_that_waits_is_busy_with_another() {
    let (host, module) = loaded(1);
    std::thread::scope(|scope| {
        let run = scope.spawn(|| host.run(&module, Spawn::entry("sleeps")));
        let main = main_of(&host, Doing::Waits { call: Some("clock.sleep") });
        // The one worker is the thread that waits.
        let other = host.spawn(&module, Spawn::entry("spins")).expect("there is room");
        main_of(&host, Doing::Runs);
        main.kill(Priority::Immediate);
        let ended = run.join().expect("it does not panic").expect("main was born");
        assert_eq!((ended.main, ended.asleep), (Exit::Killed { by: Killer::Embedder }, None));
        assert_eq!(other.exit(), Some(Exit::HostClosed), "it ends with the run");
    });
    let again = host.spawn(&module, Spawn::entry("returns")).expect("there is room");
    assert_eq!(again.join(), Exit::Returned, "the worker has a thread now");
    assert_eq!(host.run(&module, Spawn::entry("returns")).expect("it is born").main, Exit::Returned);
}

/// Waits until a host has so many isolates, and some time more, so that the one that runs does.
fn lives(host: &Host, count: usize) {
    let begun = Instant::now();
    while host.live() != count || begun.elapsed() < Duration::from_millis(20) {
        assert!(begun.elapsed() < LONG, "it has {}", host.live());
        std::thread::yield_now();
    }
}

#[test]
fn one_that_spins_alone_on_the_thread_that_waits_is_ended_from_elsewhere() {
    type End = fn(&Host);
    let ends: [(End, Exit); 3] = [
        (|host| drop(host.shutdown(Duration::ZERO)), Exit::HostClosed),
        (|host| host.isolates().iter().for_each(|isolate| isolate.kill(Priority::Immediate)), KILLED),
        (|host| drop(host.isolates().iter().map(|isolate| isolate.stop(SHORT)).collect::<Vec<_>>()), KILLED),
    ];
    for (end, exit) in ends {
        let (host, module) = loaded(2);
        std::thread::scope(|scope| {
            let run = scope.spawn(|| host.run(&module, Spawn::entry("spins")));
            lives(&host, 1);
            end(&host);
            assert_eq!(run.join().expect("it does not panic").expect("it was born").main, exit);
        });
    }
}

/// In the middle of a poll of the thread that waits, and nobody else's business: what tells it is the one who spins on.
#[test]
fn a_run_ends_with_its_main_though_that_is_killed_by_who_runs_on_the_thread_that_waits() {
    for threads in [1, 2] {
        let builder = Host::builder().isolates(4).threads(threads).cache_folder(harness::cache());
        let host = builder.build().expect("there is room for a small host");
        let module = host.load_file(harness::guest("killed_by_child")).expect("it is a module");
        let ended = host.run(&module, Spawn::main()).expect("it is born");
        assert!(matches!(ended.main, Exit::Killed { by: Killer::Isolate(_) }), "{ended:?}");
    }
}

#[test]
fn a_run_on_the_thread_of_a_runtime_waits_for_nothing_of_the_runtime_s() {
    harness::apart(module_path!(), "a_run_on_the_thread_of_a_runtime_waits_for_nothing_of_the_runtime_s", || {
        let (host, _) = loaded(1);
        let module = host.load("prints", PRINTS.as_bytes()).expect("the text is a module");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("there are threads");
        let ended = runtime.block_on(async { host.run(&module, Spawn::main()) });
        assert_eq!(ended.expect("it is born").main, Exit::Returned);
    });
}

#[test]
fn two_runs_of_a_host_at_once_both_end() {
    for threads in 1..=3 {
        let (host, module) = loaded(threads);
        std::thread::scope(|scope| {
            let run = || {
                for _ in 0..50 {
                    let ended = host.run(&module, Spawn::entry("naps")).expect("there is room");
                    // One that ends ends the others.
                    assert!(matches!(ended.main, Exit::Returned | Exit::HostClosed), "{ended:?}");
                    assert_eq!(ended.asleep, None);
                }
            };
            let runs = [(); 3].map(|()| scope.spawn(run));
            runs.into_iter().for_each(|run| run.join().expect("it does not panic"));
        });
        assert_eq!(host.live(), 0);
    }
}

#[test]
fn where_the_system_has_no_thread_a_spawn_says_so_and_what_needs_none_runs() {
    harness::apart(module_path!(), "where_the_system_has_no_thread_a_spawn_says_so_and_what_needs_none_runs", || {
        let (host, module) = loaded(2);
        let run = || host.run(&module, Spawn::entry("returns")).map(|ended| ended.main);
        assert_eq!(run(), Ok(Exit::Returned));
        let bound = |bytes: &str| {
            let process = std::process::id().to_string();
            let bounded = Command::new("prlimit").args(["--pid", &process, &format!("--as={bytes}:")]).status();
            assert!(bounded.expect("util-linux has prlimit").success());
        };
        // Room for the stack of an isolate, and not for that of a thread.
        let pages = std::fs::read_to_string("/proc/self/statm").expect("a process can read its own size");
        let pages: u64 = pages.split(' ').next().and_then(|pages| pages.parse().ok()).expect("it begins with a number");
        bound(&(pages * 4096 + (1_800 << 10)).to_string());
        let refused = host.spawn(&module, Spawn::entry("returns")).map(drop);
        let also = run();
        bound("unlimited");
        assert!(matches!(refused, Err(SpawnError::NoRoom { max: 16, .. })), "{refused:?}");
        assert_eq!(also, Ok(Exit::Returned), "it needs none");
        assert_eq!(host.live(), 0);
        let again = host.spawn(&module, Spawn::entry("returns")).expect("there is a thread now");
        assert_eq!(again.join(), Exit::Returned);
    });
}

#[test]
fn whoever_is_called_attends_while_a_guest_computes() {
    let (host, module) = loaded(1);
    let summons = host.summons();
    let (attends, attended) = std::sync::mpsc::channel();
    let caller = std::thread::spawn({
        let (host, summons) = (host.clone(), summons.clone());
        move || {
            let begun = Instant::now();
            // One may be lost, where it comes at the moment of a turn's beginning.
            let comes = || {
                summons.call();
                attended.recv_timeout(SHORT).is_ok()
            };
            let is_heard = std::iter::repeat_with(comes).take_while(|_| begun.elapsed() < LONG).any(|comes| comes);
            // The guest ends in any case, and the run with it.
            host.shutdown(Duration::ZERO);
            assert!(is_heard, "nobody comes");
        }
    });
    let attend = || {
        // Whoever has heard it listens no more.
        let _ = attends.send(());
    };
    let ended = host.run_attended(&module, Spawn::entry("spins"), Wait::All, &summons, attend);
    assert_eq!(ended.expect("it is born").main, Exit::HostClosed);
    caller.join().expect("it was heard");
}

/// Runs this, which is ended when it is attended to, and answers how often that was.
fn attended(host: &Host, module: &Module, entry: &str) -> (usize, Exit) {
    let mut attended = 0;
    let (attends, is_attended) = std::sync::mpsc::channel();
    let ends = std::thread::spawn({
        let host = host.clone();
        // Without a word the run is over.
        move || is_attended.recv().into_iter().for_each(|()| drop(host.shutdown(Duration::ZERO)))
    });
    let attend = || {
        attended += 1;
        // Whoever ends it listens once.
        let _ = attends.send(());
    };
    let ended = host.run_attended(module, Spawn::entry(entry), Wait::All, &host.summons(), attend);
    drop(attends);
    ends.join().expect("it waits for a word only");
    (attended, ended.expect("it is born").main)
}

#[test]
fn before_somebody_waits_it_attends_and_never_where_there_is_nothing_to_wait_for() {
    let (host, module) = loaded(1);
    assert_eq!(attended(&host, &module, "returns"), (0, Exit::Returned));
    let (times, exit) = attended(&host, &module, "rests");
    assert!(times > 0 && exit == Exit::HostClosed, "{times}, {exit:?}");
}

#[test]
fn who_does_not_work_meanwhile_attends_before_it_waits() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("there is room for a runtime");
    let (host, module) = loaded(1);
    let (times, exit) = runtime.block_on(async { attended(&host, &module, "rests") });
    assert!(times > 0 && exit == Exit::HostClosed, "{times}, {exit:?}");
}
