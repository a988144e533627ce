//! Whoever observes a host is told all that happens in it, each thing once, with what belongs together.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc;
use std::time::Duration;

use insula::{Event, Exit, Happened, Host, IsolateId, Observation, Spawn, Then};

use crate::harness;

/// What an observer was told until its observation ended.
struct Observed {
    observation: Observation,
    events: mpsc::Receiver<Event>,
}

impl Observed {
    fn begin(host: &Host) -> Observed {
        let (told, events) = mpsc::channel();
        let observation = host.observe(move |batch| batch.iter().for_each(|event| drop(told.send(event.clone()))));
        Observed { observation: observation.expect("there is a thread"), events }
    }

    fn end(self) -> Vec<Event> {
        drop(self.observation);
        let mut events: Vec<Event> = self.events.iter().collect();
        events.sort_by_key(|event| event.at);
        events
    }
}

fn host() -> Host {
    let builder = Host::builder().isolates(16).threads(2).cache_folder(harness::cache());
    builder.build().expect("there is room for a small host")
}

/// Runs the program of two isolates that play ping-pong.
fn pingpong(host: &Host) {
    runs(host, "pingpong");
}

fn runs(host: &Host, example: &str) {
    let module = host.load_file(harness::example(example)).expect("the example is a module");
    let ended = host.run(&module, Spawn::main().args([example])).expect("it can be run");
    assert_eq!(ended.main, Exit::Returned);
}

#[test]
fn every_birth_turn_message_and_end_is_told() {
    let host = host();
    let observed = Observed::begin(&host);
    pingpong(&host);
    let events = observed.end();

    let mut lives: HashMap<IsolateId, (Vec<&Happened>, Duration)> = HashMap::new();
    for event in &events {
        let Some(isolate) = event.isolate else { panic!("nothing is the embedder's: {event:?}") };
        let (happened, rest) = lives.entry(isolate).or_default();
        if let Happened::Ran { took, .. } = &event.what {
            assert!(*rest <= event.at, "nobody runs twice at one time: {event:?}");
            *rest = event.at + *took;
        }
        happened.push(&event.what);
    }
    assert_eq!(lives.len(), 2, "{events:?}");
    for (happened, _) in lives.values() {
        assert!(matches!(happened[0], Happened::Born { .. }), "{happened:?}");
        assert!(matches!(happened.last(), Some(Happened::Ended { exit: Exit::Returned })), "{happened:?}");
        let over = happened.iter().filter(|what| matches!(what, Happened::Ran { then: Then::Over, .. })).count();
        assert_eq!(over, 1, "{happened:?}");
        let call = Some("ports.receive");
        assert!(
            happened
                .iter()
                .any(|what| matches!(what, Happened::Ran { then: Then::Waits { call: c }, .. } if *c == call))
        );
    }
    let parents = lives.values().filter_map(|(happened, _)| match happened[0] {
        Happened::Born { parent, .. } => Some(*parent),
        _ => None,
    });
    let parents: HashSet<_> = parents.collect();
    let main = *lives.keys().min().expect("there are two");
    assert_eq!(parents, HashSet::from([None, Some(main)]));
}

#[test]
fn a_message_that_was_received_was_sent_once_and_before() {
    let host = host();
    let observed = Observed::begin(&host);
    pingpong(&host);
    runs(&host, "parallel"); // whose isolates say what they computed as they exit
    let events = observed.end();
    let sent = events.iter().filter_map(|event| match event.what {
        Happened::Sent { to: Some(to), message, bytes } => Some(((to, message), (event.at, bytes))),
        _ => None,
    });
    let sent: HashMap<_, _> = sent.collect();
    let received = events.iter().filter_map(|event| match (event.isolate, &event.what) {
        (Some(isolate), Happened::Received { message, bytes, notice: None }) => {
            Some((isolate, *message, event.at, *bytes))
        }
        _ => None,
    });
    let received: Vec<_> = received.collect();
    assert!(received.len() > 2, "{events:?}");
    for (isolate, message, at, bytes) in received {
        let (sent_at, sent_bytes) = sent[&(isolate, message)];
        assert!(sent_at <= at && sent_bytes == bytes, "message {message} of {isolate}");
    }
}

#[test]
fn what_happened_before_and_after_an_observation_is_not_told_and_others_go_on() {
    let host = host();
    let module = host.load("page", b"(module (func (export \"run\")))").expect("the text is a module");
    let run = |name: &str| host.spawn(&module, Spawn::entry("run").debug_name(name)).expect("it has an entry").join();
    let born = |events: Vec<Event>| -> Vec<String> {
        let names = events.into_iter().filter_map(|event| match event.what {
            Happened::Born { name, .. } => Some(name),
            _ => None,
        });
        names.collect()
    };
    run("before");
    let (first, panics) = (Observed::begin(&host), host.observe(|_| panic!("an observer's own")));
    run("both");
    let second = Observed::begin(&host);
    run("all");
    assert_eq!(born(first.end()), ["both", "all"]);
    run("one");
    assert_eq!(born(second.end()), ["all", "one"]);
    run("nobody");
    drop(panics);
    let third = Observed::begin(&host);
    assert_eq!(born(third.end()), [""; 0]);
}

#[test]
fn the_end_of_a_host_is_told_to_who_still_observes() {
    let host = host();
    let module = host.load("loops", b"(module (func (export \"run\") (loop (br 0))))").expect("the text is a module");
    let Observed { observation, events } = Observed::begin(&host);
    let isolate = host.spawn(&module, Spawn::entry("run")).expect("it has an entry");
    let id = isolate.id();
    drop((isolate, host));
    let events: Vec<Event> = events.iter().collect();
    let ends = events.into_iter().filter(|event| event.isolate == Some(id)).filter_map(|event| match event.what {
        Happened::Ended { exit } => Some(exit),
        _ => None,
    });
    assert_eq!(ends.collect::<Vec<_>>(), [Exit::HostClosed]);
    drop(observation);
}

#[test]
fn who_observes_lives_is_told_of_no_turn_and_no_message() {
    let host = host();
    let (told, events) = mpsc::channel();
    let lives = host.observe_lives(move |batch| batch.iter().for_each(|event| drop(told.send(event.clone()))));
    pingpong(&host);
    let all = Observed::begin(&host);
    pingpong(&host);
    let all = all.end();
    drop(lives);
    let is_of_lives = |event: &Event| matches!(event.what, Happened::Born { .. } | Happened::Ended { .. });
    let lives: Vec<Event> = events.iter().collect();
    assert!(lives.len() == 8 && lives.iter().all(is_of_lives), "{lives:?}");
    assert!(all.iter().filter(|event| is_of_lives(event)).count() == 4 && all.len() > 8, "{all:?}");
}

#[test]
fn a_recording_has_what_an_observer_is_told_and_nothing_for_others() {
    let host = host();
    let (observed, recording) = (Observed::begin(&host), host.record(1_000_000).expect("there is a thread"));
    let others = [host.observe_spans(|_| ()), host.observe_samples(Duration::from_millis(1), |_| ())];
    pingpong(&host);
    runs(&host, "parallel");
    drop(others);
    let (recorded, told) = (recording.stop(), observed.end());
    assert_eq!(recorded.missed, 0);
    assert!(recorded.events.is_sorted_by_key(|event| event.at) && recorded.events.len() > 30, "{recorded:?}");
    // Of two things at one time either may come first.
    let texts = |events: &[Event]| {
        let mut texts: Vec<String> = events.iter().map(|event| format!("{event:?}")).collect();
        texts.sort();
        texts
    };
    assert_eq!(texts(&recorded.events), texts(&told));
    assert_eq!(host.record(10).expect("there is a thread").stop().events, []);
}

#[test]
fn a_recording_keeps_what_it_has_room_for_and_counts_the_rest() {
    let host = host();
    let [small, none, all] = [5, 0, 1_000_000].map(|max| host.record(max).expect("there is a thread"));
    pingpong(&host);
    let [small, none, all] = [small, none, all].map(insula::Recording::stop);
    let (events, first) = (all.events.len() as u64, &all.events[0]);
    assert!(events > 10 && all.missed == 0 && matches!(first.what, Happened::Born { .. }), "{all:?}");
    assert_eq!((small.events.len(), small.missed), (5, events - 5));
    assert_eq!((none.events.len(), none.missed), (0, events));
    // The texts have a bound of their own.
    let (name, births) = ("x".repeat(1 << 20), 70);
    let module = host.load("page", b"(module (func (export \"run\")))").expect("the text is a module");
    let recording = host.record(1_000_000).expect("there is a thread");
    for _ in 0..births {
        let isolate = host.spawn(&module, Spawn::entry("run").debug_name(&name)).expect("it has an entry");
        assert!(isolate.join().is_ok());
    }
    let recorded = recording.stop();
    let born = recorded.events.iter().filter(|event| matches!(event.what, Happened::Born { .. })).count() as u64;
    assert_eq!(born + recorded.missed, births);
    assert!((60..64).contains(&born), "{born} of {births} are kept");
}

#[test]
fn a_recording_outlives_its_host() {
    let host = host();
    let module = host.load("loops", b"(module (func (export \"run\") (loop (br 0))))").expect("the text is a module");
    let recording = host.record(1_000_000).expect("there is a thread");
    let isolate = host.spawn(&module, Spawn::entry("run")).expect("it has an entry");
    drop((isolate, host));
    let recorded = recording.stop();
    let last = recorded.events.last().map(|last| &last.what);
    assert_eq!(last, Some(&Happened::Ended { exit: Exit::HostClosed }));
}

#[test]
fn a_thread_that_sends_to_many_hosts_and_ends_is_told_of_at_each() {
    let hosts = [(); 3].map(|()| Host::builder().isolates(1).build().expect("there is room for a small host"));
    let recordings = hosts.each_ref().map(|host| host.record(1_000_000).expect("there is a thread"));
    let ports = hosts.each_ref().map(Host::receive_port::<u32>);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..1_000 {
                    ports.iter().for_each(|port| port.send_port().send(n).expect("it is open"));
                }
            });
        }
    });
    for recording in recordings {
        let recorded = recording.stop();
        let sent = recorded.events.iter().filter(|event| matches!(event.what, Happened::Sent { .. })).count();
        assert_eq!((sent, recorded.missed), (4_000, 0));
    }
}
