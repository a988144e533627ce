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
