//! Semantics 2 and 5.3: birth, families, and what keeps an isolate alive.

use super::tells;

#[test]
fn s2_1_a_child_has_fresh_globals_its_message_and_a_name() {
    tells("birth", &["first born is born", "child says 41", "it ended", "child says 51", "global is 2"]);
}

#[test]
fn s2_4_the_entry_of_a_paused_isolate_runs_when_all_pauses_are_lifted() {
    tells("birth_paused", &["Immediate pong", "BeforeNextEvent pong", "entered"]);
}

#[test]
fn s2_3_a_message_that_does_not_decode_is_an_exit_and_no_spawn_error() {
    let error =
        "initial message: the message does not decode as (u64, alloc::vec::Vec<alloc::string::String>), at byte 1";
    tells("start_failed", &[error, "ended", "missing entry refused: true"]);
}

#[test]
fn s2_7_children_outlive_their_parent() {
    tells("outlives_parent", &["the parent is gone", "grandchild: still here"]);
}

#[test]
fn s2_7_scoped_children_and_killed_trees_do_not() {
    tells("family", &["scoped child", "depth 0", "depth 1", "depth 2", "depth 3"]);
}

#[test]
fn s5_3_who_waits_learns_that_nobody_can_send() {
    tells(
        "unreachable",
        &[
            "nobody holds it: true",
            "queued messages come first: true",
            "gone with its holder: true",
            "lost in a message: true",
            "lost with an isolate: true",
        ],
    );
}

#[test]
fn s2_5_a_computation_comes_back_as_its_value_or_its_failure() {
    let values = ["Ok(4)", "Err(\"7 is odd\")"];
    let failures = ["panicked: true", "ended without a value: true", "timed out: true"];
    tells("computed", &[&values[..], &failures].concat());
}

#[test]
fn s5_3_timers_and_listeners_keep_an_isolate_alive() {
    let ticks = ["the entry returns", "2 ticks left", "1 ticks left", "0 ticks left", "it ended"];
    let messages = ["heard 0", "heard 1", "heard 2", "it ended"];
    tells("event_loop", &[&ticks[..], &messages].concat());
}

#[test]
fn dart_spawn_chain() {
    tells("chain", &["depth 10", "the others ended: true", "the last of the chain answers"]);
}

#[test]
fn dart_spawn_uri_args_message_nested_missing_and_name() {
    tells(
        "spawns_module",
        &[
            "named other_module",
            "other_module an argument, a message",
            "other_module, nested",
            "there is no module `missing too` here",
            "there is no module `missing` here",
            "there is no module `../other_module` here",
            "there is no module `/tmp/other_module.wasm` here",
            "spawning the module `other_module` needs a grant: Grant::module",
        ],
    );
}
