//! Semantics 1.4, 1.5, 6.4 and 6.7: what can be sent, and what is refused.

use insula::{Exit, Host, Isolate, Limits, Priority, SendPort, Spawn};

use super::tells;
use crate::harness;

#[test]
fn dart_simple_nested_ordered() {
    tells(
        "simple_values",
        &[
            "simple: 27 of 27 are the same",
            "nested: 4 of 4 are the same",
            "six in order: 6 of 6 are the same",
            "through the port",
            "{\"ages\": [7, 9], \"name\": \"Bob\"} Some(\"Bob\") Some(9) None",
        ],
    );
}

#[test]
fn s6_4_a_message_is_encoded_once_for_many_and_decoded_where_it_lies() {
    tells(
        "encoded",
        &[
            "1 5 bytes, last Some('t')",
            "1 5 bytes, last Some('t')",
            "2 2097153 bytes, last Some('y')",
            "1 5 bytes, last Some('t')",
            "2 2097153 bytes, last Some('y')",
            "empty: true, true",
            "another type: true",
            "closed: true",
            "an error is a value: true",
            "a blob goes once: [true, false]",
            "nobody can answer: Err(true)",
        ],
    );
}

#[test]
fn dart_user_types() {
    tells("user_types", &["came back the same: true"]);
}

#[test]
fn dart_object_leak() {
    tells(
        "object_leak",
        &[
            "the receiver has [null, \"text\", \"more\"], the sender [[1, 2], \"text\"]",
            "the sender has [], the second copy is [[1, 2], \"text\"]",
        ],
    );
}

#[test]
fn dart_unsendable() {
    tells(
        "unsendable",
        &[
            "send: jobs[2].callback: 30 is no digit",
            "in a map: by_name[\"b\"].callback: 50 is no digit",
            "borrowed: shared: already mutably borrowed",
            "initial message: jobs[2].callback: 30 is no digit",
            "response of a birth: jobs[2].callback: 30 is no digit",
            "responses: [Err(jobs[2].callback: 30 is no digit), Err(jobs[2].callback: 30 is no digit)]",
            "the port still works: 4",
            "exit: jobs[2].callback: 30 is no digit",
            "nothing else came: true",
        ],
    );
}

#[test]
fn dart_deep_nesting() {
    let told =
        |what: &str| format!("{what} comes back the same: true, deeper is refused: true, nothing of it came: true");
    let lines = [
        told("list"),
        told("map"),
        told("branches"),
        told("pairs"),
        "crafted: true, then: next".to_owned(),
        "initial message: the message is nested deeper than 512 levels".to_owned(),
    ];
    tells("deep_nesting", &lines.each_ref().map(String::as_str));
}

#[test]
fn dart_large() {
    accounts(
        "large_messages",
        &["2097152 whole: true", "67108859 whole: true", "one more is too large: true", "the port still works: 1"],
    );
}

#[test]
fn s6_7_a_message_has_at_most_255_capabilities() {
    accounts(
        "many_capabilities",
        &[
            "255 come back the same: true",
            "256: the message holds more than 255 capabilities",
            "256 of one: true",
            "the port still works: 0",
        ],
    );
}

/// As [`tells`], for a program that stands still before and after what it does: its accounts are the same then.
pub(super) fn accounts(name: &str, lines: &[&str]) {
    let path = harness::guest(name);
    for seed in [Some(1), None] {
        let builder = Host::builder().isolates(16).cache_folder(harness::cache());
        let builder = seed.map_or(builder.clone().threads(2), |seed| builder.seed(seed));
        let host = builder.build().expect("there is room for a small host");
        let module = host.load_file(&path).expect("the guest is a module");
        let (report, steps) = (host.receive_port::<String>(), host.receive_port::<SendPort<()>>());
        let spawn = Spawn::entry("run").limits(Limits::default().memory(512 << 20));
        let isolate = host.spawn(&module, spawn.message(&(report.send_port(), steps.send_port())));
        let isolate = isolate.expect("the guest has an entry `run`");
        let step = steps.first().expect("it says when it is ready");
        let before = settled(&host, &isolate);
        step.send(()).expect("it waits for this");
        let mut told = Vec::new();
        while told.len() + 1 < lines.len() {
            told.push(report.recv().expect("it tells so many lines"));
        }
        assert_eq!(settled(&host, &isolate), before, "{name} under {seed:?}: messages, bytes and handles");
        step.send(()).expect("it waits for this");
        told.extend(report.messages().map(|line| line.expect("it tells text")));
        assert_eq!(told, lines, "{name} under {seed:?}");
        assert_eq!(isolate.join(), Exit::Returned);
    }
}

/// Messages, bytes and handles of an isolate at the end of its turn.
fn settled(host: &Host, isolate: &Isolate) -> (u64, u64, usize) {
    let answered = host.receive_port::<()>();
    isolate.ping(&answered.send_port(), (), Priority::BeforeNextEvent).expect("there is room for the answer");
    answered.recv().expect("it waits, so it answers");
    let (messages, bytes) = isolate.mailbox_load();
    (messages, bytes, isolate.handles())
}
