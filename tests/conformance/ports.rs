//! Ports and capabilities, as Dart's suites pin them.

use crate::semantics::tells;

#[test]
fn dart_capability_and_dart_port_equality() {
    let same = ["two differ: true", "equal after a trip: true", "one port, one key: 1", "equal when closed: true"];
    tells(
        "dart_capability",
        &[&same[..], &["found by what came back: Some(\"one\")", "a port is no capability: true"]].concat(),
    );
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
fn dart_request_reply_and_dart_count() {
    tells("dart_request_reply", &["10 right here, 10 there", "it is gone: true"]);
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
