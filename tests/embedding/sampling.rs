//! Where isolates are that have a CPU, told again and again to who asks for it, and to nobody else.

use std::sync::mpsc;
use std::time::Duration;

use insula::{Event, Exit, Frame, Happened, Host, IsolateId, Module, Observation, Priority, Spawn};

/// One isolate that spins in a function of its own, another that does in another, and one that waits.
const TEXT: &str = r#"(module
    (import "insula:isolate/clock@0.1.0" "sleep" (func $sleep (param i64) (result i32)))
    (func $left (loop $again (br $again)))
    (func $right (loop $again (br $again)))
    (func $spins_left (export "left") (call $left))
    (func $spins_right (export "right") (call $right))
    (func $waits (export "waits") (drop (call $sleep (i64.const -1)))))"#;

/// Samples that are awaited, and events that are looked at for them at most.
const SAMPLES: usize = 20;
const EVENTS_MAX: usize = 1_000_000;

fn host() -> (Host, Module) {
    let host = Host::builder().isolates(4).threads(2).build().expect("there is room for a small host");
    let module = host.load("spins", TEXT.as_bytes()).expect("the text is a module");
    (host, module)
}

type Events = mpsc::Receiver<Event>;

fn sampled(host: &Host) -> (Observation, Events) {
    let (told, events) = mpsc::channel();
    let tell = move |batch: &[Event]| batch.iter().for_each(|event| drop(told.send(event.clone())));
    (host.observe_samples(Duration::from_millis(1), tell).expect("there is a thread"), events)
}

/// The next sample: whose it is, and where.
fn next(events: &Events) -> (IsolateId, Duration, Vec<Frame>) {
    let sample = events.iter().take(EVENTS_MAX).find_map(|event| match event.what {
        Happened::Sampled { took, frames, module } => {
            assert_eq!(module, "spins");
            Some((event.isolate.expect("it is an isolate's"), took, frames))
        }
        _ => None,
    });
    sample.expect("there are samples for as long as somebody runs")
}

fn name(frames: &[Frame]) -> &str {
    frames[0].function.as_deref().unwrap_or_default()
}

#[test]
fn who_runs_is_sampled_in_its_own_code_and_who_waits_is_not() {
    let (host, module) = host();
    let (observation, events) = sampled(&host);
    let isolates =
        ["left", "right", "waits"].map(|entry| host.spawn(&module, Spawn::entry(entry)).expect("it is there"));
    let ids = isolates.each_ref().map(|isolate| isolate.id());
    let mut counts = [0; 2];
    while counts.iter().any(|count| *count < SAMPLES) {
        let (id, took, frames) = next(&events);
        assert!(took > Duration::ZERO);
        // In the first one of each it may be at its very beginning.
        match () {
            () if id == ids[0] => {
                assert!(["left", "spins_left"].contains(&name(&frames)), "{frames:?}");
                counts[0] += usize::from(name(&frames) == "left");
            }
            () if id == ids[1] => {
                assert!(["right", "spins_right"].contains(&name(&frames)), "{frames:?}");
                counts[1] += usize::from(name(&frames) == "right");
            }
            () => assert!(id == ids[2] && name(&frames) == "waits", "it may be found before it waits: {frames:?}"),
        }
    }
    drop(observation);
    // Nobody samples any more.
    let rest = events.iter().count();
    assert!(events.try_recv().is_err(), "{rest} came before the end, and none after it");
    isolates.iter().for_each(|isolate| isolate.kill(Priority::Immediate));
}

#[test]
fn who_observes_something_else_is_told_of_no_sample() {
    let (host, module) = host();
    let (told, all) = mpsc::channel();
    let tell = move |batch: &[Event]| batch.iter().for_each(|event| drop(told.send(event.clone())));
    let others = [host.observe(tell.clone()), host.observe_lives(tell)];
    let (observation, events) = sampled(&host);
    let isolate = host.spawn(&module, Spawn::entry("left")).expect("it is there");
    next(&events);
    isolate.kill(Priority::Immediate);
    assert!(matches!(isolate.join(), Exit::Killed { .. }));
    drop((observation, others));
    let all: Vec<Event> = all.iter().collect();
    let births = all.iter().filter(|event| matches!(event.what, Happened::Born { .. })).count();
    assert_eq!(births, 2, "each of them was told of one: {all:?}");
    assert!(!all.iter().any(|event| matches!(event.what, Happened::Sampled { .. })), "{all:?}");
    let lives = events.iter().filter(|event| matches!(event.what, Happened::Ended { .. })).count();
    assert_eq!(lives, 1, "who samples is told of lives too");
}

#[test]
fn the_end_of_a_host_ends_its_samples() {
    let (host, module) = host();
    let (observation, events) = sampled(&host);
    let isolate = host.spawn(&module, Spawn::entry("right")).expect("it is there");
    next(&events);
    drop((isolate, host));
    assert!(events.iter().any(|event| matches!(event.what, Happened::Ended { .. })));
    drop(observation);
}
