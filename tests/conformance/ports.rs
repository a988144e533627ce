//! Ports and capabilities, as Dart's suites pin them.

use crate::semantics::{tells, tells_at};

#[test]
fn dart_capability() {
    let same = ["two differ: true", "equal after a trip: true", "found by what came back: Some(\"one\")"];
    tells_at("dart_capability", "capability", &[&same[..], &["a port is no capability: true"]].concat());
}

#[test]
fn dart_port_equality() {
    let same = ["equal after a trip: true", "one port, one key: 1", "equal when closed: true"];
    tells_at("dart_capability", "port_equality", &same);
}

#[test]
fn dart_two_senders() {
    tells("dart_two_senders", &["1000 in their sender's order"]);
}

#[test]
fn dart_cross_isolate() {
    tells("dart_cross_isolate", &["from one sibling to another"]);
}

#[test]
fn dart_request_reply() {
    tells_at("dart_request_reply", "request_reply", &["21: 42", "7: 14"]);
}

#[test]
fn dart_count() {
    tells_at("dart_request_reply", "count", &["10 right here, 10 there", "it is gone: true"]);
}

#[test]
fn dart_closing_in_a_handler() {
    tells_at("dart_corners", "closes_another", &["one 1, one 3"]);
}

#[test]
fn dart_message_to_the_dead() {
    tells_at("dart_corners", "to_the_dead", &["refused: true, equal: true", "nobody is left: true"]);
}

#[test]
fn dart_receive_port_stream() {
    let ends = [
        "kept until received: Ok(1)",
        "first: Ok(2), closed: true",
        "by_ref: [1, 2], closed: false",
        "take: [3], closed: true",
        "breaking out closes: true",
        "closed twice: true, dropped: true",
        "first of a closed: true",
        "first of an empty: true",
        "closed in its handler: [1, 2]",
    ];
    tells("dart_receive_port_stream", &ends);
}
