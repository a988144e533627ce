//! What once went wrong in the mailbox.

use super::*;
use crate::account::{Account, Bounds, Charge};

/// `drop_oldest` throws the wakers away that `pop` hands it: a sender that waits is never woken again.
#[test]
fn s9_2_a_sender_that_waits_is_not_forgotten_when_another_ports_oldest_makes_room() {
    let mailbox = mailbox(2);
    let (waited_for, other) =
        (open_with(&mailbox, 1, MailboxPolicy::Wait), open_with(&mailbox, 2, MailboxPolicy::DropOldest));
    let (bell, waker) = Bell::new();
    send(&other, "a").unwrap();
    send(&other, "b").unwrap();
    assert_eq!(put(&waited_for, message("w"), Some(&waker)), Err(Status::Full));
    send(&other, "c").unwrap();
    receive(&other).unwrap();
    assert_eq!(bell.rings(), 1);
}

/// A notice that is queued on a port of this policy is dropped for data.
#[test]
fn s4_7_a_notice_is_not_dropped_for_newer_messages() {
    let mailbox = mailbox(1);
    let port = open_with(&mailbox, 1, MailboxPolicy::DropOldest);
    mailbox.reserve(&port, 4 + OVERHEAD).unwrap();
    mailbox.post(&port, notice("gone"), 4 + OVERHEAD);
    let _ = send(&port, "data");
    assert_eq!(receive(&port).as_deref(), Ok("gone"));
}

/// Everything is dropped for a message that cannot fit, which is then refused.
#[test]
fn drop_oldest_drops_nothing_in_vain() {
    let mailbox = Mailbox::new(Room { messages_max: 9, bytes_max: 3 * OVERHEAD, message_bytes_max: 999, ports_max: 2 });
    let port = open_with(&mailbox, 1, MailboxPolicy::DropOldest);
    send(&port, "a").unwrap();
    send(&port, "b").unwrap();
    assert!(send(&port, &"x".repeat(500)).is_err());
    assert_eq!(drain(&mailbox, &Wanted::Port(port)).len(), 2);
}

/// A message that the mailbox could not hold were it empty is Full, and with the policy wait a wait for ever.
#[test]
fn s1_4_a_message_larger_than_the_mailbox_is_too_large() {
    let mailbox = Mailbox::new(Room { messages_max: 9, bytes_max: 3 * OVERHEAD, message_bytes_max: 999, ports_max: 2 });
    let port = open_with(&mailbox, 1, MailboxPolicy::Wait);
    assert_eq!(put(&port, message(&"x".repeat(500)), None), Err(Status::TooLarge));
}

/// A guest that opens, listens, sends to itself and closes grows the host: nothing prunes arrivals but a pop.
#[test]
fn arrivals_of_closed_ports_are_forgotten() {
    let mailbox = mailbox(9);
    for id in 1..10_000 {
        let port = open_listened(&mailbox, id);
        send(&port, "a").unwrap();
        mailbox.close_port(&port);
    }
    assert!(mailbox.inner.lock().arrivals.len() <= 65);
}

/// Every poll of a waiting send adds a waker, and giving up takes none out.
#[test]
fn a_sender_that_waits_is_registered_once() {
    let mailbox = mailbox(0);
    let port = open_with(&mailbox, 1, MailboxPolicy::Wait);
    let (_bell, waker) = Bell::new();
    for _ in 0..1000 {
        assert_eq!(put(&port, message("a"), Some(&waker)), Err(Status::Full));
    }
    assert_eq!(mailbox.inner.lock().senders.len(), 1);
}

/// A notice smaller than its reserve frees bytes, and nobody learns it.
#[test]
fn a_small_notice_wakes_the_sender_that_waits_for_bytes() {
    let mailbox = Mailbox::new(Room { messages_max: 9, bytes_max: 1000, message_bytes_max: 999, ports_max: 2 });
    let (one, two) = (open_with(&mailbox, 1, MailboxPolicy::Wait), open(&mailbox, 2));
    let (bell, waker) = Bell::new();
    mailbox.reserve(&two, 1000).unwrap();
    assert_eq!(put(&one, message("a"), Some(&waker)), Err(Status::Full));
    mailbox.post(&two, notice("n"), 1000);
    assert_eq!(bell.rings(), 1);
}

/// The doc says "closes everything for good".
#[test]
fn a_closed_mailbox_opens_no_port() {
    let mailbox = mailbox(9);
    drop(mailbox.close());
    assert!(mailbox.open(1, 0, MailboxPolicy::Error).is_err());
}

/// `take` lets the old waker go under the lock (`inner.waiting = None`): a waker whose drop touches the mailbox
/// never returns.
#[test]
fn nothing_is_dropped_under_the_lock() {
    struct Last(Arc<Mailbox>);
    impl Wake for Last {
        fn wake(self: Arc<Last>) {}
    }
    impl Drop for Last {
        fn drop(&mut self) {
            self.0.load();
        }
    }
    let (done, is_done) = crossbeam_channel::bounded(1);
    std::thread::spawn(move || {
        let mailbox = mailbox(9);
        let port = open(&mailbox, 1);
        let _held = SendRight::new(&port);
        let wanted = Wanted::Port(port);
        let waker = Waker::from(Arc::new(Last(Arc::clone(&mailbox))));
        let _ = take(&mailbox, &wanted, Some(&waker));
        drop(waker);
        let _ = take(&mailbox, &wanted, None);
        done.send(()).unwrap();
    });
    assert!(is_done.recv_timeout(std::time::Duration::from_secs(2)).is_ok());
}

/// A notice that was promised room here goes when the mailbox is closed, and its room is given back twice: the account
/// above then wraps, and takes nothing any more.
#[test]
fn what_a_dead_mailbox_had_promised_is_given_back_once() {
    let account = Account::below(None, Bounds { queued: Some(1_000), ..Bounds::default() }, None).unwrap();
    let room = Room { messages_max: 9, bytes_max: 999, message_bytes_max: 999, ports_max: 2 };
    let charged = Charged { sender_percent_max: 100, account: Some(Arc::clone(&account)), alarm: None };
    let mailbox = Mailbox::of_isolate(1, room, charged);
    let port = open_with(&mailbox, 1, MailboxPolicy::Error);
    mailbox.reserve(&port, 100).unwrap();
    mailbox.reserve(&port, 100).unwrap();
    assert_eq!(account.count(Charge::Queued), 200);
    assert!(mailbox.close().is_empty());
    assert_eq!(account.count(Charge::Queued), 0);
    mailbox.post(&port, notice("late"), 100);
    mailbox.unreserve(100);
    assert_eq!(account.count(Charge::Queued), 0);
}

/// Of room in the accounts above nobody at this mailbox is told: a sender would wait for good.
#[test]
fn a_sender_does_not_wait_for_the_room_of_the_tree() {
    let bounds = Bounds { queued: Some(2 * OVERHEAD), ..Bounds::default() };
    let account = Account::below(None, bounds, None);
    let charged = || Charged { account: account.clone(), ..Charged::default() };
    let room = || Room { messages_max: 9, bytes_max: 1000, message_bytes_max: 999, ports_max: 2 };
    let [sibling, waiting] = [(); 2].map(|()| Mailbox::of_isolate(1, room(), charged()));
    let sibling_port = open(&sibling, 1);
    let port = open_with(&waiting, 2, MailboxPolicy::Wait);
    send(&sibling_port, "").unwrap();
    send(&sibling_port, "").unwrap();
    let refused = waiting.send(&port, message(""), None).err();
    assert!(refused.is_some_and(|refused| refused.status == Status::Full && !refused.waits));
    receive(&sibling_port).unwrap();
    assert_eq!(send(&port, ""), Ok(()));
}

/// A response that takes the place of another is charged to the tree as any other.
#[test]
fn room_that_is_exchanged_counts_in_the_tree() {
    let bounds = Bounds { queued: Some(3 * OVERHEAD), ..Bounds::default() };
    let charged = Charged { account: Account::below(None, bounds, None), ..Charged::default() };
    let room = Room { messages_max: 9, bytes_max: 1000, message_bytes_max: 999, ports_max: 2 };
    let mailbox = Mailbox::of_isolate(1, room, charged);
    let port = open(&mailbox, 1);
    mailbox.reserve(&port, OVERHEAD).unwrap();
    assert_eq!(mailbox.reserve_instead(&port, OVERHEAD, 4 * OVERHEAD), Err(Status::Full));
    assert_eq!(mailbox.reserve_instead(&port, OVERHEAD, 3 * OVERHEAD), Ok(()));
    assert_eq!(mailbox.load(), (1, 3 * OVERHEAD));
}

/// The oldest is found near the front, however long the queue is; what is not there makes no room.
#[test]
fn a_share_that_is_full_of_what_is_far_from_the_front_is_full() {
    let charged = Charged { sender_percent_max: 10, ..Charged::default() };
    let room = Room { messages_max: 100, bytes_max: 1 << 20, message_bytes_max: 999, ports_max: 2 };
    let mailbox = Mailbox::of_isolate(1, room, charged);
    let port = open_with(&mailbox, 1, MailboxPolicy::DropOldest);
    for n in 0..80 {
        mailbox.send_from(Sender::isolate(100 + n), &port, message("others"), None).map_err(|_| ()).unwrap();
    }
    let mine = |n: usize| {
        let sent = mailbox.send_from(Sender::isolate(1), &port, message("mine"), None);
        sent.map(|_| ()).map_err(|refused| (n, refused.status))
    };
    for n in 0..10 {
        assert_eq!(mine(n), Ok(()));
    }
    assert_eq!(mine(10), Err((10, Status::Full)));
    for _ in 0..20 {
        receive(&port).unwrap();
    }
    assert_eq!(mine(11), Ok(()), "now its oldest is near the front, and makes room");
    assert_eq!(mailbox.load().0, 70);
}

/// A port that is closed with nothing in it gives no room back, and who waits to send there is told nothing.
#[test]
fn a_sender_that_waits_learns_that_the_port_was_closed() {
    let mailbox = mailbox(1);
    let (waited_for, other) = (open_with(&mailbox, 1, MailboxPolicy::Wait), open(&mailbox, 2));
    let (bell, waker) = Bell::new();
    send(&other, "a").unwrap();
    assert_eq!(put(&waited_for, message("w"), Some(&waker)), Err(Status::Full));
    mailbox.close_port(&waited_for);
    assert_eq!(bell.rings(), 1);
    assert_eq!(put(&waited_for, message("w"), Some(&waker)), Err(Status::Closed));
}
