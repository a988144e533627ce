//! Sends that wait for room, questions, and links, whose other side dies.

use insula::{
    AskError, Duplex, DuplexEnd, Host, Isolate, Limits, MailboxPolicy, RecvError, SendError, SendPort, Status,
};

use super::{LONG, MOMENTS, Moment, begun, block_on, host, module};
use crate::harness;

/// As the guest has them.
type Ports = (SendPort<u32>, SendPort<(u64, SendPort<u64>)>);

/// A way to send that waits for room.
type Send = fn(&SendPort<u32>) -> Result<(), SendError>;

const SENDS: [(&str, Send); 4] = [
    ("send", |port| port.send(1)),
    ("send_ref", |port| port.send_ref(&1)),
    ("send_timeout", |port| port.send_timeout(&1, LONG)),
    ("send_async", |port| block_on(port.send_async(1))),
];

/// An isolate with ports, which takes nothing out of them, and a link that it opened.
struct Owner {
    host: Host,
    isolate: Isolate,
    ports: Ports,
    link: Duplex<u32, u32>,
}

impl Owner {
    fn at(moment: Moment) -> Owner {
        let host = host();
        let module = host.load_file(harness::guest("owns_ports")).expect("the guest is a module");
        let told = host.receive_port::<Ports>();
        let (link, end): (Duplex<u32, u32>, DuplexEnd<u32, u32>) = host.duplex();
        let limits = Limits::default().mailbox(16, 1 << 16).sender_percent(100);
        let spawn = moment.spawn().paused(false).limits(limits).message(&(told.send_port(), &end));
        let isolate = host.spawn(&module, spawn).expect("there is room");
        drop(end);
        Owner { ports: told.recv().expect("it tells"), host, isolate, link }
    }
}

/// Fills it.
fn fill(port: &SendPort<u32>) {
    let full = (0..1_000).find_map(|number| port.try_send(&number).err());
    assert_eq!(full, Some(Status::Full.into()));
}

#[test]
fn whoever_waits_for_room_is_told_that_the_receiver_died() {
    for moment in MOMENTS {
        for (name, send) in SENDS {
            let Owner { host, isolate, ports: (numbers, _), .. } = Owner::at(moment);
            fill(&numbers);
            let sent = begun(move || send(&numbers)).waits();
            moment.comes(&host, &isolate);
            assert_eq!(sent.ends((name, moment)), Err(Status::Closed.into()), "{name}, {moment:?}");
        }
    }
}

#[test]
fn whoever_waits_for_room_is_told_that_the_port_was_closed_or_dropped() {
    let host = host();
    for (name, send) in SENDS {
        for drops in [false, true] {
            let port = host.receive_port_with::<u32>(&Limits::default().mailbox(2, 1_000), MailboxPolicy::Wait);
            let numbers = port.send_port();
            fill(&numbers);
            let sent = begun(move || send(&numbers)).waits();
            let kept = if drops {
                drop(port);
                None
            } else {
                port.close();
                Some(port)
            };
            assert_eq!(sent.ends(name), Err(Status::Closed.into()), "{name}");
            drop(kept);
        }
    }
}

#[test]
fn whoever_asks_is_told_that_the_asked_died() {
    type Ask = fn(&Ports) -> Result<u64, AskError>;
    const ASKS: [(&str, Ask); 2] = [
        ("ask", |(_, questions)| questions.ask(|reply| (1, reply), LONG)),
        ("ask_async", |(_, questions)| block_on(questions.ask_async(|reply| (1, reply)))),
    ];
    for moment in MOMENTS {
        for (name, ask) in ASKS {
            let Owner { host, isolate, ports, .. } = Owner::at(moment);
            let asked = begun(move || ask(&ports)).waits();
            moment.comes(&host, &isolate);
            assert_eq!(asked.ends((name, moment)), Err(AskError::Unreachable), "{name}, {moment:?}");
        }
    }
}

#[test]
fn whoever_has_a_link_is_told_that_the_other_end_died() {
    type Receive = fn(&Duplex<u32, u32>) -> Option<RecvError>;
    const RECEIVES: [(&str, Receive); 3] = [
        ("recv", |link| link.recv().err()),
        ("recv_timeout", |link| link.recv_timeout(LONG).err()),
        ("messages", |link| link.messages().next().map(|message| message.expect_err("nobody sends"))),
    ];
    for moment in MOMENTS {
        for (name, receive) in RECEIVES {
            let Owner { host, isolate, link, .. } = Owner::at(moment);
            let received = begun(move || (receive(&link), link)).waits();
            moment.comes(&host, &isolate);
            let (ended, link) = received.ends((name, moment));
            assert!(matches!(ended, Some(RecvError::Unreachable) | None), "{name}, {moment:?}: {ended:?}");
            assert_eq!(link.send(1), Err(Status::Closed.into()), "{name}, {moment:?}");
        }
        // The end is in its mailbox: nobody opened it.
        let host = host();
        let (link, end): (Duplex<u32, u32>, DuplexEnd<u32, u32>) = host.duplex();
        let isolate = host.spawn(&module(&host), moment.spawn().message(&end)).expect("there is room");
        drop(end);
        let sent = begun(move || link.send(1)).waits();
        moment.comes(&host, &isolate);
        assert_eq!(sent.ends(moment), Err(Status::Closed.into()), "{moment:?}");
    }
}
