//! Pings.

use super::*;

fn ping(control: &Control, observer: &Observer, priority: Priority) {
    control.ping(observer.right(), message("pong"), priority).unwrap();
}

fn pong() -> Vec<(Kind, String)> {
    said([(Kind::Ping, "pong")])
}

#[test]
fn s4_3_an_immediate_ping_is_answered_at_once() {
    let (control, observer) = (Control::new(Cradle { paused: true, ..cradle() }), Observer::new());
    ping(&control, &observer, Priority::Immediate);
    assert_eq!(observer.heard(), pong());
    assert!(observer.is_unreachable(), "the right is let go");
}

#[test]
fn s4_3_other_pings_are_answered_at_the_end_of_the_turn() {
    let (control, observer) = (newborn(), Observer::new());
    let (woken, attentive) = bells(&control);
    ping(&control, &observer, Priority::BeforeNextEvent);
    assert_eq!(observer.heard(), []);
    assert!(!observer.is_unreachable(), "a pending ping is a holder");
    assert!(control.flags.any(Flags::PINGED));
    assert_eq!((woken.rings(), attentive.rings()), (1, 0));
    assert!(matches!(control.end_of_turn(), TurnEnd::Go));
    assert_eq!(observer.heard(), pong());
    assert!(!control.flags.any(Flags::PINGED));
    assert!(matches!(control.end_of_turn(), TurnEnd::Go));
    assert_eq!((observer.heard(), observer.load()), (vec![], (0, 0)));
}

#[test]
fn s4_3_a_paused_isolate_answers_where_it_waits() {
    let (control, observer) = (Control::new(Cradle { paused: true, ..cradle() }), Observer::new());
    ping(&control, &observer, Priority::BeforeNextEvent);
    assert!(matches!(control.end_of_turn(), TurnEnd::Paused));
    assert_eq!(observer.heard(), pong());
}

#[test]
fn pings_are_answered_in_the_order_of_the_asking() {
    let (control, observer) = (newborn(), Observer::new());
    for text in ["a", "b", "c"] {
        control.ping(observer.right(), message(text), Priority::BeforeNextEvent).unwrap();
    }
    control.ping(observer.right(), message("now"), Priority::Immediate).unwrap();
    control.end_of_turn();
    let expected = [(Kind::Ping, "now"), (Kind::Ping, "a"), (Kind::Ping, "b"), (Kind::Ping, "c")];
    assert_eq!(observer.heard(), said(expected));
}

#[test]
fn s4_3_a_kill_before_the_next_event_answers_the_pings_before_it() {
    let (control, observer) = (newborn(), Observer::new());
    ping(&control, &observer, Priority::BeforeNextEvent);
    control.end_after_turn(killed());
    assert!(matches!(control.end_of_turn(), TurnEnd::End(_)));
    control.die(killed(), || {}).unwrap();
    assert_eq!(observer.heard(), pong());
}

#[test]
fn s4_3_a_death_that_finds_its_target_waiting_answers_the_pings_before_it() {
    let (control, observer) = (newborn(), Observer::new());
    control.add_exit_listener(observer.right(), message("gone")).unwrap();
    control.flags.set(Flags::WAITING);
    ping(&control, &observer, Priority::BeforeNextEvent);
    control.die(killed(), || {}).unwrap();
    assert_eq!(observer.heard(), said([(Kind::Ping, "pong"), (Kind::Exit, "gone")]));
}

#[test]
fn s4_3_a_kill_in_a_busy_loop_drops_the_pings_that_wait_for_its_end() {
    let (control, observer) = (newborn(), Observer::new());
    // As its first wait does when it is over.
    control.flags.clear(Flags::WAITING);
    ping(&control, &observer, Priority::BeforeNextEvent);
    control.die(killed(), || {}).unwrap();
    assert_eq!((observer.heard(), observer.load()), (vec![], (0, 0)));
    assert!(observer.is_unreachable());
}

#[test]
fn the_end_of_the_host_answers_no_pings() {
    let (control, observer) = (newborn(), Observer::new());
    control.flags.set(Flags::WAITING);
    ping(&control, &observer, Priority::BeforeNextEvent);
    control.die(Exit::HostClosed, || {}).unwrap();
    assert_eq!((observer.heard(), observer.load()), (vec![], (0, 0)));
}

#[test]
fn s4_3_the_dead_answer_no_pings() {
    let (control, observer) = (newborn(), Observer::new());
    control.flags.set(Flags::WAITING);
    control.die(Exit::Returned, || {}).unwrap();
    for priority in [Priority::Immediate, Priority::BeforeNextEvent] {
        ping(&control, &observer, priority);
    }
    control.end_of_turn();
    assert_eq!((observer.heard(), observer.load()), (vec![], (0, 0)));
}
