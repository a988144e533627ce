//! What fits, what happens to what does not, and the room of notices.

use super::*;

fn bounded(messages_max: u64, bytes_max: u64, message_bytes_max: u64) -> Arc<Mailbox> {
    Mailbox::new(Room { messages_max, bytes_max, message_bytes_max, ports_max: 2 })
}

#[test]
fn s9_a_mailbox_holds_so_many_messages() {
    let mailbox = mailbox(2);
    let (one, two) = (open(&mailbox, 1), open(&mailbox, 2));
    assert_eq!((send(&one, "a"), send(&two, "b")), (Ok(()), Ok(())));
    assert_eq!((send(&one, "c"), send(&two, "d")), (Err(Status::Full), Err(Status::Full)));
    assert_eq!(receive(&two).as_deref(), Ok("b"));
    assert_eq!(send(&one, "c"), Ok(()));
}

#[test]
fn s9_2_a_message_and_each_capability_cost_64_bytes_more() {
    let mailbox = bounded(9, 3 * OVERHEAD + 4, 9);
    let (one, other) = (open(&mailbox, 1), open(&mailbox, 2));
    put(&one, carrying("abc", SendRight::new(&other)), None).unwrap();
    assert_eq!(mailbox.load(), (1, 3 + 2 * OVERHEAD));
    assert_eq!(send(&one, "de"), Err(Status::Full));
    assert_eq!(send(&one, "d"), Ok(()));
    assert_eq!(mailbox.load(), (2, 4 + 3 * OVERHEAD));
    assert_eq!(send(&one, ""), Err(Status::Full));
}

#[test]
fn s1_4_a_message_that_is_too_large_leaves_the_port_usable() {
    let mailbox = bounded(9, 1000, 3);
    let port = open(&mailbox, 1);
    assert_eq!(send(&port, "four"), Err(Status::TooLarge));
    assert_eq!(mailbox.load(), (0, 0));
    assert_eq!(send(&port, "abc"), Ok(()));
    assert_eq!(receive(&port).as_deref(), Ok("abc"));
}

#[test]
fn a_refused_message_comes_back_whole() {
    let mailbox = mailbox(1);
    let (port, other) = (open(&mailbox, 1), open(&mailbox, 2));
    send(&port, "first").unwrap();
    let Err(refused) = mailbox.send(&port, carrying("whole", SendRight::new(&other)), None) else {
        panic!("there is no room");
    };
    assert_eq!((refused.status, text(&refused.message)), (Status::Full, "whole".to_owned()));
    assert!(matches!(&refused.message.attachments[..], [Attachment::Send(right)] if right.port().id() == 2));
}

#[test]
fn s9_a_mailbox_has_so_many_ports() {
    let mailbox = bounded(9, 1000, 9);
    let one = open(&mailbox, 1);
    open(&mailbox, 2);
    assert_eq!(mailbox.open(3, 0, MailboxPolicy::Error).err(), Some(Limit(2)));
    mailbox.close_port(&one);
    mailbox.close_port(&one);
    open(&mailbox, 3);
    assert_eq!(mailbox.open(4, 0, MailboxPolicy::Error).err(), Some(Limit(2)));
}

#[test]
fn check_answers_for_the_size_alone() {
    let mailbox = bounded(1, 1000, 3);
    let port = open(&mailbox, 1);
    send(&port, "a").unwrap();
    assert_eq!(mailbox.check(&port, &message("abc")), Ok(()));
    assert_eq!(mailbox.check(&port, &message("four")), Err(Status::TooLarge));
    mailbox.close_port(&port);
    assert_eq!(mailbox.check(&port, &message("four")), Ok(()));
}

#[test]
fn s9_2_the_policy_error_is_full() {
    let mailbox = mailbox(1);
    let port = open_with(&mailbox, 1, MailboxPolicy::Error);
    let (bell, waker) = Bell::new();
    send(&port, "a").unwrap();
    let refused = mailbox.send(&port, message("b"), None).err();
    assert!(refused.is_some_and(|refused| !refused.waits));
    assert_eq!(put(&port, message("b"), Some(&waker)), Err(Status::Full));
    receive(&port).unwrap();
    assert_eq!(bell.rings(), 0);
}

#[test]
fn s9_2_the_policy_wait_wakes_the_sender_when_there_is_room() {
    let mailbox = mailbox(1);
    let port = open_with(&mailbox, 1, MailboxPolicy::Wait);
    let (bell, waker) = Bell::new();
    send(&port, "a").unwrap();
    let refused = mailbox.send(&port, message("b"), None).err();
    assert!(refused.is_some_and(|refused| refused.waits));
    assert_eq!(put(&port, message("b"), Some(&waker)), Err(Status::Full));
    assert_eq!(bell.rings(), 0);
    receive(&port).unwrap();
    assert_eq!(bell.rings(), 1);
    assert_eq!(put(&port, message("b"), Some(&waker)), Ok(()));
    receive(&port).unwrap();
    assert_eq!(bell.rings(), 1, "it waits no more");
}

#[test]
fn a_sender_that_waits_is_woken_by_all_that_makes_room() {
    let makes_room: [fn(&Mailbox, &Port); 4] = [
        |mailbox, port| assert_eq!(mailbox.discard(port), Some(true)),
        |mailbox, port| mailbox.close_port(port),
        |mailbox, _| mailbox.unreserve(OVERHEAD),
        |mailbox, _| drop(mailbox.close()),
    ];
    for act in makes_room {
        let mailbox = mailbox(2);
        let (waited_for, other) = (open_with(&mailbox, 1, MailboxPolicy::Wait), open(&mailbox, 2));
        let (bell, waker) = Bell::new();
        send(&other, "a").unwrap();
        mailbox.reserve(&other, OVERHEAD).unwrap();
        assert_eq!(put(&waited_for, message("b"), Some(&waker)), Err(Status::Full));
        act(&mailbox, &other);
        assert_eq!(bell.rings(), 1);
    }
}

#[test]
fn s1_6_ones_own_full_mailbox_is_not_waited_for() {
    let mailbox = mailbox(1);
    let port = open_with(&mailbox, 1, MailboxPolicy::Wait);
    send(&port, "a").unwrap();
    assert_eq!(put(&port, message("b"), None), Err(Status::Full));
    assert!(mailbox.inner.lock().senders.is_empty());
    assert_eq!(drain(&mailbox, &Wanted::Port(port)), texts([(1, "a")]));
}

#[test]
fn s9_2_the_policy_drop_oldest_makes_room_and_counts() {
    let mailbox = mailbox(3);
    let (one, two) = (open_with(&mailbox, 1, MailboxPolicy::DropOldest), open(&mailbox, 2));
    for (port, text) in [(&two, "kept"), (&one, "a"), (&one, "b"), (&one, "c"), (&one, "d")] {
        send(port, text).unwrap();
    }
    assert_eq!(mailbox.inner.lock().slots[0].dropped, 2);
    assert_eq!(send(&two, "no room"), Err(Status::Full));
    assert_eq!(drain(&mailbox, &any(&[&one, &two])), texts([(2, "kept"), (1, "c"), (1, "d")]));
}

#[test]
fn drop_oldest_drops_as_many_as_the_bytes_need() {
    let mailbox = bounded(9, 3 * OVERHEAD + 9, 9);
    let port = open_with(&mailbox, 1, MailboxPolicy::DropOldest);
    for text in ["abc", "def", "ghi", "longer"] {
        send(&port, text).unwrap();
    }
    assert_eq!(mailbox.load(), (2, 9 + 2 * OVERHEAD));
    assert_eq!(drain(&mailbox, &Wanted::Port(Arc::clone(&port))), texts([(1, "ghi"), (1, "longer")]));
    assert_eq!(mailbox.load(), (0, 0));
}

#[test]
fn drop_oldest_takes_nothing_from_other_ports() {
    let mailbox = mailbox(1);
    let (one, two) = (open_with(&mailbox, 1, MailboxPolicy::DropOldest), open(&mailbox, 2));
    send(&two, "kept").unwrap();
    assert_eq!(send(&one, "a"), Err(Status::Full));
    assert_eq!(receive(&two).as_deref(), Ok("kept"));
}

#[test]
fn s6_8_a_right_in_a_message_that_made_room_is_released() {
    let (mailbox, elsewhere) = (mailbox(1), mailbox(1));
    let (port, far) = (open_with(&mailbox, 1, MailboxPolicy::DropOldest), open(&elsewhere, 2));
    put(&port, carrying("", SendRight::new(&far)), None).unwrap();
    assert_eq!(receive(&far), Err(Status::WouldWait));
    send(&port, "a").unwrap();
    assert_eq!(receive(&far), Err(Status::Unreachable));
}

#[test]
fn s4_7_a_notice_arrives_although_the_mailbox_is_full() {
    let mailbox = mailbox(2);
    let port = open(&mailbox, 1);
    mailbox.reserve(&port, notice("gone").cost()).unwrap();
    assert_eq!(mailbox.load(), (1, 4 + OVERHEAD));
    send(&port, "a").unwrap();
    assert_eq!(send(&port, "b"), Err(Status::Full));
    mailbox.post(&port, notice("gone"), 4 + OVERHEAD);
    assert_eq!(send(&port, "b"), Err(Status::Full), "the room is still in use");
    assert_eq!(mailbox.load(), (2, 5 + 2 * OVERHEAD));
    assert_eq!(receive(&port).as_deref(), Ok("a"));
    let (_, notice) = take(&mailbox, &Wanted::Port(port), None).ok().unwrap();
    assert_eq!((notice.kind, text(&notice)), (Kind::Exit, "gone".to_owned()));
    assert_eq!(mailbox.load(), (0, 0));
}

#[test]
fn s4_7_room_for_a_notice_is_refused_where_there_is_none() {
    let mailbox = bounded(2, 2 * OVERHEAD, 9);
    let port = open(&mailbox, 1);
    assert_eq!(mailbox.reserve(&port, 2 * OVERHEAD + 1), Err(Status::Full));
    assert_eq!(mailbox.reserve(&port, 2 * OVERHEAD), Ok(()));
    assert_eq!(mailbox.reserve(&port, 0), Ok(()));
    assert_eq!(mailbox.reserve(&port, 0), Err(Status::Full));
    mailbox.close_port(&port);
    assert_eq!(mailbox.reserve(&port, 0), Err(Status::Closed));
}

#[test]
fn a_reservation_that_is_given_back_leaves_nothing() {
    let mailbox = mailbox(1);
    let port = open(&mailbox, 1);
    mailbox.reserve(&port, 500).unwrap();
    assert_eq!(send(&port, "a"), Err(Status::Full));
    mailbox.unreserve(500);
    assert_eq!(mailbox.load(), (0, 0));
    assert_eq!(send(&port, "a"), Ok(()));
}

#[test]
fn a_notice_smaller_than_its_reservation_costs_what_it_is() {
    let mailbox = mailbox(9);
    let port = open(&mailbox, 1);
    mailbox.reserve(&port, 16 << 10).unwrap();
    mailbox.post(&port, notice("x"), 16 << 10);
    assert_eq!(mailbox.load(), (1, 1 + OVERHEAD));
    receive(&port).unwrap();
    assert_eq!(mailbox.load(), (0, 0));
}

#[test]
fn s4_7_a_notice_comes_in_the_order_of_its_posting() {
    let mailbox = mailbox(9);
    let (one, two) = (open_listened(&mailbox, 1), open_listened(&mailbox, 2));
    mailbox.reserve(&one, OVERHEAD + 1).unwrap();
    send(&two, "a").unwrap();
    send(&one, "b").unwrap();
    mailbox.post(&one, notice("n"), OVERHEAD + 1);
    send(&two, "c").unwrap();
    assert_eq!(drain(&mailbox, &Wanted::Listened), texts([(2, "a"), (1, "b"), (1, "n"), (2, "c")]));
}
