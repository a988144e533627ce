//! Semantics 1, 3.4, 3.5 and 6: sending, closing, sameness.

use super::tells;

#[test]
fn s1_4_ports_refuse_at_the_sender_and_are_equal_to_themselves() {
    tells(
        "port_rules",
        &[
            "from myself: 1",
            "equal after a round trip: true",
            "equal after the close: true",
            "a send to a closed port is refused: true",
            "a capability is itself: true",
            "too large: true",
            "the port still works: 100",
        ],
    );
}

#[test]
fn dart_transferable() {
    let lines = [
        "one, two",
        "1048576 bytes, the last is 7, then 7",
        "gone: true true",
        "once",
        "twice",
        "a second take is an error: true",
        "refused: true",
        "not born: true",
        "still mine: mine",
        "over the limit: true",
        "no room to receive: Err(the handle table has no room)",
        "the message was kept: 400",
    ];
    tells("blobs", &lines);
}

#[test]
fn s6_5_a_name_has_one_owner_and_goes_with_it() {
    let lines = [
        "nobody yet: Err(there is no port named `log`)",
        "taken: true",
        "the same each time: true",
        "another's: Err(the name `log` belongs to another isolate)",
        "heard: true",
        "gone with its owner: true",
        "removed: true",
        "names need a grant: Grant::names of an embedder; `insula run` gives one",
    ];
    tells("names", &lines);
}
