//! Mailboxes and ports.

use loom::thread;

use super::{Arc, Kind, Mailbox, MailboxPolicy, Message, Poll, SendRight, Status};
use super::{block_on, check, mailbox, message, open, poll_fn, put, receive, send};
use crate::port::{Attachment, Bytes, Take, Took, Wanted};

/// Parking and sending at once: the receiver gets the message.
pub fn a_message_wakes_who_waits_for_it() {
    check(|| {
        let (mailbox, port) = mailbox(8, MailboxPolicy::Error);
        let right = SendRight::new(&port);
        let _held = right.clone(); // so that it is the message that wakes, and not the last right
        let sender = thread::spawn(move || send(&right, b"hello"));
        assert_eq!(receive(&port), Ok(b"hello".to_vec()));
        assert_eq!(sender.join().expect("the sender does not panic"), Ok(()));
        done(&mailbox);
    });
}

/// Semantics 1.3: no order between senders, but each one's own.
pub fn each_sender_keeps_its_order() {
    check(|| {
        let (mailbox, port) = mailbox(8, MailboxPolicy::Error);
        let senders = [(1, 2), (2, 1)].map(|(name, count)| {
            let right = SendRight::new(&port);
            thread::spawn(move || (0..count).all(|number| send(&right, &[name, number]) == Ok(())))
        });
        let mut seen = [0_u8; 3];
        for _ in 0..3 {
            let bytes = receive(&port).expect("three messages are sent");
            let next = &mut seen[usize::from(bytes[0])];
            assert_eq!(bytes[1], *next, "out of order");
            *next += 1;
        }
        for sender in senders {
            assert!(sender.join().expect("a sender does not panic"), "there is room");
        }
        assert_eq!(receive(&port), Err(Status::Unreachable));
        done(&mailbox);
    });
}

/// Semantics 5.3: queued messages come first, then the receiver learns that nobody can send.
pub fn the_last_right_to_go_ends_the_wait() {
    check(|| {
        let (mailbox, port) = mailbox(8, MailboxPolicy::Error);
        let right = SendRight::new(&port);
        let other = right.clone();
        let silent = thread::spawn(move || drop(other));
        let sender = thread::spawn(move || send(&right, b"last"));
        assert_eq!(receive(&port), Ok(b"last".to_vec()));
        assert_eq!(receive(&port), Err(Status::Unreachable));
        silent.join().expect("dropping does not panic");
        assert_eq!(sender.join().expect("the sender does not panic"), Ok(()));
        done(&mailbox);
    });
}

/// Semantics 6.8: a right that a dropped message held is released, and its receiver learns it.
pub fn a_right_in_a_dropped_message_is_released() {
    check(|| {
        let (from, port_there) = mailbox(8, MailboxPolicy::Error);
        let (to, port_here) = mailbox(8, MailboxPolicy::Error);
        let attachments = [Attachment::Send(SendRight::new(&port_here))].into();
        let carrier = Message { kind: Kind::Data, bytes: Bytes::copy(&[]), attachments };
        assert_eq!(put(&SendRight::new(&port_there), carrier, None), Ok(()));
        let closing = Arc::clone(&from);
        let closer = thread::spawn(move || drop(closing.close()));
        assert_eq!(receive(&port_here), Err(Status::Unreachable));
        closer.join().expect("closing does not panic");
        done(&to);
    });
}

/// A send that races with the end of its receiver is accepted and comes out, or is refused: never both, never neither.
pub fn a_message_is_delivered_or_refused() {
    check(|| {
        let (mailbox, port) = mailbox(8, MailboxPolicy::Error);
        let right = SendRight::new(&port);
        let sender = thread::spawn(move || send(&right, b"hello"));
        let released = mailbox.close().len();
        let sent = sender.join().expect("the sender does not panic");
        assert_eq!((sent, released), if released == 1 { (Ok(()), 1) } else { (Err(Status::Closed), 0) });
        done(&mailbox);
    });
}

/// A sender that waits for room gets it when a message is taken.
pub fn a_waiting_sender_gets_the_room_of_what_is_taken() {
    check(|| {
        let (mailbox, port) = mailbox(1, MailboxPolicy::Wait);
        let right = SendRight::new(&port);
        assert_eq!(send(&right, b"first"), Ok(()));
        let sender = thread::spawn(move || send_waiting(&right, b"second"));
        assert_eq!(receive(&port), Ok(b"first".to_vec()));
        assert_eq!(receive(&port), Ok(b"second".to_vec()));
        assert_eq!(sender.join().expect("the sender does not panic"), Ok(()));
        done(&mailbox);
    });
}

/// A sender that waits for room learns it when its receiver ends instead.
pub fn a_waiting_sender_learns_of_the_end() {
    check(|| {
        let (mailbox, port) = mailbox(1, MailboxPolicy::Wait);
        let right = SendRight::new(&port);
        assert_eq!(send(&right, b"first"), Ok(()));
        let sender = thread::spawn(move || send_waiting(&right, b"second"));
        let released = mailbox.close().len();
        assert_eq!((sender.join().expect("the sender does not panic"), released), (Err(Status::Closed), 1));
        done(&mailbox);
    });
}

/// The room of a notice is given back, whether it is posted before or after its port was closed.
pub fn the_room_of_a_notice_is_given_back() {
    check(|| {
        let (mailbox, port) = mailbox(1, MailboxPolicy::Error);
        let notice = message(b"gone");
        let reserved = notice.cost();
        assert_eq!(mailbox.reserve(&port, reserved), Ok(()));
        assert_eq!(send(&SendRight::new(&port), b"no room"), Err(Status::Full));
        let (there, target) = (Arc::clone(&mailbox), Arc::clone(&port));
        let poster = thread::spawn(move || there.post(&target, notice, reserved));
        mailbox.close_port(&port);
        poster.join().expect("posting does not panic");
        assert_eq!(mailbox.load(), (0, 0));
        let other = open(&mailbox, 2, MailboxPolicy::Error);
        assert_eq!(send(&SendRight::new(&other), b"room"), Ok(()));
        assert_eq!(receive(&other), Ok(b"room".to_vec()));
        done(&mailbox);
    });
}

/// The model of a mistake, to see that mistakes are seen: a receiver that looks, and then waits for nothing.
pub fn a_receiver_that_leaves_no_waker() {
    check(|| {
        let (mailbox, port) = mailbox(8, MailboxPolicy::Error);
        let right = SendRight::new(&port);
        let sender = thread::spawn(move || send(&right, b"hello"));
        let wanted = Wanted::Port(Arc::clone(&port));
        let take = Take { wanted: &wanted, waker: None, ends_unreachable: true };
        block_on(poll_fn(|_| match mailbox.take(&take, |_| Ok::<(), ()>(())) {
            Took::Nothing => Poll::Pending,
            _ => Poll::Ready(()),
        }));
        assert_eq!(sender.join().expect("the sender does not panic"), Ok(()));
        done(&mailbox);
    });
}

/// Sends, waiting for room.
fn send_waiting(right: &SendRight, bytes: &[u8]) -> Result<(), Status> {
    block_on(poll_fn(|cx| match put(right, message(bytes), Some(cx.waker())) {
        Err(Status::Full) => Poll::Pending,
        sent => Poll::Ready(sent),
    }))
}

/// The end of a model: nothing is queued or reserved, and the ports let their mailbox go.
fn done(mailbox: &Mailbox) {
    assert_eq!(mailbox.load(), (0, 0));
    assert!(mailbox.close().is_empty());
}
