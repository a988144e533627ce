//! Messages that are encoded once and sent often, and messages that are decoded where they lie.

use std::error::Error;

use insula_guest::{Blob, Encoded, Isolate, MessageBuffer, ReceivePort, RecvError, SendPort, Value};

type Order = (u32, String, SendPort<String>);

fn worker(hello: SendPort<SendPort<Order>>) -> Result<(), Box<dyn Error>> {
    let orders = ReceivePort::<Order>::new();
    hello.send(orders.send_port())?;
    drop(hello);
    let mut buffer = MessageBuffer::new();
    loop {
        match orders.recv_in::<(u32, &str, SendPort<String>)>(&mut buffer) {
            Ok((number, text, back)) => {
                back.send(format!("{number} {} bytes, last {:?}", text.len(), text.chars().last()))?
            }
            Err(RecvError::Unreachable) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (hello, answers) = (ReceivePort::new(), ReceivePort::<String>::new());
    let workers: Vec<SendPort<Order>> = (0..2)
        .map(|_| {
            Isolate::spawn(worker, hello.send_port())?;
            Ok(hello.recv()?)
        })
        .collect::<Result<_, Box<dyn Error>>>()?;
    // A capability inside is there at each send, and the longest comes between two short ones.
    let short: Order = (1, "short".to_owned(), answers.send_port());
    let long: Order = (2, "x".repeat(2 << 20) + "y", answers.send_port());
    let (short, long) = (Encoded::new(&short)?, Encoded::new(&long)?);
    for (encoded, to) in [(&short, 0), (&short, 1), (&long, 0), (&short, 0), (&long.clone(), 1)] {
        workers[to].send_encoded(encoded)?;
        report.send(answers.recv()?)?;
    }
    report.send(format!("empty: {}, {}", Encoded::new(&())?.is_empty(), short.len() < long.len()))?;

    let numbers = ReceivePort::<u64>::new();
    numbers.send_port().send(u64::MAX)?;
    let mut buffer = MessageBuffer::new();
    let other = numbers.recv_in::<&str>(&mut buffer);
    report.send(format!("another type: {}", matches!(other, Err(RecvError::Undecodable(_)))))?;
    numbers.close();
    report.send(format!("closed: {}", numbers.recv_in::<u64>(&mut buffer) == Err(RecvError::Closed)))?;
    let values = ReceivePort::<Value>::new();
    Isolate::build().on_error(&values.send_port()).spawn(|_: ()| Err::<(), _>("it failed"), ())?;
    let told = values.recv_in::<Value>(&mut buffer)?;
    report.send(format!("an error is a value: {}", format!("{told:?}").contains("it failed")))?;
    let blobs = ReceivePort::<Blob>::new();
    let blob = Encoded::new(&Blob::new(b"once")?)?;
    let sent = [(); 2].map(|()| blobs.send_port().send_encoded(&blob).is_ok());
    report.send(format!("a blob goes once: {sent:?}"))?;
    drop((short, long, workers));
    report.send(format!("nobody can answer: {:?}", answers.recv().map_err(|error| error == RecvError::Unreachable)))?;
    Ok(())
}
insula_guest::export!(run as "run");

fn main() {}
