//! Control: one death, one notice each, and no resume that is slept through.

use loom::thread;

use super::{Arc, Kind, MailboxPolicy, Poll, SendRight, Status};
use super::{block_on, check, mailbox, message, poll_fn, receive};
use crate::control::{Accounts, Census, Control, Cradle, Lineage, TurnEnd};
use crate::exit::{Exit, IsolateId, Killer};
use crate::port::CapabilityId;

const PAUSE: CapabilityId = CapabilityId(1);

/// The control of an isolate that waits to be born.
fn newborn(paused: bool) -> Arc<Control> {
    let id = IsolateId(1);
    let census = Arc::new(Census::default());
    census.born();
    Control::new(Cradle {
        id,
        lineage: Lineage::new(id, None),
        mailbox: mailbox(8, MailboxPolicy::Error).0,
        handles_max: 8,
        blob_bytes_max: 0,
        accounts: Accounts::default(),
        alarm: None,
        pause_capability: PAUSE,
        terminate_capability: CapabilityId(2),
        census,
        name: String::from("one"),
        paused,
        errors_fatal: true,
    })
}

/// Semantics 5.2: however many causes there are, there is one exit and one notice.
pub fn two_causes_make_one_exit() {
    check(|| {
        let (mailbox, port) = mailbox(8, MailboxPolicy::Error);
        let control = newborn(false);
        let response = message(b"over");
        assert_eq!(control.add_exit_listener(SendRight::new(&port), response), Ok(()));
        let exits = [Exit::Returned, Exit::Killed { by: Killer::Embedder }];
        let deaths = exits.map(|exit| {
            let control = Arc::clone(&control);
            thread::spawn(move || control.die(exit, || {}).is_some())
        });
        let won = deaths.map(|death| death.join().expect("dying does not panic"));
        assert!(won[0] != won[1], "one of the causes is the cause");
        assert_eq!(receive(&port), Ok(b"over".to_vec()));
        assert_eq!(receive(&port), Err(Status::Unreachable));
        assert!(mailbox.close().is_empty());
    });
}

/// Semantics 4.4: a listener that is added while its isolate dies hears of it, once.
pub fn a_late_listener_hears_of_the_exit_once() {
    check(|| {
        let (mailbox, port) = mailbox(8, MailboxPolicy::Error);
        let control = newborn(false);
        let dying = Arc::clone(&control);
        let death = thread::spawn(move || dying.die(Exit::Returned, || {}).is_some());
        assert_eq!(control.add_exit_listener(SendRight::new(&port), message(b"over")), Ok(()));
        assert_eq!(receive(&port), Ok(b"over".to_vec()));
        assert_eq!(receive(&port), Err(Status::Unreachable));
        assert!(death.join().expect("dying does not panic"));
        assert!(mailbox.close().is_empty());
    });
}

/// Semantics 5.1: nobody sees a half-dead isolate. Who joins it finds its place given back and its notices posted.
pub fn who_sees_the_exit_sees_all_of_it() {
    check(|| {
        let (mailbox, port) = mailbox(8, MailboxPolicy::Error);
        let control = newborn(false);
        assert_eq!(control.add_exit_listener(SendRight::new(&port), message(b"over")), Ok(()));
        let dying = Arc::clone(&control);
        let death = thread::spawn(move || dying.die(Exit::Returned, || {}).is_some());
        let exit = block_on(poll_fn(|cx| match control.poll_exit(cx.waker()) {
            Some(exit) => Poll::Ready(exit),
            None => Poll::Pending,
        }));
        assert_eq!((exit, control.census.live()), (Exit::Returned, 0));
        assert_eq!(mailbox.close().len(), 1, "the exit notice is there");
        assert!(death.join().expect("dying does not panic"));
    });
}

/// Semantics 4.1: a resume is not slept through, whenever it comes.
pub fn a_resume_wakes_the_paused() {
    check(|| {
        let control = newborn(true);
        let resuming = Arc::clone(&control);
        let resumer = thread::spawn(move || resuming.resume(PAUSE));
        block_on(poll_fn(|cx| {
            control.attach_body(cx.waker().clone(), cx.waker().clone());
            match control.end_of_turn() {
                TurnEnd::Go => Poll::Ready(()),
                TurnEnd::Paused => Poll::Pending,
                TurnEnd::Asked { .. } => unreachable!("nobody asks it"),
                TurnEnd::End(exit) => unreachable!("nobody ends it: {exit}"),
            }
        }));
        resumer.join().expect("resuming does not panic");
        assert!(control.die(Exit::Returned, || {}).is_some());
    });
}

/// Semantics 4.3: a ping for the end of a turn is answered once, or its isolate is dead and gives the room back.
pub fn a_ping_is_answered_or_given_up() {
    check(|| {
        let (mailbox, port) = mailbox(8, MailboxPolicy::Error);
        let control = newborn(false);
        let pinged = Arc::clone(&control);
        let right = SendRight::new(&port);
        let priority = insula_wire::Priority::BeforeNextEvent;
        let pinger = thread::spawn(move || pinged.ping(right, message(b"pong"), priority));
        assert!(matches!(control.end_of_turn(), TurnEnd::Go));
        assert!(control.die(Exit::Returned, || {}).is_some());
        assert_eq!(pinger.join().expect("pinging does not panic"), Ok(()));
        let answered = receive(&port).is_ok();
        assert!(!answered || receive(&port) == Err(Status::Unreachable));
        assert_eq!(mailbox.load(), (0, 0));
        assert!(mailbox.close().is_empty());
    });
}

/// Semantics 4.3: a ping that comes while a turn ends is answered then, or at the end of the next.
pub fn a_ping_waits_for_the_next_end_of_a_turn() {
    check(|| {
        let (mailbox, port) = mailbox(8, MailboxPolicy::Error);
        let control = newborn(true);
        let pinged = Arc::clone(&control);
        let right = SendRight::new(&port);
        let priority = insula_wire::Priority::BeforeNextEvent;
        let pinger = thread::spawn(move || pinged.ping(right, message(b"pong"), priority));
        assert!(matches!(control.end_of_turn(), TurnEnd::Paused));
        assert_eq!(pinger.join().expect("pinging does not panic"), Ok(()));
        control.resume(PAUSE);
        assert!(matches!(control.end_of_turn(), TurnEnd::Go));
        assert_eq!(receive(&port), Ok(b"pong".to_vec()));
        assert_eq!(receive(&port), Err(Status::Unreachable));
        assert!(control.die(Exit::Returned, || {}).is_some());
        assert!(mailbox.close().is_empty());
    });
}

/// The kinds of notices are those of the table in semantics 5, in its order.
pub fn an_error_comes_before_the_exit() {
    check(|| {
        let (mailbox, port) = mailbox(8, MailboxPolicy::Error);
        let control = newborn(false);
        assert_eq!(control.add_error_listener(SendRight::new(&port)), Ok(()));
        assert_eq!(control.add_exit_listener(SendRight::new(&port), message(b"over")), Ok(()));
        let dying = Arc::clone(&control);
        let exit = Exit::ProcExit { code: 3 };
        let death = thread::spawn(move || dying.die(exit, || {}).is_some());
        assert_eq!([kind(&port), kind(&port)], [Kind::Error, Kind::Exit]);
        assert!(death.join().expect("dying does not panic"));
        assert_eq!(receive(&port), Err(Status::Unreachable));
        assert!(mailbox.close().is_empty());
    });
}

/// Waits for a message and says its kind.
fn kind(port: &Arc<crate::port::Port>) -> Kind {
    use crate::port::{Take, Took, Wanted};
    let wanted = Wanted::Port(Arc::clone(port));
    block_on(poll_fn(|cx| {
        let take = Take { wanted: &wanted, waker: Some(cx.waker()), ends_unreachable: false };
        match port.mailbox().take(&take, |_| Ok::<(), ()>(())) {
            Took::Message(_, message, _) => Poll::Ready(message.kind),
            Took::Nothing => Poll::Pending,
            Took::Kept(..) | Took::Unreachable | Took::Closed => unreachable!("the port is open"),
        }
    }))
}
