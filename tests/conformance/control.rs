//! Kills, pauses, pings and their capabilities, as Dart's suites pin them.

use crate::semantics::{tells, tells_at};

#[test]
fn dart_kill_before_next_event() {
    tells("dart_kill_before_next_event", &["[1, 20, 2, 1000]"]);
}

#[test]
fn dart_kill_self() {
    tells("dart_kill_self", &["[1, 1000]"]);
}

#[test]
fn dart_pause() {
    tells("dart_pause", &["silence: true", "24 echoed, in order: true"]);
}

#[test]
fn dart_ping_while_paused() {
    tells("pause_holds", &["-1", "-2", "-3", "in order: true"]);
}

#[test]
fn dart_timer() {
    let paused = ["the entry ends first: 0", "none while paused: true", "[1, 2, 3]"];
    tells("dart_timer", &[&["not earlier: true"], &paused[..]].concat());
}

#[test]
fn dart_custom_capability() {
    let none = ["still paused: 500 true", "neither paused nor dead: 7", "neither paused nor dead: 7"];
    tells("dart_custom_capability", &[&none[..], &["errors are fatal: 1000 a fatal zero"]].concat());
}

#[test]
fn dart_resume_unknown() {
    tells("dart_resume_unknown", &["paused at birth: 100 true", "running: 1", "paused: 200 true", "resumed: 2"]);
}

#[test]
fn dart_ping_busy() {
    tells("dart_ping_busy", &["9 answers", "nothing else came: true"]);
}

#[test]
fn dart_ping_before_kill() {
    let answered = ["Immediate, the end", "Immediate, the end", "BeforeNextEvent, the end", "BeforeNextEvent, the end"];
    let busy = ["at once, the end of the busy", "the dead are silent: true"];
    tells("dart_ping_before_kill", &[&answered[..], &busy].concat());
}

#[test]
fn dart_ping_order() {
    tells_at("dart_corners", "ping_order", &["Immediate in order: true", "BeforeNextEvent in order: true"]);
}

#[test]
fn dart_pausing_oneself() {
    tells_at("dart_corners", "pauses_itself", &["the turn goes on", "it is paused", "the next turn"]);
}

#[test]
fn dart_kill_while_paused() {
    tells_at("dart_corners", "killed_while_paused", &["killed Immediate", "killed BeforeNextEvent"]);
}
