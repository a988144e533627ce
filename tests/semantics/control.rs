//! Semantics 3 and 4: authority, kill, pause, ping, listeners.

use super::tells;

#[test]
fn s4_2_kill_immediate_ends_a_busy_loop_and_nobody_else() {
    tells("kill_busy", &["killed", "errors: false", "the sibling lives"]);
}

#[test]
fn s4_2_the_parked_the_paused_and_the_unborn_are_killed() {
    tells("kill_parked", &["receive", "sleep", "sleep of wasi", "not started", "started: false"]);
}

#[test]
fn s4_2_kill_before_next_event_finishes_the_turn() {
    tells("kill_at_turn_end", &["0", "1", "2", "1000"]);
}

#[test]
fn s4_1_a_pause_holds_messages_back_and_loses_none() {
    tells("pause_holds", &["-1", "-2", "-3", "in order: true"]);
}

#[test]
fn s4_3_a_busy_loop_answers_immediate_pings_only() {
    tells("ping_busy", &["at once", "the loop is over", "at the end of the turn"]);
}

#[test]
fn s4_4_exit_and_error_listeners_are_told_once() {
    tells("listeners", &["last response", "late", "more: false false", "ended", "as told, as told", "twice: false"]);
}

#[test]
fn s3_1_a_request_without_its_capability_is_ignored() {
    tells("authority", &["alive and not paused: 7", "the name needs nothing: echo", "killed: 1000"]);
}

#[test]
fn dart_mutual_kill() {
    tells("mutual_kill", &["more exits than isolates: false"]);
}
