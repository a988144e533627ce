//! What once went wrong in the control.
use super::*;

/// `end_of_turn` looks at `ending` first and returns; `wait` then clears WAITING, so `die` gives the ping up.
#[test]
fn s4_3_a_kill_that_finds_its_target_at_the_end_of_a_turn_answers_the_pings_before_it() {
    let (control, observer) = (newborn(), Observer::new());
    control.ping(observer.right(), message("pong"), Priority::BeforeNextEvent).unwrap();
    control.end_now(killed());
    assert!(matches!(control.end_of_turn(), TurnEnd::End(_)));
    control.die(killed(), || {}).unwrap();
    assert_eq!(observer.heard(), said([(Kind::Ping, "pong")]));
}

/// A listener whose port is closed swallows errors: neither told nor uncaught.
#[test]
fn s4_5_an_error_whose_only_listener_is_closed_is_the_hosts() {
    let (control, observer) = (carefree(), Observer::new());
    control.add_error_listener(observer.right()).unwrap();
    observer.0.mailbox().close_port(&observer.0);
    assert!(matches!(control.report(error("x")), Reported::Uncaught(_)));
}
/// K2, at death.
#[test]
fn s4_5_a_fatal_error_whose_only_listener_is_closed_is_the_hosts() {
    let (control, observer) = (newborn(), Observer::new());
    control.add_error_listener(observer.right()).unwrap();
    observer.0.mailbox().close_port(&observer.0);
    assert!(control.die(failed("x"), || {}).unwrap().uncaught.is_some());
}

/// A notice larger than the receiver's message limit is TooLarge: counted as missed although there is room.
#[test]
fn s4_7_an_error_longer_than_the_receivers_messages_is_told() {
    let (control, observer) = (carefree(), Observer::new());
    control.add_error_listener(observer.right()).unwrap();
    control.report(error(&"x".repeat(3000)));
    assert_eq!(observer.heard().len(), 1);
}

/// Last words that replace others leak the room of those.
#[test]
fn last_words_that_replace_others_give_the_room_back() {
    let (control, observer) = (newborn(), Observer::new());
    control.set_last_words(observer.right(), message("a")).unwrap();
    control.set_last_words(observer.right(), message("b")).unwrap();
    control.die(Exit::Exited, || {}).unwrap();
    assert_eq!((observer.heard().len(), observer.load()), (1, (0, 0)));
}
/// K4, on the dead.
#[test]
fn the_dead_reserve_nothing() {
    let (control, observer) = (newborn(), Observer::new());
    control.die(Exit::Returned, || {}).unwrap();
    control.set_last_words(observer.right(), message("a")).unwrap();
    control.set_stop_listener(Some((observer.right(), message("b")))).unwrap();
    assert_eq!(observer.load(), (0, 0));
}

/// The same listener again, in a mailbox that is full by now, is Full.
#[test]
fn s4_5_the_same_error_listener_again_needs_no_room() {
    let (control, observer) = (newborn(), Observer::with_room(2));
    control.add_error_listener(observer.right()).unwrap();
    observer.fill();
    assert_eq!(control.add_error_listener(observer.right()), Ok(()));
}
/// K5, for exit listeners.
#[test]
fn s4_4_a_response_that_replaces_another_uses_its_room() {
    let (control, observer) = (newborn(), Observer::with_room(2));
    control.add_exit_listener(observer.right(), message("a")).unwrap();
    observer.fill();
    assert_eq!(control.add_exit_listener(observer.right(), message("b")), Ok(()));
}

/// Pings and errors are posted under the lock of the state: a waker that looks at the isolate never returns.
#[test]
fn s6_8_notices_are_posted_with_no_lock_held() {
    struct Looks(Arc<Control>);
    impl Wake for Looks {
        fn wake(self: Arc<Looks>) {
            self.0.name();
        }
    }
    let acts: [fn(&Control, &Observer); 3] = [
        |control, observer| control.ping(observer.right(), message("a"), Priority::Immediate).unwrap(),
        |control, observer| {
            control.ping(observer.right(), message("a"), Priority::BeforeNextEvent).unwrap();
            control.end_of_turn();
        },
        |control, observer| {
            control.add_error_listener(observer.right()).unwrap();
            control.report(error("x"));
        },
    ];
    let mut hung = Vec::new();
    for (at, act) in acts.into_iter().enumerate() {
        let (done, is_done) = crossbeam_channel::bounded(1);
        std::thread::spawn(move || {
            let (control, observer) = (carefree(), Observer::new());
            let _held = observer.right();
            let wanted = Wanted::Port(Arc::clone(&observer.0));
            let waker = Waker::from(Arc::new(Looks(Arc::clone(&control))));
            let take = Take { wanted: &wanted, waker: Some(&waker), ends_unreachable: true };
            assert!(matches!(observer.0.mailbox().take(&take, |_| Ok::<(), ()>(())), Took::Nothing));
            act(&control, &observer);
            done.send(()).unwrap();
        });
        if is_done.recv_timeout(std::time::Duration::from_secs(2)).is_err() {
            hung.push(at);
        }
    }
    assert_eq!(hung, [0; 0]);
}

/// The dead go on at the end of a turn, although END is set.
#[test]
fn the_dead_do_not_go_on() {
    let control = newborn();
    let in_the_midst = || assert!(matches!(control.end_of_turn(), TurnEnd::End(_)));
    control.die(killed(), in_the_midst).unwrap();
    assert!(matches!(control.end_of_turn(), TurnEnd::End(_)));
}
