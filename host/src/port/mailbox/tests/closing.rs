//! Closing a port, and the mailbox as a whole.

use super::*;

#[test]
fn s6_1_close_drops_what_is_queued() {
    let mailbox = mailbox(9);
    let (one, two) = (open(&mailbox, 1), open(&mailbox, 2));
    for (port, text) in [(&one, "a"), (&two, "b"), (&one, "c")] {
        send(port, text).unwrap();
    }
    mailbox.close_port(&one);
    assert_eq!(mailbox.load(), (1, 1 + OVERHEAD));
    assert_eq!(receive(&one), Err(Status::Closed));
    assert_eq!(receive(&two).as_deref(), Ok("b"));
    assert_eq!(mailbox.load(), (0, 0));
}

#[test]
fn s6_1_close_is_idempotent() {
    let mailbox = mailbox(9);
    let (one, two) = (open(&mailbox, 1), open(&mailbox, 2));
    mailbox.close_port(&one);
    mailbox.close_port(&one);
    let three = open(&mailbox, 3); // in the place of the first
    mailbox.close_port(&one);
    assert_eq!((send(&two, "a"), send(&three, "b")), (Ok(()), Ok(())));
}

#[test]
fn s1_4_a_closed_port_reports_closed() {
    let mailbox = mailbox(9);
    let port = open_with(&mailbox, 1, MailboxPolicy::Wait);
    mailbox.close_port(&port);
    assert_eq!(send(&port, "a"), Err(Status::Closed));
    assert_eq!(send(&port, &"large".repeat(1000)), Err(Status::Closed));
    assert!(!mailbox.listen(&port, true) && !mailbox.keep_alive(&port, true));
}

#[test]
fn a_notice_for_a_port_that_was_closed_gives_its_room_back() {
    let mailbox = mailbox(9);
    let port = open(&mailbox, 1);
    mailbox.reserve(&port, 100).unwrap();
    mailbox.close_port(&port);
    assert_eq!(mailbox.load(), (1, 100), "whoever reserved it still has it");
    mailbox.post(&port, notice("late"), 100);
    assert_eq!(mailbox.load(), (0, 0));
}

#[test]
fn s6_8_a_right_in_a_message_of_a_closed_port_is_released() {
    let (mailbox, elsewhere) = (mailbox(9), mailbox(9));
    let (one, far) = (open(&mailbox, 1), open(&elsewhere, 2));
    put(&one, carrying("", SendRight::new(&far)), None).unwrap();
    let (bell, waker) = Bell::new();
    let wanted = Wanted::Port(Arc::clone(&far));
    assert_eq!(take(&elsewhere, &wanted, Some(&waker)).err(), Some(Status::WouldWait));
    mailbox.close_port(&one);
    assert_eq!(bell.rings(), 1);
    assert_eq!(take(&elsewhere, &wanted, None).err(), Some(Status::Unreachable));
}

#[test]
fn s6_8_a_right_to_a_port_of_the_same_mailbox_is_released_too() {
    let mailbox = mailbox(9);
    let (one, two) = (open(&mailbox, 1), open(&mailbox, 2));
    put(&one, carrying("", SendRight::new(&two)), None).unwrap();
    put(&one, carrying("", SendRight::new(&one)), None).unwrap();
    mailbox.close_port(&one);
    assert_eq!(receive(&two), Err(Status::Unreachable));
    assert!(one.is_unreachable());
}

#[test]
fn closing_the_mailbox_hands_out_what_was_queued() {
    let mailbox = mailbox(9);
    let (one, two) = (open_listened(&mailbox, 1), open(&mailbox, 2));
    for (port, text) in [(&one, "a"), (&two, "b"), (&one, "c")] {
        send(port, text).unwrap();
    }
    mailbox.reserve(&one, 100).unwrap();
    let mut left: Vec<String> = mailbox.close().iter().map(text).collect();
    left.sort();
    assert_eq!(left, ["a", "b", "c"]);
    assert_eq!(mailbox.load(), (0, 0));
    assert_eq!((send(&one, "d"), send(&two, "e")), (Err(Status::Closed), Err(Status::Closed)));
    assert_eq!((receive(&one), drain(&mailbox, &Wanted::Listened)), (Err(Status::Closed), vec![]));
    assert!(mailbox.close().is_empty());
}

#[test]
fn what_is_reserved_in_a_closed_mailbox_may_still_be_given_back() {
    let mailbox = mailbox(9);
    let port = open(&mailbox, 1);
    mailbox.reserve(&port, 100).unwrap();
    mailbox.reserve(&port, 100).unwrap();
    drop(mailbox.close());
    mailbox.post(&port, notice("late"), 100);
    mailbox.unreserve(100);
    assert_eq!(mailbox.load(), (0, 0));
}

#[test]
fn who_waits_at_a_port_that_another_thread_closes_is_told() {
    let mailbox = mailbox(9);
    let (one, two) = (open(&mailbox, 1), open(&mailbox, 2));
    let _held = [&one, &two].map(SendRight::new);
    let (bell, waker) = Bell::new();
    let wanted = Wanted::Port(Arc::clone(&one));
    assert_eq!(take(&mailbox, &wanted, Some(&waker)).err(), Some(Status::WouldWait));
    mailbox.close_port(&two);
    assert_eq!(bell.rings(), 0);
    mailbox.close_port(&one);
    assert_eq!(bell.rings(), 1);
    assert_eq!(take(&mailbox, &wanted, Some(&waker)).err(), Some(Status::Closed));
}

#[test]
fn a_closed_mailbox_keeps_nobody_waiting() {
    let mailbox = mailbox(9);
    let port = open(&mailbox, 1);
    let _held = SendRight::new(&port);
    let (bell, waker) = Bell::new();
    assert_eq!(take(&mailbox, &Wanted::Port(port), Some(&waker)).err(), Some(Status::WouldWait));
    drop(waker);
    drop(mailbox.close());
    assert_eq!((Arc::strong_count(&bell), bell.rings()), (1, 0), "its owner is gone");
    assert!(mailbox.waits_on().is_empty());
}

#[test]
fn a_port_and_its_mailbox_go_when_it_is_closed() {
    let mailbox = mailbox(9);
    let (one, two) = (open(&mailbox, 1), open(&mailbox, 2));
    let gone = Arc::downgrade(&mailbox);
    mailbox.close_port(&one);
    drop(mailbox.close());
    drop((mailbox, one, two));
    assert!(gone.upgrade().is_none());
}
