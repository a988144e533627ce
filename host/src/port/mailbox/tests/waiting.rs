//! Who is woken, by what, and when nobody will be.

use super::*;

/// Registers a waker for what is wanted and not there.
fn wait(mailbox: &Mailbox, wanted: &Wanted) -> Arc<Bell> {
    let (bell, waker) = Bell::new();
    assert_eq!(take(mailbox, wanted, Some(&waker)).err(), Some(Status::WouldWait));
    bell
}

/// Two ports that somebody else may send to.
fn pair(mailbox: &Arc<Mailbox>) -> ([Arc<Port>; 2], [SendRight; 2]) {
    let ports = [open(mailbox, 1), open(mailbox, 2)];
    let rights = [SendRight::new(&ports[0]), SendRight::new(&ports[1])];
    (ports, rights)
}

#[test]
fn a_message_wakes_who_waits_for_its_port_once() {
    let mailbox = mailbox(9);
    let ([one, _two], _held) = pair(&mailbox);
    let bell = wait(&mailbox, &Wanted::Port(Arc::clone(&one)));
    assert_eq!(mailbox.waits_on(), [1]);
    send(&one, "a").unwrap();
    assert_eq!(mailbox.waits_on(), [0; 0]);
    send(&one, "b").unwrap();
    assert_eq!(bell.rings(), 1);
}

#[test]
fn a_message_at_another_port_wakes_nobody() {
    let mailbox = mailbox(9);
    let ([one, two], [_held, released]) = pair(&mailbox);
    let bell = wait(&mailbox, &Wanted::Port(one));
    send(&two, "a").unwrap();
    drop(released);
    mailbox.close_port(&two);
    assert_eq!(bell.rings(), 0);
    assert_eq!(mailbox.waits_on(), [1]);
}

#[test]
fn who_listens_is_woken_by_ports_that_are_listened_to() {
    let mailbox = mailbox(9);
    let ([one, two], _held) = pair(&mailbox);
    mailbox.listen(&two, true);
    let bell = wait(&mailbox, &Wanted::Listened);
    assert_eq!(mailbox.waits_on(), [2]);
    send(&one, "a").unwrap();
    assert_eq!(bell.rings(), 0);
    send(&two, "b").unwrap();
    assert_eq!(bell.rings(), 1);
}

#[test]
fn who_waits_for_any_is_woken_by_each_of_them() {
    let mailbox = mailbox(9);
    let ([one, two], _held) = pair(&mailbox);
    for port in [&one, &two] {
        let wanted = any(&[&one, &two]);
        let bell = wait(&mailbox, &wanted);
        assert_eq!(mailbox.waits_on(), [1, 2]);
        send(port, "a").unwrap();
        assert_eq!((bell.rings(), drain(&mailbox, &wanted).len()), (1, 1));
    }
}

#[test]
fn a_notice_wakes_as_a_message_does() {
    let mailbox = mailbox(1);
    let ([one, _two], _held) = pair(&mailbox);
    mailbox.reserve(&one, 100).unwrap();
    let bell = wait(&mailbox, &Wanted::Port(Arc::clone(&one)));
    mailbox.post(&one, notice("n"), 100);
    assert_eq!(bell.rings(), 1);
}

#[test]
fn two_threads_that_wait_are_both_woken() {
    let mailbox = mailbox(9);
    let ([one, two], _held) = pair(&mailbox);
    let first = wait(&mailbox, &Wanted::Port(Arc::clone(&one)));
    let second = wait(&mailbox, &Wanted::Port(Arc::clone(&two)));
    send(&one, "a").unwrap();
    send(&two, "b").unwrap();
    assert_eq!((first.rings(), second.rings()), (1, 1));
}

#[test]
fn a_take_that_finds_something_waits_no_more() {
    let mailbox = mailbox(9);
    let ([one, two], _held) = pair(&mailbox);
    let (bell, waker) = Bell::new();
    assert_eq!(take(&mailbox, &Wanted::Port(Arc::clone(&one)), Some(&waker)).err(), Some(Status::WouldWait));
    send(&two, "a").unwrap();
    take(&mailbox, &Wanted::Port(Arc::clone(&two)), Some(&waker)).unwrap();
    send(&one, "b").unwrap();
    assert_eq!(bell.rings(), 0);
}

#[test]
fn a_wait_that_was_given_up_is_forgotten() {
    let mailbox = mailbox(9);
    let ([one, _two], _held) = pair(&mailbox);
    let (bell, waker) = Bell::new();
    assert_eq!(take(&mailbox, &Wanted::Port(Arc::clone(&one)), Some(&waker)).err(), Some(Status::WouldWait));
    mailbox.stop_waiting(&waker);
    drop(waker);
    assert_eq!(Arc::strong_count(&bell), 1);
    send(&one, "a").unwrap();
    assert_eq!(bell.rings(), 0);
}

#[test]
fn s5_3_a_port_that_nobody_else_can_send_to_is_unreachable() {
    let mailbox = mailbox(9);
    let port = open(&mailbox, 1);
    assert_eq!(receive(&port), Err(Status::Unreachable));
    let right = SendRight::new(&port);
    let copy = right.clone();
    drop(right);
    assert_eq!(receive(&port), Err(Status::WouldWait));
    drop(copy);
    assert_eq!(receive(&port), Err(Status::Unreachable));
}

#[test]
fn s5_3_a_new_right_makes_a_port_reachable_again() {
    let mailbox = mailbox(9);
    let port = open(&mailbox, 1);
    for text in ["first round", "second round"] {
        let right = SendRight::new(&port);
        assert_eq!(receive(&port), Err(Status::WouldWait));
        send(right.port(), text).unwrap();
        drop(right);
        assert_eq!(receive(&port).as_deref(), Ok(text));
        assert_eq!(receive(&port), Err(Status::Unreachable));
    }
}

#[test]
fn s5_3_queued_messages_come_before_unreachable() {
    let mailbox = mailbox(9);
    let port = open_listened(&mailbox, 1);
    send(&port, "a").unwrap();
    send(&port, "b").unwrap();
    assert_eq!(receive(&port).as_deref(), Ok("a"));
    assert_eq!(drain(&mailbox, &Wanted::Listened), texts([(1, "b")]));
    assert_eq!(take(&mailbox, &Wanted::Listened, None).err(), Some(Status::Unreachable));
}

#[test]
fn s5_3_a_right_in_a_message_in_flight_counts() {
    let (mailbox, elsewhere) = (mailbox(9), mailbox(9));
    let (port, far) = (open(&mailbox, 1), open(&elsewhere, 2));
    put(&far, carrying("", SendRight::new(&port)), None).unwrap();
    assert_eq!(receive(&port), Err(Status::WouldWait));
    let taken = take(&elsewhere, &Wanted::Port(far), None);
    assert_eq!(receive(&port), Err(Status::WouldWait));
    drop(taken);
    assert_eq!(receive(&port), Err(Status::Unreachable));
}

#[test]
fn s5_3_the_last_right_to_go_wakes_who_waits() {
    let mailbox = mailbox(9);
    let ([one, two], [first, second]) = pair(&mailbox);
    let more = first.clone();
    let bell = wait(&mailbox, &any(&[&one, &two]));
    drop(first);
    assert_eq!(bell.rings(), 0);
    drop(more);
    assert_eq!(bell.rings(), 1);
    let bell = wait(&mailbox, &any(&[&one, &two]));
    drop(second);
    assert_eq!(bell.rings(), 1);
    assert_eq!(take(&mailbox, &any(&[&one, &two]), None).err(), Some(Status::Unreachable));
}

#[test]
fn s5_3_where_something_else_could_run_a_wait_goes_on() {
    let mailbox = mailbox(9);
    let port = open(&mailbox, 1);
    let (bell, waker) = Bell::new();
    let take = Take { wanted: &Wanted::Port(Arc::clone(&port)), waker: Some(&waker), ends_unreachable: false };
    assert!(matches!(mailbox.take(&take, |_| Ok::<(), ()>(())), Took::Nothing));
    send(&port, "a").unwrap();
    assert_eq!(bell.rings(), 1);
}

#[test]
fn s5_3_an_event_loop_ends_when_no_port_keeps_it_alive() {
    let mailbox = mailbox(9);
    let ([one, two], [_held, _also]) = pair(&mailbox);
    let next = || take(&mailbox, &Wanted::Listened, None).err();
    assert_eq!(next(), Some(Status::Unreachable), "it listens to nothing");
    mailbox.listen(&one, true);
    assert_eq!(next(), Some(Status::WouldWait));
    mailbox.keep_alive(&one, false);
    assert_eq!(next(), Some(Status::Unreachable));
    mailbox.listen(&two, true);
    assert_eq!(next(), Some(Status::WouldWait));
    mailbox.close_port(&two);
    assert_eq!(next(), Some(Status::Unreachable));
    mailbox.keep_alive(&one, true);
    assert_eq!(next(), Some(Status::WouldWait));
}

#[test]
fn s6_3_a_port_without_keep_alive_still_delivers() {
    let mailbox = mailbox(9);
    let port = open_listened(&mailbox, 1);
    mailbox.keep_alive(&port, false);
    send(&port, "a").unwrap();
    assert_eq!(drain(&mailbox, &Wanted::Listened), texts([(1, "a")]));
}
