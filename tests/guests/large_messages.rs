//! Large messages arrive whole, the largest too; one byte more is an error, and costs nothing.

use std::error::Error;

use insula_guest::{ReceivePort, SendError, SendPort, Value};

/// The default limit of a message, of which bytes take this much for their variant and length.
const MAX: usize = 64 << 20;
const FRAME: usize = 5;

fn patterned(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at ^ (at >> 9)) as u8).collect()
}

fn run((report, steps): (SendPort<String>, SendPort<SendPort<()>>)) -> Result<(), Box<dyn Error>> {
    let step = ReceivePort::<()>::new();
    let port = ReceivePort::<Value>::new();
    let to_port = port.send_port();
    steps.send(step.send_port())?;
    step.recv()?; // the embedder reads the accounts
    for length in [2 << 20, MAX - FRAME] {
        let bytes = Value::from(patterned(length));
        to_port.send_ref(&bytes)?;
        let Value::Bytes(received) = port.recv()? else { return Err("it is no bytes".into()) };
        report.send(format!("{length} whole: {}", received == patterned(length)))?;
    }
    let sent = to_port.send(vec![0; MAX - FRAME + 1].into());
    report.send(format!("one more is too large: {}", sent == Err(SendError::TooLarge)))?;
    step.recv()?; // and again
    to_port.send(1.into())?;
    report.send(format!("the port still works: {}", port.recv()?))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
