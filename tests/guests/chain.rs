//! A chain of isolates, ten deep: each spawns the next and ends; the last talks to main.

use std::error::Error;

use insula_guest::{Isolate, ReceivePort, SendPort};

/// Where the last of the chain is told where to answer.
type Answers = SendPort<SendPort<String>>;

fn link((depth, to_main): (u32, SendPort<(u32, Answers)>)) -> Result<(), Box<dyn Error>> {
    if depth < 10 {
        Isolate::spawn(link, (depth + 1, to_main))?;
        return Ok(());
    }
    let answers = ReceivePort::new();
    to_main.send((depth, answers.send_port()))?;
    drop(to_main);
    answers.first()?.send("the last of the chain answers".to_owned())?;
    Ok(())
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (port, answers) = (ReceivePort::new(), ReceivePort::new());
    Isolate::spawn(link, (1, port.send_port()))?;
    let (depth, last): (u32, Answers) = port.recv()?;
    report.send(format!("depth {depth}"))?;
    // All others are gone, and so are their SendPorts.
    report.send(format!("the others ended: {}", port.recv().is_err()))?;
    last.send(answers.send_port())?;
    report.send(answers.first()?)?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
