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
