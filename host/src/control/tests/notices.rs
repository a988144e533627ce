//! The room of notices: reserved when asked for, used or given back, never more and never less.

use super::*;

/// Everything that reserves room at an observer, by its name.
type Asking = fn(&Control, &Observer) -> Result<(), Status>;

const ASKING: [(&str, Asking); 5] = [
    ("exit", |control, observer| control.add_exit_listener(observer.right(), message("gone"))),
    ("error", |control, observer| control.add_error_listener(observer.right())),
    ("ping", |control, observer| control.ping(observer.right(), message("pong"), Priority::BeforeNextEvent)),
    ("stop", |control, observer| control.set_stop_listener(Some((observer.right(), message("stop"))))),
    ("words", |control, observer| control.set_last_words(observer.right(), message("last"))),
];

#[test]
fn s4_7_full_is_the_callers_error() {
    for (name, ask) in ASKING {
        let (control, observer) = (newborn(), Observer::with_room(3));
        observer.fill();
        let load = observer.load();
        assert_eq!(ask(&control, &observer), Err(Status::Full), "{name}");
        assert_eq!(observer.load(), load, "{name}");
        observer.heard();
        assert!(observer.is_unreachable(), "{name}");
        control.die(failed("x"), || {}).unwrap();
        assert_eq!(observer.heard(), [], "{name}");
    }
}

#[test]
fn s4_7_notices_reach_a_full_mailbox() {
    let (control, observer) = (newborn(), Observer::with_room(4));
    for (_, ask) in &ASKING[..3] {
        ask(&control, &observer).unwrap();
    }
    observer.fill();
    assert_eq!(observer.load().0, 4);
    control.flags.set(Flags::WAITING);
    control.die(failed("x"), || {}).unwrap();
    let expected = [(Kind::Data, "filled"), (Kind::Ping, "pong"), (Kind::Error, "x"), (Kind::Exit, "gone")];
    assert_eq!(observer.heard(), said(expected));
}

#[test]
fn notices_for_a_closed_port_give_their_room_back() {
    for (name, ask) in ASKING {
        for exit in [Exit::Returned, Exit::Exited, failed("x")] {
            let (control, observer) = (newborn(), Observer::new());
            ask(&control, &observer).unwrap();
            observer.0.mailbox().close_port(&observer.0);
            assert_eq!(observer.load().0, 1, "{name}");
            control.flags.set(Flags::WAITING);
            control.die(exit, || {}).unwrap();
            assert_eq!(observer.load(), (0, 0), "{name}");
        }
    }
}

#[test]
fn a_closed_port_is_told_nothing() {
    for (name, ask) in ASKING {
        let (control, observer) = (newborn(), Observer::new());
        observer.0.mailbox().close_port(&observer.0);
        let expected = if name == "words" { Ok(()) } else { Err(Status::Closed) };
        assert_eq!(ask(&control, &observer), expected, "{name}");
        assert_eq!(observer.load(), (0, 0), "{name}");
    }
}

#[test]
fn s4_7_a_response_that_is_too_large_fails_at_the_caller() {
    let (control, observer) = (newborn(), Observer::new());
    let large = || message(&"x".repeat(2000));
    let refused = [
        control.add_exit_listener(observer.right(), large()),
        control.ping(observer.right(), large(), Priority::Immediate),
        control.set_stop_listener(Some((observer.right(), large()))),
        control.set_last_words(observer.right(), large()),
    ];
    assert_eq!(refused, [Err(Status::TooLarge); 4]);
    assert!(observer.is_unreachable() && observer.load() == (0, 0));
}

#[test]
fn s5_1_an_observer_of_itself_is_told_nothing_and_holds_nothing() {
    let control = newborn();
    let port = control.mailbox.open(300, 0, MailboxPolicy::Error).unwrap();
    let own = Observer(Arc::clone(&port));
    for (_, ask) in ASKING {
        ask(&control, &own).unwrap();
    }
    control.die(failed("x"), || {}).unwrap();
    assert_eq!((own.load(), own.heard()), ((0, 0), vec![]));
    let weak = Arc::downgrade(&port);
    drop((control, own, port));
    assert!(weak.upgrade().is_none());
}

#[test]
fn s2_3_who_is_not_admitted_tells_nobody() {
    let (control, observer) = (newborn(), Observer::new());
    for (_, ask) in &ASKING[..2] {
        ask(&control, &observer).unwrap();
    }
    control.unborn();
    assert!(observer.is_unreachable() && observer.load() == (0, 0));
    assert_eq!(observer.heard(), []);
}
