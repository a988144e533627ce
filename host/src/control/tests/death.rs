//! The one death, and the order of what it does.

use super::*;

#[test]
fn s5_1_at_one_port_data_comes_first_then_last_words_then_the_exit_notice() {
    let (control, observer) = (newborn(), Observer::new());
    control.add_exit_listener(observer.right(), message("gone")).unwrap();
    control.add_error_listener(observer.right()).unwrap();
    control.set_last_words(observer.right(), message("last words")).unwrap();
    observer.send("data").unwrap();
    control.die(Exit::Exited, || {}).unwrap();
    let expected = [(Kind::Data, "data"), (Kind::Data, "last words"), (Kind::Exit, "gone")];
    assert_eq!((observer.heard(), observer.load()), (said(expected), (0, 0)));
}

#[test]
fn s5_1_at_one_port_data_comes_first_then_the_error_notice_then_the_exit_notice() {
    let (control, observer) = (newborn(), Observer::new());
    control.add_exit_listener(observer.right(), message("gone")).unwrap();
    control.add_error_listener(observer.right()).unwrap();
    observer.send("data").unwrap();
    control.die(Exit::Trapped { kind: "unreachable".into(), frames: vec![] }, || {}).unwrap();
    let expected = [(Kind::Data, "data"), (Kind::Error, "unreachable"), (Kind::Exit, "gone")];
    assert_eq!((observer.heard(), observer.load()), (said(expected), (0, 0)));
}

/// Errors that were missed are told even where the end is no error, so all four can meet at one port.
#[test]
fn s5_1_at_one_port_last_words_come_before_a_late_error_notice() {
    let (control, observer) = (carefree(), Observer::with_room(4));
    control.add_exit_listener(observer.right(), message("gone")).unwrap();
    control.add_error_listener(observer.right()).unwrap();
    control.set_last_words(observer.right(), message("last words")).unwrap();
    observer.fill();
    assert!(matches!(control.report(error("missed")), Reported::Told));
    control.die(Exit::Exited, || {}).unwrap();
    let heard = observer.heard();
    let kinds: Vec<Kind> = heard.iter().map(|(kind, _)| *kind).collect();
    assert_eq!((kinds, &*heard[1].1), (vec![Kind::Data, Kind::Data, Kind::Error, Kind::Exit], "last words"));
}

/// No guest can provoke a failure of ours; what is told of one is told by the same step.
#[test]
fn s5_row_host_fault_tells_the_error_and_then_the_exit() {
    let (control, observer) = (newborn(), Observer::new());
    control.add_exit_listener(observer.right(), message("gone")).unwrap();
    control.add_error_listener(observer.right()).unwrap();
    observer.send("data").unwrap();
    control.die(Exit::HostFault { message: "ours".into() }, || {}).unwrap();
    let expected = [(Kind::Data, "data"), (Kind::Error, "host fault: ours"), (Kind::Exit, "gone")];
    assert_eq!(observer.heard(), said(expected));
}

#[test]
fn s5_1_who_listens_while_it_dies_is_told_after_all_others() {
    let (control, observer) = (newborn(), Observer::new());
    control.add_error_listener(observer.right()).unwrap();
    control.set_last_words(observer.right(), message("last words")).unwrap();
    let late = || control.add_exit_listener(observer.right(), message("late")).unwrap();
    drop(control.die(failed("x"), late));
    assert_eq!(observer.heard(), said([(Kind::Error, "x"), (Kind::Exit, "late")]));
}

#[test]
fn s5_1_all_error_notices_come_before_all_exit_notices() {
    let (control, one) = (newborn(), Observer::new());
    let two = one.beside();
    for observer in [&one, &two] {
        control.add_exit_listener(observer.right(), message("gone")).unwrap();
        control.add_error_listener(observer.right()).unwrap();
    }
    control.die(failed("x"), || {}).unwrap();
    let wanted = Wanted::Any([Arc::clone(&one.0), Arc::clone(&two.0)].into());
    let take = Take { wanted: &wanted, waker: None, ends_unreachable: true };
    let next = || match one.0.mailbox().take(&take, |_| Ok::<(), ()>(())) {
        Took::Message(_, message, _) => Some(message.kind),
        Took::Kept(..) | Took::Nothing | Took::Unreachable | Took::Closed => None,
    };
    let kinds: Vec<Kind> = std::iter::from_fn(next).collect();
    assert_eq!(kinds, [Kind::Error, Kind::Error, Kind::Exit, Kind::Exit]);
}

#[test]
fn s5_last_words_are_said_by_an_exit_only() {
    for exit in [Exit::Returned, killed(), failed("x"), Exit::HostClosed] {
        let (control, observer) = (newborn(), Observer::new());
        control.set_last_words(observer.right(), message("last words")).unwrap();
        control.die(exit, || {}).unwrap();
        assert!(observer.is_unreachable() && observer.load() == (0, 0));
    }
}

#[test]
fn s5_the_ends_that_are_no_errors_tell_no_error() {
    for exit in [Exit::Returned, Exit::Exited, Exit::ProcExit { code: 0 }, killed(), Exit::HostClosed] {
        let (control, observer) = (newborn(), Observer::new());
        control.add_error_listener(observer.right()).unwrap();
        assert!(control.die(exit.clone(), || {}).unwrap().uncaught.is_none());
        assert!(observer.is_unreachable() && observer.load() == (0, 0));
        assert!(newborn().die(exit, || {}).unwrap().uncaught.is_none());
    }
}

#[test]
fn s5_2_there_is_one_death_and_the_first_cause_is_its_exit() {
    let (control, observer) = (newborn(), Observer::new());
    control.add_exit_listener(observer.right(), message("gone")).unwrap();
    assert_eq!(control.exit(), None);
    assert!(control.die(killed(), || {}).is_some());
    assert!(control.die(failed("x"), || panic!("credited twice")).is_none());
    assert_eq!((control.exit(), control.census.live()), (Some(killed()), 0));
    assert_eq!(observer.heard(), said([(Kind::Exit, "gone")]));
}

#[test]
fn s5_1_all_is_released_and_credited_before_anybody_is_told() {
    let (control, observer, far) = (newborn(), Observer::new(), Observer::new());
    let port = control.mailbox.open(300, 0, MailboxPolicy::Error).unwrap();
    let queued = Message { attachments: [Attachment::Send(far.right())].into(), ..message("queued") };
    assert!(control.mailbox.send(&port, queued, None).is_ok());
    control.table.lock().insert(Object::Send(far.right())).unwrap();
    control.add_exit_listener(observer.right(), message("gone")).unwrap();
    let mut credited = false;
    let credit = || {
        assert_eq!((control.exit(), control.ending()), (None, None), "nobody sees a half-dead isolate");
        assert!(control.flags.any(Flags::END));
        assert!(far.is_unreachable());
        assert_eq!((control.mailbox.load(), control.table.lock().len()), ((0, 0), 0));
        assert_eq!(observer.heard(), []);
        credited = true;
    };
    control.die(killed(), credit).unwrap();
    assert!(credited);
    let sent = control.mailbox.send(&port, message("late"), None).map_err(|refused| refused.status);
    assert_eq!((sent, observer.heard().len()), (Err(Status::Closed), 1));
}

#[test]
fn who_waits_for_the_end_is_woken_once() {
    let control = newborn();
    let ((bell, waker), (other, second)) = (Bell::new(), Bell::new());
    assert_eq!(control.poll_exit(&waker), None);
    assert_eq!(control.poll_exit(&waker), None);
    assert_eq!(control.poll_exit(&second), None);
    control.die(Exit::Returned, || {}).unwrap();
    assert_eq!((bell.rings(), other.rings()), (1, 1));
    assert_eq!(control.poll_exit(&waker), Some(Exit::Returned));
    drop(waker);
    assert_eq!(Arc::strong_count(&bell), 1, "the dead keep no waker");
}

#[test]
fn s2_7_scoped_children_end_with_their_parent() {
    let control = newborn();
    assert!(control.adopt(IsolateId(8)) && control.adopt(IsolateId(9)));
    assert_eq!(control.die(Exit::Returned, || {}).unwrap().scoped, [IsolateId(8), IsolateId(9)]);
    assert!(!control.adopt(IsolateId(10)), "whoever is born too late is not adopted");
}

#[test]
fn s3_2_the_dead_keep_their_name() {
    let control = newborn();
    assert_eq!(control.name(), "child");
    control.die(Exit::Returned, || {}).unwrap();
    assert_eq!(control.name(), "child");
}

#[test]
fn the_dead_let_go_of_those_who_wake_them() {
    let control = newborn();
    let (woken, attentive) = bells(&control);
    control.die(killed(), || {}).unwrap();
    assert_eq!((Arc::strong_count(&woken), Arc::strong_count(&attentive)), (1, 1));
    assert_eq!((woken.rings(), attentive.rings()), (0, 0));
}
