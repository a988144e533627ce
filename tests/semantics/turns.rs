//! Semantics 1, 3.2, 3.3, 5.4 and 6.4: turns and sends, the parts of a handle, types, and an exit that is refused.

use super::tells_at;

#[test]
fn s1_1_a_request_is_in_force_when_its_call_returns() {
    tells_at("turn_rules", "in_force", &["as asked"]);
}

#[test]
fn s1_2_a_turn_ends_at_a_receive_that_finds_a_message_and_not_at_a_try() {
    let told = "still in the turn, the turn ends, the next turn";
    tells_at("turn_rules", "ends_of_turns", &[told]);
}

#[test]
fn s1_4_a_send_runs_nothing_and_waits_for_nobody() {
    tells_at("turn_rules", "sends", &["1000 sent to the deaf"]);
}

#[test]
fn s1_5_the_receiver_gets_a_deep_copy() {
    tells_at("turn_rules", "copies", &["[[1, 0, 0], [2]] [[1], []] [[1, 0], [2]]"]);
}

#[test]
fn s1_6_a_send_to_oneself_is_handled_in_a_later_turn() {
    let handled = ["sent, not handled", "handled 1", "handled 2", "handled 3"];
    tells_at("turn_rules", "to_myself", &handled);
}

#[test]
fn s3_2_each_part_of_a_handle_can_do_its_own() {
    tells_at("powers", "parts", &["control: echo 1 true", "pause: 4 3", "terminate: 5 2"]);
}

#[test]
fn s3_3_handles_can_be_sent_and_ones_own_has_all_authority() {
    tells_at("powers", "own", &["true 7"]);
}

#[test]
fn s6_4_a_message_of_another_type_is_an_error_of_who_receives_it() {
    let told = ["an error of the receive: true", "and the port works: true", "an error of who listens: true"];
    tells_at("misread", "typed", &told);
}

#[test]
fn s5_4_an_exit_whose_message_cannot_be_sent_is_an_error_and_no_exit() {
    tells_at("misread", "exits", &["too large: true, and it goes on", "its last message: 16 bytes"]);
}
