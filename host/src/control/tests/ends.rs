//! Kills, and all else that asks for an end.

use super::*;
use crate::exit::Phase;

fn end(control: &Control) -> Option<Exit> {
    match control.end_of_turn() {
        TurnEnd::End(exit) => Some(exit),
        TurnEnd::Go | TurnEnd::Paused | TurnEnd::Asked { .. } => None,
    }
}

#[test]
fn s4_2_an_immediate_kill_is_seen_in_the_middle_of_a_turn() {
    let control = newborn();
    let (woken, attentive) = bells(&control);
    assert_eq!(control.ending(), None);
    control.end_now(killed());
    assert!(control.flags.any(Flags::END));
    assert_eq!((control.ending(), end(&control)), (Some(killed()), Some(killed())));
    assert_eq!((woken.rings(), attentive.rings()), (0, 1));
}

#[test]
fn s4_2_a_kill_before_the_next_event_waits_for_the_end_of_the_turn() {
    let control = newborn();
    let (woken, attentive) = bells(&control);
    control.end_after_turn(killed());
    assert!(!control.flags.any(Flags::END) && control.flags.any(Flags::END_OF_TURN));
    assert_eq!(control.ending(), None, "never from a busy loop");
    assert_eq!((woken.rings(), attentive.rings()), (1, 0));
    assert_eq!(end(&control), Some(killed()));
}

#[test]
fn s4_2_a_kill_ends_the_paused() {
    for kill in [Control::end_now, Control::end_after_turn] {
        let control = Control::new(Cradle { paused: true, ..cradle() });
        kill(&control, killed());
        assert_eq!(end(&control), Some(killed()));
    }
}

#[test]
fn the_first_reason_stays() {
    let control = newborn();
    control.end_now(Exit::Deadline { phase: Phase::Guest });
    control.end_now(killed());
    assert_eq!(control.ending(), Some(Exit::Deadline { phase: Phase::Guest }));
    let control = newborn();
    control.end_after_turn(killed());
    control.end_after_turn(Exit::HostClosed);
    assert_eq!(end(&control), Some(killed()));
}

#[test]
fn an_end_at_once_overtakes_one_at_the_end_of_the_turn() {
    let control = newborn();
    control.end_after_turn(killed());
    control.end_now(Exit::HostClosed);
    assert_eq!((control.ending(), end(&control)), (Some(Exit::HostClosed), Some(Exit::HostClosed)));
}

#[test]
fn a_request_before_the_body_is_there_is_in_force() {
    let control = newborn();
    control.end_now(killed());
    let (woken, attentive) = bells(&control);
    assert_eq!((woken.rings(), attentive.rings()), (0, 0));
    assert_eq!(end(&control), Some(killed()));
}

#[test]
fn s4_2_killing_the_dead_has_no_effect() {
    let control = newborn();
    let (woken, attentive) = bells(&control);
    control.die(Exit::Returned, || {}).unwrap();
    control.end_now(killed());
    control.end_after_turn(killed());
    assert_eq!((control.exit(), control.ending()), (Some(Exit::Returned), None));
    assert_eq!((woken.rings(), attentive.rings()), (0, 0));
    assert!(control.die(killed(), || panic!("it is dead")).is_none());
}

#[test]
fn a_body_that_comes_after_death_is_let_go() {
    let control = newborn();
    control.die(killed(), || {}).unwrap();
    let (woken, attentive) = bells(&control);
    assert_eq!((Arc::strong_count(&woken), Arc::strong_count(&attentive)), (1, 1));
}
