//! A sender that does not wait, and a receiver that is slow.

use std::hint::black_box;
use std::time::Instant;

use insula_guest::{Isolate, MailboxPolicy, MessageBuffer, ReceivePort, SendError, SendPort, export_computation};
use serde_bytes::{ByteBuf, Bytes};

/// Sends without a pause for as long as there is a receiver, and then says how often it was refused.
fn floods((to, length, refusals): (SendPort<ByteBuf>, u32, SendPort<u64>)) {
    let message = ByteBuf::from(vec![7; length as usize]);
    let mut refused = 0;
    loop {
        match to.send_ref(&message) {
            Ok(()) => {}
            Err(SendError::Full) => refused += 1, // this message is lost, the next one is tried at once
            Err(_) => break,
        }
    }
    refusals.send(refused).ok();
}

/// Messages a second that arrive at a receiver which does something with each, out of so many of this length; and how
/// many the sender could not send. A sender that is to wait waits where the mailbox is full.
fn flood((count, length, waits): (u32, u32, bool)) -> (f64, u64) {
    let policy = if waits { MailboxPolicy::Wait } else { MailboxPolicy::Error };
    let (port, refusals) = (ReceivePort::<ByteBuf>::with_policy(policy), ReceivePort::new());
    Isolate::spawn(floods, (port.send_port(), length, refusals.send_port())).expect("there is room");
    let mut buffer = MessageBuffer::new();
    let began = Instant::now();
    for _ in 0..count {
        let bytes = port.recv_in::<&Bytes>(&mut buffer).expect("they come");
        assert_eq!(bytes.len(), length as usize);
        black_box((0..TURNS).fold(bytes.len() as u64, |number, turn| black_box(number ^ turn)));
    }
    let rate = f64::from(count) / began.elapsed().as_secs_f64();
    drop(port);
    (rate, refusals.recv().expect("the sender ends"))
}
export_computation!(flood as "flood");

/// What the receiver does with a message: some microseconds, several times what a send takes.
const TURNS: u64 = 2_000;
