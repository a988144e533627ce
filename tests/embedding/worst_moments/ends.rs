//! Waits for the end of an isolate, of a computation, of a run and of a host.

use std::sync::mpsc;
use std::time::Duration;

use insula::{Doing, Exit, Host, Isolate, IsolateId, Limits, MailboxPolicy, Priority, RunError, Spawn, Wait};

use super::{LONG, MOMENTS, Moment, begun, block_on, host, module, started};
use crate::harness;

/// A way to wait for an end, and the end.
type Ended = fn(&Isolate) -> Option<Exit>;

const WAITS: [(&str, Ended); 8] = [
    ("join", |isolate| Some(isolate.join())),
    ("join_timeout", |isolate| isolate.join_timeout(LONG)),
    ("ended", |isolate| Some(block_on(isolate.ended()))),
    ("ended_within", |isolate| block_on(isolate.ended_within(LONG))),
    ("stop", |isolate| isolate.stop(LONG)),
    ("stop_async", |isolate| block_on(isolate.stop_async(LONG))),
    ("stop_tree", |isolate| only(isolate.stop_tree(LONG))),
    ("stop_tree_async", |isolate| only(block_on(isolate.stop_tree_async(LONG)))),
];

fn only(mut ended: Vec<(IsolateId, Exit)>) -> Option<Exit> {
    ended.pop().filter(|_| ended.is_empty()).map(|(_, exit)| exit)
}

#[test]
fn whoever_waits_for_an_end_is_told_of_it_whatever_it_is() {
    for moment in MOMENTS {
        let host = host();
        let isolate = host.spawn(&module(&host), moment.spawn()).expect("there is room");
        let (tell, told) = mpsc::channel();
        isolate.on_end(move |exit| tell.send(exit.clone()).expect("it is waited for"));
        let waits = WAITS.map(|(name, wait)| {
            let isolate = isolate.clone();
            (name, begun(move || wait(&isolate)).waits())
        });
        moment.comes(&host, &isolate);
        for (name, waited) in waits {
            let exit = waited.ends((name, moment));
            assert!(exit.as_ref().is_some_and(|exit| moment.is_end(exit)), "{name}, {moment:?}: {exit:?}");
        }
        assert!(begun(move || told.recv()).ends(moment).is_ok_and(|exit| moment.is_end(&exit)), "{moment:?}");
    }
}

#[test]
fn whoever_waits_for_a_value_is_told_that_its_isolate_died() {
    type Computation = insula::Computation<u64>;
    type Compute = fn(Computation) -> Result<u64, RunError>;
    const COMPUTES: [(&str, Compute); 3] = [
        ("join", |computation| computation.join()),
        ("join_timeout", |computation| computation.join_timeout(LONG)),
        ("await", |computation| block_on(async { computation.await })),
    ];
    for moment in [Moment::KilledInItsCode, Moment::KilledBeforeItsEntry, Moment::ClosedInItsCode] {
        for (name, compute) in COMPUTES {
            let host = host();
            let module = host.load_file(harness::guest("computes")).expect("the guest is a module");
            let computation = host.compute::<(), u64>(&module, moment.spawn(), &()).expect("it has an entry");
            let isolate = computation.isolate().clone();
            let computed = begun(move || compute(computation)).waits();
            moment.comes(&host, &isolate);
            let error = computed.ends((name, moment));
            assert!(matches!(error, Err(RunError::Remote(_))), "{name}, {moment:?}: {error:?}");
        }
    }
}

#[test]
fn whoever_runs_a_program_is_told_that_its_host_was_shut_down() {
    type Run = fn(&Host, Spawn) -> Exit;
    const RUNS: [(&str, Run); 3] = [
        ("run", |host, main| host.run(&module(host), main).expect("it is born").main),
        ("until all", |host, main| host.run_until(&module(host), main, Wait::All).expect("it is born").main),
        ("until main", |host, main| host.run_until(&module(host), main, Wait::Main).expect("it is born").main),
    ];
    for moment in [Moment::ClosedInItsCode, Moment::ClosedInACall] {
        for (name, run) in RUNS {
            let host = host();
            let own = host.clone();
            // Where it is in its code, that runs on the thread that waits for it.
            let ran = started(move || run(&own, moment.spawn()));
            let is_there = |main: &Isolate| match main.stack(LONG).map(|stack| stack.doing) {
                Ok(Doing::Runs) => matches!(moment, Moment::ClosedInItsCode),
                Ok(Doing::Waits { call }) => call.is_some() && matches!(moment, Moment::ClosedInACall),
                _ => false,
            };
            while !host.isolates().iter().any(is_there) {
                std::thread::yield_now();
            }
            host.shutdown(Duration::ZERO);
            assert_eq!(ran.ends((name, moment)), Exit::HostClosed, "{name}, {moment:?}");
        }
    }
}

/// As `calls_host` has it, as far as it is told here.
#[derive(serde::Serialize, serde::Deserialize)]
enum Order {
    Double(u64),
    Find(String),
    Misuse,
    Whoami,
    Children,
    Wait,
}

/// A host with an isolate in each state that one can be in, and what keeps them there.
fn full_house() -> (Host, Vec<Isolate>, Box<dyn Send>) {
    let host = Host::builder().isolates(16).threads(2).cache_folder(harness::cache()).on_uncaught(|_| ());
    let host = host.build().expect("there is room");
    let text = module(&host);
    let spawn = |spawn: Spawn| host.spawn(&text, spawn).expect("there is room");
    let paused = spawn(Spawn::entry("loops"));
    let _token = paused.pause();
    let mut isolates = vec![
        paused,
        spawn(Spawn::entry("loops")),
        spawn(Spawn::entry("loops")),
        spawn(Spawn::entry("waits")),
        spawn(Spawn::entry("waits").paused(true)),
    ];
    // At a port of the embedder's that is full.
    let full = host.receive_port_with::<u32>(&Limits::default().mailbox(1, 1_000), MailboxPolicy::Wait);
    let fills = host.load_file(harness::guest("fills_a_port")).expect("the guest is a module");
    isolates.push(host.spawn(&fills, Spawn::main().message(&full.send_port())).expect("there is room"));
    // In a function of the embedder's that does not come back before this is dropped.
    let module = host.load_file(harness::guest("calls_host")).expect("the guest is a module");
    let (called, calls_begin) = mpsc::channel();
    let (keep, kept) = mpsc::channel::<()>();
    let kept = std::sync::Mutex::new(kept);
    let gate = host.function("gate", move |_: &insula::Caller, (): ()| {
        called.send(()).expect("it is waited for");
        let _ = kept.lock().expect("nobody panics").recv();
    });
    let spawn = Spawn::entry("run").function(&gate.expect("there are threads"));
    let calls = host.open::<Order, String>(&module, spawn).expect("it has an entry");
    calls.tell(&Order::Wait, LONG).expect("it serves");
    calls_begin.recv().expect("it is called");
    isolates.push(calls.isolate().clone());
    (host, isolates, Box::new((full, keep, calls)))
}

#[test]
fn whoever_shuts_a_host_down_comes_back_whatever_its_isolates_are_at() {
    let (host, isolates, kept) = full_house();
    let (own, patient) = (host.clone(), host.clone());
    // One that has patience with those who do not heed it, and one that has none.
    let waits = begun(move || patient.shutdown(LONG)).waits();
    let ended = begun(move || own.shutdown(Duration::ZERO)).ends("shutdown").len();
    assert!(ended <= isolates.len());
    waits.ends("shutdown with grace");
    assert!(isolates.iter().all(|isolate| isolate.exit() == Some(Exit::HostClosed)));
    assert!(host.spawn(&module(&host), Spawn::entry("loops")).is_err());
    drop(kept);
}

#[test]
fn whoever_drops_the_last_of_a_host_comes_back_whatever_its_isolates_are_at() {
    let (host, isolates, kept) = full_house();
    begun(move || drop(host)).ends("dropped");
    assert!(isolates.iter().all(|isolate| isolate.join() == Exit::HostClosed));
    isolates.iter().for_each(|isolate| isolate.kill(Priority::Immediate));
    drop(kept);
}
