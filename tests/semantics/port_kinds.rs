//! Semantics 4.8 and 6.1 to 6.4: raw ports, broadcast, untyped ports, questions and links.

use super::messages::accounts;
use super::tells;

#[test]
fn dart_raw_port() {
    tells(
        "raw_port",
        &[
            "Data 2 at the first",
            "Data 3 at the first",
            "4 at the second",
            "Data 6 at the first",
            "Exit 7 at the first",
            "closed: Err(the port is closed)",
            "an open port need not keep its isolate",
        ],
    );
}

#[test]
fn dart_receive_port_stream_broadcast() {
    tells(
        "broadcast",
        &[
            "taken: 0",
            "first: 1",
            "first: 2",
            "second: 3",
            "third: 3",
            "second: 4",
            "nobody listened",
            "last: 5",
            "last: 6",
            "taken in a handler: Ok(7)",
            "it ended",
        ],
    );
}

#[test]
fn dart_null_and_error_on_one_port() {
    tells(
        "untyped_notices",
        &[
            "Data: null, two strings: false",
            "Error: not today, two strings: true",
            "Exit: null, two strings: false",
            "Ping 5, Exit response",
            "a port of another type is refused: true",
        ],
    );
}

#[test]
fn a_question_is_answered_or_its_end_is_told_and_nothing_is_left() {
    accounts(
        "questions",
        &[
            "answered: Ok(144)",
            "forgotten: true",
            "kept: true",
            "misunderstood: true",
            "died: true",
            "dead: true",
            "first: Ok(7), then: Err(the port is closed)",
            "nothing is left",
        ],
    );
}

#[test]
fn a_link_is_typed_both_ways_and_either_end_sees_the_other_go() {
    tells(
        "duplex_link",
        &[
            "[0, 4, 7] from lengths",
            "killed: Err(nobody can send to the port)",
            "killed: Err(the port is closed)",
            "what was sent before comes first: Ok(1) Err(nobody can send to the port)",
            "never opened: Err(the port is closed) Err(nobody can send to the port)",
            "through two hands",
            "the child sees its parent go: true true",
        ],
    );
}
