//! An isolate that hands its handle to the embedder, with and without authority, and echoes what it is sent.

use std::error::Error;

use insula_guest::{Blob, Capability, Isolate, ReceivePort, SendPort};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Shown {
    all: Isolate,
    bare: Isolate,
    key: Capability,
    port: SendPort<(Capability, Blob, Isolate)>,
}

fn run((shown, told): (SendPort<Shown>, SendPort<String>)) -> Result<(), Box<dyn Error>> {
    let (port, key) = (ReceivePort::new(), Capability::new());
    let all = Isolate::current();
    let bare = all.clone().without_pause().without_terminate();
    shown.send(Shown { all: all.clone(), bare, key: key.clone(), port: port.send_port() })?;
    let (same_key, blob, same_isolate) = port.recv()?;
    let same = same_key == key && same_isolate == all;
    told.send(format!("{same}, {}", String::from_utf8(blob.into_bytes()?)?))?;
    drop(told);
    port.recv()?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
