//! Who is told of errors, and what they do.

use super::*;

fn is_told(control: &Control, message: &str) -> bool {
    match control.report(error(message)) {
        Reported::Told => true,
        Reported::Uncaught(uncaught) => {
            assert_eq!(uncaught, error(message));
            false
        }
        Reported::Fatal(exit) => panic!("no error is fatal: {exit}"),
    }
}

#[test]
fn s4_6_a_fatal_error_ends_the_isolate() {
    let (control, observer) = (newborn(), Observer::new());
    control.add_error_listener(observer.right()).unwrap();
    let Reported::Fatal(exit) = control.report(error("x")) else { panic!("errors are fatal by default") };
    assert_eq!((&exit, observer.heard()), (&failed("x"), vec![]));
    assert!(control.die(exit, || {}).unwrap().uncaught.is_none());
    assert_eq!(observer.heard(), said([(Kind::Error, "x")]));
}

#[test]
fn s4_6_whether_errors_are_fatal_can_change() {
    let control = newborn();
    control.set_errors_fatal(false);
    assert!(!is_told(&control, "x"));
    control.set_errors_fatal(true);
    assert!(matches!(control.report(error("y")), Reported::Fatal(_)));
}

#[test]
fn s4_5_every_listener_is_told_every_error() {
    let (control, one) = (carefree(), Observer::new());
    let two = one.beside();
    control.add_error_listener(one.right()).unwrap();
    control.add_error_listener(two.right()).unwrap();
    assert!(is_told(&control, "x") && is_told(&control, "y"));
    let expected = said([(Kind::Error, "x"), (Kind::Error, "y")]);
    assert_eq!((one.heard(), two.heard()), (expected.clone(), expected));
}

#[test]
fn s4_5_the_same_port_twice_is_one_listener() {
    let (control, observer) = (carefree(), Observer::new());
    control.add_error_listener(observer.right()).unwrap();
    let load = observer.load();
    control.add_error_listener(observer.right()).unwrap();
    assert_eq!(observer.load(), load);
    assert!(is_told(&control, "x"));
    assert_eq!(observer.heard(), said([(Kind::Error, "x")]));
    control.remove_error_listener(observer.0.id());
    assert!(!is_told(&control, "y"));
}

#[test]
fn s4_5_with_no_listener_the_error_is_the_hosts() {
    let (control, observer) = (carefree(), Observer::new());
    assert!(!is_told(&control, "x"));
    control.add_error_listener(observer.right()).unwrap();
    assert!(is_told(&control, "y"));
    control.remove_error_listener(observer.0.id());
    assert!(!is_told(&control, "z"), "the default comes back with the last removal");
    let dead = control.die(failed("the end"), || {}).unwrap();
    assert_eq!(dead.uncaught, Some(error("the end")));
    assert_eq!(observer.heard(), said([(Kind::Error, "y")]));
}

#[test]
fn s4_5_removing_gives_the_room_back() {
    let (control, observer) = (carefree(), Observer::new());
    control.add_error_listener(observer.right()).unwrap();
    assert_eq!(observer.load(), (1, ERROR_ROOM));
    control.remove_error_listener(observer.0.id() + 1);
    assert_eq!(observer.load(), (1, ERROR_ROOM));
    control.remove_error_listener(observer.0.id());
    control.remove_error_listener(observer.0.id());
    assert!(observer.is_unreachable() && observer.load() == (0, 0));
}

#[test]
fn a_listener_keeps_its_reserve_through_errors_that_are_not_fatal() {
    let (control, observer) = (carefree(), Observer::new());
    control.add_error_listener(observer.right()).unwrap();
    assert!(is_told(&control, "x"));
    observer.heard();
    assert_eq!(observer.load(), (1, ERROR_ROOM));
}

#[test]
fn s4_7_errors_beyond_the_room_become_one_with_a_count() {
    let (control, observer) = (carefree(), Observer::with_room(2));
    control.add_error_listener(observer.right()).unwrap();
    for text in ["told", "missed", "missed too"] {
        assert!(is_told(&control, text));
    }
    assert_eq!(observer.heard(), said([(Kind::Error, "told")]));
    assert!(is_told(&control, "next"));
    let (kind, text) = observer.next().unwrap();
    assert_eq!(kind, Kind::Error);
    assert!(text.starts_with("next") && text.contains('2'), "{text}");
    assert!(is_told(&control, "again"));
    assert_eq!(observer.heard(), said([(Kind::Error, "again")]), "the count begins anew");
}

#[test]
fn s4_7_errors_that_were_missed_are_told_at_death() {
    for (exit, begins) in [(Exit::Returned, "1"), (failed("the last"), "the last")] {
        let (control, observer) = (carefree(), Observer::with_room(1));
        control.add_error_listener(observer.right()).unwrap();
        assert!(is_told(&control, "missed"));
        assert!(control.die(exit, || {}).unwrap().uncaught.is_none());
        let heard = observer.heard();
        assert!(matches!(&heard[..], [(Kind::Error, text)] if text.starts_with(begins) && text.contains('1')));
        assert!(observer.is_unreachable() && observer.load() == (0, 0));
    }
}

#[test]
fn an_error_larger_than_its_room_is_cut_where_a_character_begins() {
    let (control, observer) = (newborn(), Observer::new());
    control.add_error_listener(observer.right()).unwrap();
    let error = RemoteError { message: "ä".repeat(20_000), stack: "€".repeat(20_000) };
    control.die(Exit::Failed { error }, || {}).unwrap();
    let (messages, bytes) = observer.load();
    assert!(messages == 1 && bytes <= ERROR_ROOM, "{bytes}");
    let (_, text) = observer.next().unwrap();
    assert!(text.starts_with("ää") && text.ends_with("ä[...]"));
}

#[test]
fn s4_5_the_dead_take_no_error_listeners() {
    let (control, observer) = (newborn(), Observer::new());
    control.die(failed("x"), || {}).unwrap();
    control.add_error_listener(observer.right()).unwrap();
    assert!(observer.is_unreachable() && observer.load() == (0, 0));
    assert_eq!(observer.heard(), []);
}
