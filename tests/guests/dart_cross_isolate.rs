//! Two siblings that main introduces talk to each other.

use std::error::Error;

use insula_guest::{Isolate, ReceivePort, SendPort};

fn listens((to_main, result): (SendPort<SendPort<String>>, SendPort<String>)) -> Result<(), Box<dyn Error>> {
    let words = ReceivePort::<String>::new();
    to_main.send(words.send_port())?;
    let words: Vec<String> = words.collect();
    result.send(words.join(" "))?;
    Ok(())
}

fn speaks(to_sibling: SendPort<String>) {
    for word in ["from", "one", "sibling", "to", "another"] {
        to_sibling.send(word.to_owned()).ok();
    }
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (ports, result) = (ReceivePort::new(), ReceivePort::new());
    Isolate::spawn(listens, (ports.send_port(), result.send_port()))?;
    Isolate::spawn(speaks, ports.recv()?)?;
    report.send(result.recv()?)?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
