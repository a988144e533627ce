//! In which order messages come out.

use super::*;

#[test]
fn s1_3_messages_of_one_port_keep_their_order() {
    let mailbox = mailbox(9);
    let port = open(&mailbox, 1);
    for text in ["a", "b", "c"] {
        send(&port, text).unwrap();
    }
    assert_eq!(drain(&mailbox, &Wanted::Port(port)), texts([(1, "a"), (1, "b"), (1, "c")]));
}

#[test]
fn s1_3_messages_keep_their_order_across_the_ports_of_an_isolate() {
    let mailbox = mailbox(9);
    let (one, two, three) = (open(&mailbox, 1), open(&mailbox, 2), open(&mailbox, 3));
    for (port, text) in [(&two, "a"), (&one, "b"), (&three, "c"), (&two, "d"), (&one, "e")] {
        send(port, text).unwrap();
    }
    let expected = texts([(2, "a"), (1, "b"), (3, "c"), (2, "d"), (1, "e")]);
    assert_eq!(drain(&mailbox, &any(&[&one, &two, &three])), expected);
}

#[test]
fn s1_3_ports_that_are_listened_to_deliver_in_the_order_of_arrival() {
    let mailbox = mailbox(9);
    let (one, two) = (open_listened(&mailbox, 1), open_listened(&mailbox, 2));
    for (port, text) in [(&two, "a"), (&one, "b"), (&one, "c"), (&two, "d")] {
        send(port, text).unwrap();
    }
    assert_eq!(drain(&mailbox, &Wanted::Listened), texts([(2, "a"), (1, "b"), (1, "c"), (2, "d")]));
}

#[test]
fn any_takes_from_the_ports_that_it_names_only() {
    let mailbox = mailbox(9);
    let (one, two, three) = (open(&mailbox, 1), open(&mailbox, 2), open(&mailbox, 3));
    for port in [&one, &two, &three] {
        send(port, "x").unwrap();
    }
    assert_eq!(drain(&mailbox, &any(&[&three, &two, &three])), texts([(2, "x"), (3, "x")]));
    assert_eq!(receive(&one).as_deref(), Ok("x"));
}

#[test]
fn any_goes_on_with_the_ports_that_are_open() {
    let mailbox = mailbox(9);
    let (one, two) = (open(&mailbox, 1), open(&mailbox, 2));
    let both = any(&[&one, &two]);
    send(&one, "dropped").unwrap();
    send(&two, "kept").unwrap();
    mailbox.close_port(&one);
    assert_eq!(drain(&mailbox, &both), texts([(2, "kept")]));
    mailbox.close_port(&two);
    assert_eq!(take(&mailbox, &both, None).err(), Some(Status::Closed));
    assert_eq!(take(&mailbox, &any(&[]), None).err(), Some(Status::Closed));
}

#[test]
fn ports_that_nobody_listens_to_keep_their_messages() {
    let mailbox = mailbox(9);
    let (one, two) = (open(&mailbox, 1), open_listened(&mailbox, 2));
    send(&one, "a").unwrap();
    send(&two, "b").unwrap();
    assert_eq!(drain(&mailbox, &Wanted::Listened), texts([(2, "b")]));
    assert_eq!(receive(&one).as_deref(), Ok("a"));
}

#[test]
fn s6_2_what_came_before_a_port_was_listened_to_has_its_place_in_the_order() {
    let mailbox = mailbox(9);
    let (one, two) = (open(&mailbox, 1), open_listened(&mailbox, 2));
    for (port, text) in [(&one, "a"), (&two, "b"), (&one, "c")] {
        send(port, text).unwrap();
    }
    mailbox.listen(&one, true);
    send(&two, "d").unwrap();
    assert_eq!(drain(&mailbox, &Wanted::Listened), texts([(1, "a"), (2, "b"), (1, "c"), (2, "d")]));
}

#[test]
fn s6_2_a_port_may_be_listened_to_in_turns() {
    let mailbox = mailbox(9);
    let (one, two) = (open_listened(&mailbox, 1), open_listened(&mailbox, 2));
    for (port, text) in [(&one, "a"), (&two, "b"), (&one, "c")] {
        send(port, text).unwrap();
    }
    mailbox.listen(&one, false);
    send(&one, "d").unwrap();
    assert_eq!(drain(&mailbox, &Wanted::Listened), texts([(2, "b")]));
    send(&two, "e").unwrap();
    for _ in 0..2 {
        mailbox.listen(&one, true); // the second time it is no news
    }
    assert_eq!(drain(&mailbox, &Wanted::Listened), texts([(1, "a"), (1, "c"), (1, "d"), (2, "e")]));
}

#[test]
fn what_is_taken_directly_does_not_come_again() {
    let mailbox = mailbox(9);
    let (one, two) = (open_listened(&mailbox, 1), open_listened(&mailbox, 2));
    for (port, text) in [(&one, "a"), (&two, "b"), (&one, "c"), (&two, "d")] {
        send(port, text).unwrap();
    }
    assert_eq!(receive(&one).as_deref(), Ok("a"));
    assert_eq!(receive(&two).as_deref(), Ok("b"));
    assert_eq!(receive(&two).as_deref(), Ok("d"));
    assert_eq!(drain(&mailbox, &Wanted::Listened), texts([(1, "c")]));
}

#[test]
fn a_port_that_takes_a_closed_ones_place_starts_empty() {
    let mailbox = mailbox(9);
    let (one, two) = (open_listened(&mailbox, 1), open_listened(&mailbox, 2));
    send(&one, "dropped").unwrap();
    send(&two, "a").unwrap();
    mailbox.close_port(&one);
    let three = open_listened(&mailbox, 3);
    send(&three, "b").unwrap();
    assert_eq!(send(&one, "late"), Err(Status::Closed));
    assert_eq!(drain(&mailbox, &Wanted::Listened), texts([(2, "a"), (3, "b")]));
}

#[test]
fn a_new_port_is_not_listened_to_because_its_predecessor_was() {
    let mailbox = mailbox(9);
    let one = open_listened(&mailbox, 1);
    mailbox.close_port(&one);
    let two = open(&mailbox, 2);
    send(&two, "a").unwrap();
    assert_eq!(drain(&mailbox, &Wanted::Listened), []);
    assert!(!mailbox.listen(&one, true));
    assert_eq!(drain(&mailbox, &Wanted::Listened), []);
}

#[test]
fn arrivals_that_were_taken_directly_are_forgotten() {
    let mailbox = mailbox(9);
    let port = open_listened(&mailbox, 1);
    for _ in 0..10_000 {
        send(&port, "a").unwrap();
        receive(&port).unwrap();
    }
    assert!(mailbox.inner.lock().arrivals.len() <= 65);
}

#[test]
fn s6_7_a_message_that_finds_no_room_at_the_receiver_is_kept() {
    let mailbox = mailbox(9);
    let port = open(&mailbox, 1);
    send(&port, "large").unwrap();
    send(&port, "s").unwrap();
    let take = Take { wanted: &Wanted::Port(Arc::clone(&port)), waker: None, ends_unreachable: true };
    let took = mailbox.take(&take, |message| if message.bytes.len() > 1 { Err(message.bytes.len()) } else { Ok(()) });
    assert!(matches!(took, Took::Kept(kept, 5) if kept.id() == 1));
    assert_eq!(mailbox.load(), (2, 6 + 2 * OVERHEAD));
    assert_eq!(receive(&port).as_deref(), Ok("large"));
}

#[test]
fn s6_7_discard_drops_the_message_that_does_not_fit() {
    let mailbox = mailbox(9);
    let (one, two) = (open_listened(&mailbox, 1), open_listened(&mailbox, 2));
    for (port, text) in [(&one, "a"), (&two, "b"), (&one, "c")] {
        send(port, text).unwrap();
    }
    assert_eq!(mailbox.discard(&one), Some(true));
    assert_eq!(drain(&mailbox, &Wanted::Listened), texts([(2, "b"), (1, "c")]));
    assert_eq!(mailbox.discard(&one), Some(false));
    assert_eq!(mailbox.load(), (0, 0));
    mailbox.close_port(&one);
    assert_eq!(mailbox.discard(&one), None);
}
