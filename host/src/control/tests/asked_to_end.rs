//! The request to end by itself.

use super::*;

fn listen(control: &Control, observer: &Observer, text: &str) {
    control.set_stop_listener(Some((observer.right(), message(text)))).unwrap();
}

#[test]
fn the_listener_is_told_once() {
    let (control, observer) = (newborn(), Observer::new());
    listen(&control, &observer, "stop");
    assert!(!control.flags.any(Flags::STOP));
    control.request_stop();
    control.request_stop();
    assert!(control.flags.any(Flags::STOP));
    assert_eq!(observer.heard(), said([(Kind::Ping, "stop")]));
    assert!(observer.is_unreachable());
}

#[test]
fn a_request_is_no_end() {
    let control = newborn();
    control.request_stop();
    assert!(matches!(control.end_of_turn(), TurnEnd::Go));
    assert_eq!(control.ending(), None);
}

#[test]
fn who_listens_after_the_request_is_told_at_once() {
    let (control, observer) = (newborn(), Observer::new());
    control.request_stop();
    listen(&control, &observer, "late");
    assert_eq!(observer.heard(), said([(Kind::Ping, "late")]));
    control.set_stop_listener(None).unwrap();
    assert!(observer.is_unreachable() && observer.load() == (0, 0));
}

#[test]
fn there_is_one_listener_and_the_last_wins() {
    let (control, first, last) = (newborn(), Observer::new(), Observer::new());
    listen(&control, &first, "first");
    listen(&control, &last, "last");
    assert!(first.is_unreachable() && first.load() == (0, 0));
    control.request_stop();
    assert_eq!((first.heard(), last.heard()), (vec![], said([(Kind::Ping, "last")])));
}

#[test]
fn a_listener_can_be_taken_back() {
    let (control, observer) = (newborn(), Observer::new());
    listen(&control, &observer, "stop");
    control.set_stop_listener(None).unwrap();
    control.request_stop();
    assert_eq!((observer.heard(), observer.load()), (vec![], (0, 0)));
}

#[test]
fn death_is_no_request() {
    let (control, observer) = (newborn(), Observer::new());
    listen(&control, &observer, "stop");
    control.die(Exit::Returned, || {}).unwrap();
    control.request_stop();
    assert_eq!((observer.heard(), observer.load()), (vec![], (0, 0)));
}
