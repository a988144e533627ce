//! Sends back each value that an embedder sends; at null it fails.

use insula_guest::{ReceivePort, SendPort, Value};
use serde::Serialize;
use serde::ser::{SerializeTuple as _, Serializer};

/// Bytes that stand in the message as they are.
struct Crafted(Vec<u8>);

impl Serialize for Crafted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        self.0.iter().try_for_each(|byte| tuple.serialize_element(byte))?;
        tuple.end()
    }
}

fn run(back: SendPort<Value>) -> Result<(), String> {
    let port = ReceivePort::<Value>::new();
    let send = |value| back.send(value).map_err(|error| error.to_string());
    send(port.send_port().into())?;
    for value in port {
        match value {
            Value::Null => return Err("there is nothing in the mirror".to_owned()),
            Value::Bytes(bytes) => {
                let port = back.clone().typed::<Crafted>();
                port.send(Crafted(bytes)).map_err(|error| error.to_string())?;
            }
            value => send(value)?,
        }
    }
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
