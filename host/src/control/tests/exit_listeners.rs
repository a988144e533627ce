//! Who is told of the exit.

use super::*;
use crate::exit::Phase;

#[test]
fn s4_4_the_exit_notice_comes_whatever_the_cause() {
    let causes = [
        Exit::Returned,
        Exit::Exited,
        failed("x"),
        Exit::Panicked { message: "m".into(), place: "p".into(), frames: vec![] },
        Exit::Trapped { kind: "unreachable".into(), frames: vec![] },
        Exit::ProcExit { code: 0 },
        Exit::ProcExit { code: 3 },
        killed(),
        Exit::Limit { which: "memory".into(), value: 1 },
        Exit::Deadline { phase: Phase::Start },
        Exit::StartFailed { error: error("x") },
        Exit::HostFault { message: "m".into() },
        Exit::HostClosed,
    ];
    for cause in causes {
        let (control, observer) = (newborn(), Observer::new());
        control.add_exit_listener(observer.right(), message("gone")).unwrap();
        assert!(!observer.is_unreachable(), "a registration is a holder");
        control.die(cause, || {}).unwrap();
        assert_eq!(observer.heard(), said([(Kind::Exit, "gone")]));
        assert!(observer.is_unreachable() && observer.load() == (0, 0));
    }
}

#[test]
fn s4_4_the_last_response_of_a_port_wins() {
    let (control, observer) = (newborn(), Observer::new());
    control.add_exit_listener(observer.right(), message("first, and longer")).unwrap();
    control.add_exit_listener(observer.right(), message("last")).unwrap();
    assert_eq!(observer.load(), (1, 4 + OVERHEAD));
    control.die(Exit::Returned, || {}).unwrap();
    assert_eq!(observer.heard(), said([(Kind::Exit, "last")]));
}

#[test]
fn s4_4_several_ports_each_get_their_response() {
    let (control, one) = (newborn(), Observer::new());
    let two = one.beside();
    control.add_exit_listener(one.right(), message("to one")).unwrap();
    control.add_exit_listener(two.right(), message("to two")).unwrap();
    control.die(Exit::Returned, || {}).unwrap();
    assert_eq!((one.heard(), two.heard()), (said([(Kind::Exit, "to one")]), said([(Kind::Exit, "to two")])));
}

#[test]
fn s4_4_removing_works_with_one_call() {
    let (control, observer) = (newborn(), Observer::new());
    for text in ["a", "b"] {
        control.add_exit_listener(observer.right(), message(text)).unwrap();
    }
    control.remove_exit_listener(observer.0.id() + 1);
    assert_eq!(observer.load().0, 1, "another port is another listener");
    control.remove_exit_listener(observer.0.id());
    assert!(observer.is_unreachable() && observer.load() == (0, 0));
    control.die(Exit::Returned, || {}).unwrap();
    assert_eq!(observer.heard(), []);
}

#[test]
fn s4_4_a_late_listener_is_answered_at_once() {
    let (control, observer) = (newborn(), Observer::new());
    control.die(Exit::Returned, || {}).unwrap();
    for text in ["late", "later"] {
        control.add_exit_listener(observer.right(), message(text)).unwrap();
        assert_eq!(observer.heard(), said([(Kind::Exit, text)]));
    }
    control.remove_exit_listener(observer.0.id());
    assert!(observer.is_unreachable() && observer.load() == (0, 0));
}

#[test]
fn the_response_keeps_its_capabilities() {
    let (control, observer, far) = (newborn(), Observer::new(), Observer::new());
    let response = Message { attachments: [Attachment::Send(far.right())].into(), ..message("gone") };
    control.add_exit_listener(observer.right(), response).unwrap();
    assert_eq!(observer.load(), (1, 4 + 2 * OVERHEAD));
    control.die(Exit::Returned, || {}).unwrap();
    assert!(!far.is_unreachable());
    assert_eq!(observer.heard().len(), 1);
    assert!(far.is_unreachable());
}
