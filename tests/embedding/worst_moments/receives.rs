//! Receives whose last sender dies, and whose port is closed by somebody else.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use futures_core::Stream as _;
use insula::{ReceivePort, RecvError, recv_any, recv_either};

use super::{LONG, MOMENTS, begun, block_on, host, module};

/// A way to receive, and how it ended: none is the end of an iterator or a stream.
type Shared = (&'static str, fn(&ReceivePort<u32>) -> Option<RecvError>);

/// As that, where the port is not left to others.
type Taken = (&'static str, fn(ReceivePort<u32>) -> Option<RecvError>);

/// Those that leave the port to others.
const BY_REFERENCE: [Shared; 9] = [
    ("recv", |port| port.recv().err()),
    ("recv_timeout", |port| port.recv_timeout(LONG).err()),
    ("recv_async", |port| block_on(port.recv_async()).err()),
    ("recv_message", |port| port.recv_message().err()),
    ("recv_message_timeout", |port| port.recv_message_timeout(LONG).err()),
    ("recv_message_async", |port| block_on(port.recv_message_async()).err()),
    ("messages", |port| port.messages().next().map(|message| message.expect_err("nobody sends"))),
    ("recv_either", |port| recv_either(port, port).err()),
    ("recv_any", |port| recv_any(&[port, port]).err()),
];

/// Those that take it.
const BY_VALUE: [Taken; 5] = [
    ("first", |port| port.first().err()),
    ("single", |port| port.single().err()),
    ("poll_next", |mut port| {
        let next = block_on(poll_fn(|cx| Pin::new(&mut port).poll_next(cx)));
        next.map(|message| message.expect_err("nobody sends"))
    }),
    ("listen", |port| {
        let listener = port.listen(|message| panic!("nobody sends {message:?}")).expect("there is a thread");
        listener.join().expect("its handler does not panic");
        None
    }),
    ("Broadcast::recv", |port| port.broadcast().recv().err()),
];

#[test]
fn whoever_receives_is_told_that_the_last_sender_died() {
    for moment in MOMENTS {
        for number in 0..BY_REFERENCE.len() + BY_VALUE.len() {
            let host = host();
            let port = host.receive_port::<u32>();
            let isolate = host.spawn(&module(&host), moment.spawn().message(&port.send_port())).expect("there is room");
            let (name, receives): (_, Box<dyn FnOnce() -> Option<RecvError> + Send>) = match BY_REFERENCE.get(number) {
                Some(&(name, receive)) => (name, Box::new(move || receive(&port))),
                None => {
                    let (name, receive) = BY_VALUE[number - BY_REFERENCE.len()];
                    (name, Box::new(move || receive(port)))
                }
            };
            let received = begun(receives).waits();
            moment.comes(&host, &isolate);
            let ended = received.ends((name, moment));
            assert!(matches!(ended, Some(RecvError::Unreachable) | None), "{name}, {moment:?}: {ended:?}");
            assert!(moment.is_end(&isolate.join()));
        }
    }
}

#[test]
fn whoever_receives_is_told_that_another_thread_closed_the_port() {
    let host = host();
    for (name, receive) in BY_REFERENCE {
        let port = Arc::new(host.receive_port::<u32>());
        let _sender = port.send_port();
        let waits = Arc::clone(&port);
        let received = begun(move || receive(&waits)).waits();
        port.close();
        let ended = received.ends(name);
        assert!(matches!(ended, Some(RecvError::Closed) | None), "{name}: {ended:?}");
    }
    let broadcast = host.receive_port::<u32>().broadcast();
    let (_sender, waits) = (broadcast.send_port(), broadcast.clone());
    let received = begun(move || waits.recv()).waits();
    broadcast.close();
    assert_eq!(received.ends("Broadcast::recv"), Err(RecvError::Closed));
}

#[test]
fn whoever_waits_for_a_listener_is_told_that_its_handler_panicked_or_its_port_was_closed() {
    use std::ops::ControlFlow;
    let host = host();
    let port = host.receive_port::<u32>();
    let sender = port.send_port();
    let listener = port.listen(|_| panic!("a handler may")).expect("there is a thread");
    let joined = begun(move || listener.join().is_err()).waits();
    sender.send(1).expect("it is open");
    assert!(joined.ends("a panic"));

    let port = host.receive_port::<u32>();
    let _sender = port.send_port();
    let listener = port.listen(|_| ControlFlow::Continue(())).expect("there is a thread");
    listener.close();
    assert!(begun(move || listener.join().is_ok()).ends("closed"));
}
