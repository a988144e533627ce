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
