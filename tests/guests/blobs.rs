//! Blobs: put together from parts, moved with a send, taken once, read without being taken.

use std::error::Error;

use insula_guest::{Blob, Isolate, Limits, ReceivePort, SendError, SendPort};
use serde::ser::{Serialize, SerializeTuple, Serializer};
use serde::{Deserialize, de::Deserializer};

const MEGABYTE: usize = 1 << 20;

/// A message that names one blob twice.
struct Twice(Blob, Option<Blob>);

impl Serialize for Twice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(2)?;
        tuple.serialize_element(&self.0)?;
        tuple.serialize_element(&self.0)?;
        tuple.end()
    }
}

impl<'de> Deserialize<'de> for Twice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Twice, D::Error> {
        <(Blob, Blob)>::deserialize(deserializer).map(|(first, second)| Twice(first, Some(second)))
    }
}

fn looks((blob, back): (Blob, SendPort<(u64, u8, Blob)>)) -> Result<(), Box<dyn Error>> {
    let (length, mut last) = (blob.length()?, [0]);
    blob.read(length - 1, &mut last)?;
    back.send((length, last[0], blob))?;
    Ok(())
}

fn poor(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let port = ReceivePort::<Blob>::new();
    let held = Blob::new(&[0; 600])?;
    report.send(format!("over the limit: {}", Blob::new(&[0; 600]).is_err()))?;
    drop(held);
    port.send_port().send(Blob::new(&[1; 400])?)?;
    let held = Blob::new(&[2; 700])?;
    report.send(format!("no room to receive: {:?}", port.recv().map(drop)))?;
    drop(held);
    report.send(format!("the message was kept: {}", port.recv()?.length()?))?;
    Ok(())
}

/// A spawn that fails.
fn send_to_nobody(message: &(Blob, u32)) -> bool {
    Isolate::build().spawn_export("no such entry", message).is_err()
}

fn refused(report: &SendPort<String>) -> Result<(), Box<dyn Error>> {
    let blob = Blob::new(b"mine")?;
    let closed = ReceivePort::<Blob>::new();
    closed.close();
    report.send(format!("refused: {}", closed.send_port().send_ref(&blob) == Err(SendError::Closed)))?;
    let message = (blob, 1);
    report.send(format!("not born: {}", send_to_nobody(&message)))?;
    let (blob, _) = message;
    report.send(format!("still mine: {}", String::from_utf8(blob.into_bytes()?)?))?;
    Ok(())
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let blob = Blob::from_parts(&[b"one, ", b"", b"two"])?;
    report.send(String::from_utf8(blob.into_bytes()?)?)?;

    let back = ReceivePort::new();
    let large = Blob::new(&vec![7; MEGABYTE])?;
    Isolate::spawn(looks, (large, back.send_port()))?;
    let (length, last, returned) = back.recv()?;
    report.send(format!("{length} bytes, the last is {last}, then {}", returned.into_bytes()?[MEGABYTE - 1]))?;

    let port = ReceivePort::<Blob>::new();
    let blob = Blob::new(b"once")?;
    port.send_port().send_ref(&blob)?;
    report.send(format!("gone: {} {}", blob.length().is_err(), port.send_port().send_ref(&blob).is_err()))?;
    report.send(String::from_utf8(port.recv()?.into_bytes()?)?)?;

    let port = ReceivePort::new();
    port.send_port().send(Twice(Blob::new(b"twice")?, None))?;
    let Twice(first, second) = port.recv()?;
    report.send(String::from_utf8(first.into_bytes()?)?)?;
    report.send(format!("a second take is an error: {}", second.is_some_and(|blob| blob.into_bytes().is_err())))?;

    refused(&report)?;
    Isolate::build().limits(Limits::default().blob_bytes(1_000)).spawn(poor, report)?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
