//! Messages between two isolates.

use std::time::Instant;

use insula_guest::{Blob, Encoded, Isolate, MailboxPolicy, MessageBuffer, ReceivePort, SendPort, export_computation};
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteBuf, Bytes};

/// The small message of all jobs.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Small {
    text: String,
    one: u32,
    two: u32,
    three: u64,
}

pub(crate) fn small() -> Small {
    Small { text: "a short text".to_owned(), one: 1, two: 2, three: 3 }
}

pub(crate) fn echo((hello, back): (SendPort<SendPort<Small>>, SendPort<Small>)) {
    let port = ReceivePort::<Small>::new();
    hello.send(port.send_port()).ok();
    drop(hello);
    while let Ok(message) = port.recv() {
        back.send(message).ok();
    }
}

/// Nanoseconds a round trip, typed on both sides.
pub(crate) fn ping_pong(count: u32) -> f64 {
    let (hello, back) = (ReceivePort::new(), ReceivePort::new());
    Isolate::spawn(echo, (hello.send_port(), back.send_port())).expect("there is room");
    let there: SendPort<Small> = hello.recv().expect("the other one is there");
    let mut message = small();
    let began = Instant::now();
    for _ in 0..count {
        there.send(message).expect("the other one is there");
        message = back.recv().expect("it answers");
    }
    began.elapsed().as_nanos() as f64 / f64::from(count)
}
export_computation!(ping_pong as "ping-pong");

/// The small message's bytes, without looking into them.
fn echo_raw((hello, back): (SendPort<SendPort<ByteBuf>>, SendPort<ByteBuf>)) {
    let port = ReceivePort::<ByteBuf>::new();
    hello.send(port.send_port()).ok();
    drop(hello);
    let answer = Encoded::new(&raw(RAW_BYTES)).expect("bytes can be sent");
    let mut buffer = MessageBuffer::new();
    while let Ok(bytes) = port.recv_in::<&Bytes>(&mut buffer) {
        assert_eq!(bytes.len(), RAW_BYTES);
        back.send_encoded(&answer).ok();
    }
}

/// As many as the small message has.
const RAW_BYTES: usize = 16;

fn raw(length: usize) -> ByteBuf {
    ByteBuf::from(vec![7; length])
}

/// Nanoseconds a round trip of bytes that nobody encodes or decodes.
fn ping_pong_raw(count: u32) -> f64 {
    let (hello, back) = (ReceivePort::new(), ReceivePort::<ByteBuf>::new());
    Isolate::spawn(echo_raw, (hello.send_port(), back.send_port())).expect("there is room");
    let there: SendPort<ByteBuf> = hello.recv().expect("the other one is there");
    let message = Encoded::new(&raw(RAW_BYTES)).expect("bytes can be sent");
    let mut buffer = MessageBuffer::new();
    let began = Instant::now();
    for _ in 0..count {
        there.send_encoded(&message).expect("the other one is there");
        let bytes = back.recv_in::<&Bytes>(&mut buffer).expect("it answers");
        assert_eq!(bytes.len(), RAW_BYTES);
    }
    began.elapsed().as_nanos() as f64 / f64::from(count)
}
export_computation!(ping_pong_raw as "ping-pong-raw");

fn send_small((to, count): (SendPort<Small>, u32)) {
    let message = small();
    for _ in 0..count {
        to.send_ref(&message).expect("the receiver is there");
    }
}

/// Nanoseconds for each of so many small messages in one direction; a full mailbox makes the sender wait.
fn one_way(count: u32) -> f64 {
    let port = ReceivePort::<Small>::with_policy(MailboxPolicy::Wait);
    Isolate::spawn(send_small, (port.send_port(), count)).expect("there is room");
    port.recv().expect("the first one starts the clock");
    let began = Instant::now();
    for _ in 1..count {
        port.recv().expect("they come");
    }
    began.elapsed().as_nanos() as f64 / f64::from(count - 1)
}
export_computation!(one_way as "one-way");

fn send_large((to, count, length): (SendPort<ByteBuf>, u32, u32)) {
    let message = Encoded::new(&raw(length as usize)).expect("bytes can be sent");
    for _ in 0..count {
        to.send_encoded(&message).expect("the receiver is there");
    }
}

/// The same with messages of so many bytes, which are read where they arrive.
fn one_way_large((count, length): (u32, u32)) -> f64 {
    let port = ReceivePort::<ByteBuf>::with_policy(MailboxPolicy::Wait);
    Isolate::spawn(send_large, (port.send_port(), count, length)).expect("there is room");
    let mut buffer = MessageBuffer::new();
    let mut receive = || {
        let bytes = port.recv_in::<&Bytes>(&mut buffer).expect("they come");
        assert_eq!((bytes.len(), bytes.last()), (length as usize, Some(&7)));
    };
    receive();
    let began = Instant::now();
    (1..count).for_each(|_| receive());
    began.elapsed().as_nanos() as f64 / f64::from(count - 1)
}
export_computation!(one_way_large as "one-way-large");

fn pass_back((hello, back): (SendPort<SendPort<Blob>>, SendPort<Blob>)) {
    let port = ReceivePort::<Blob>::new();
    hello.send(port.send_port()).ok();
    drop(hello);
    while let Ok(blob) = port.recv() {
        back.send(read_some(blob)).ok();
    }
}

fn read_some(blob: Blob) -> Blob {
    let mut some = [0; 16];
    assert_eq!(blob.read(1_000, &mut some).ok(), Some(16));
    assert_eq!(some, [7; 16]);
    blob
}

/// Nanoseconds to hand a blob of so many bytes over, and to read 16 of them.
fn blob((count, length): (u32, u32)) -> f64 {
    let (hello, back) = (ReceivePort::new(), ReceivePort::new());
    Isolate::spawn(pass_back, (hello.send_port(), back.send_port())).expect("there is room");
    let there: SendPort<Blob> = hello.recv().expect("the other one is there");
    let mut blob = Blob::new(&raw(length as usize)).expect("there is room");
    let began = Instant::now();
    for _ in 0..count {
        there.send(blob).expect("the other one is there");
        blob = read_some(back.recv().expect("it comes back"));
    }
    began.elapsed().as_nanos() as f64 / f64::from(2 * count)
}
export_computation!(blob as "blob");
