//! Semantics 4.6, 5 and 7: errors, and the order of what is heard of a death.

use super::tells;

#[test]
fn s5_1_sent_data_the_exit_message_and_the_notice_keep_their_order() {
    tells("exit_order", &["first", "second", "third", "last words", "late notice", "true 7"]);
}

#[test]
fn s7_1_a_panic_is_told_with_text_place_and_frames_before_the_exit() {
    tells("fail_at_once", &["error: text true, frames true", "exit"]);
}

#[test]
fn s5_a_returned_error_is_told_and_what_was_sent_before_arrives() {
    tells("returned_error", &["before", "ended", "not today"]);
}

#[test]
fn s4_6_errors_that_are_not_fatal_give_up_one_turn_each() {
    tells("errors_not_fatal", &["handled good", "error: bad one", "error: bad two"]);
}
