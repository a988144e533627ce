//! Whatever a receiver does to what it got, the sender's is untouched; and the other way round.

use std::error::Error;

use insula_guest::{ReceivePort, SendPort, Value};

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let port = ReceivePort::<Value>::new();
    let mut sent = Value::list([Value::from([1, 2]), "text".into()]);
    port.send_port().send_ref(&sent)?;
    port.send_port().send_ref(&sent)?;
    let mut received = port.recv()?;
    if let Value::List(list) = &mut received {
        list.push("more".into());
        list[0] = Value::Null;
    }
    report.send(format!("the receiver has {received}, the sender {sent}"))?;
    if let Value::List(list) = &mut sent {
        list.clear();
    }
    report.send(format!("the sender has {sent}, the second copy is {}", port.recv()?))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
