//! Semantics 9: limits of mailboxes and trees.

use super::tells;

#[test]
fn s9_2_one_sender_fills_its_share_of_a_mailbox_and_no_more() {
    let lines = [
        "10 sent, then Err(the mailbox is full)",
        "10 sent, then Err(the mailbox is full)",
        "10 sent, then Err(the mailbox is full)",
        "room for oneself: 10",
        "40 were there",
    ];
    tells("sender_share", &lines);
}

#[test]
fn s9_3_a_tree_has_so_much_together_dead_ancestors_included() {
    let lines = [
        "2 more, then Err(the limit `descendants` of 4 is reached)",
        "the grandchild grew: false",
        "with enough for all: true",
        "true, Err(the mailbox is full)",
    ];
    tells("tree_limits", &lines);
}

#[test]
fn s9_2_a_full_mailbox_does_what_its_port_s_policy_says() {
    let lines = [
        "five fit: true, then Err(the mailbox is full)",
        "Error: [1, 2, 3, 4, 5]",
        "five fit: true, then Ok(())",
        "DropOldest: [2, 3, 4, 5, 6]",
        "five fit: true, then Err(the mailbox is full)",
        "for a while: Err(the deadline has passed)",
        "Wait: [1, 2, 3, 4, 5, 6]",
        "when there was room: true",
        "to oneself: true",
        "nor for a while: true",
    ];
    tells("full_mailbox", &lines);
}

#[test]
fn s9_an_isolate_opens_as_many_ports_as_it_may() {
    let lines = ["true, then: the limit of 100000 ports is reached", "each got its own: true", "room again: 10"];
    tells("many_ports", &lines);
}
