//! Own ports, closed ports, messages too large, and what is equal.

use std::error::Error;

use insula_guest::{Capability, Isolate, Limits, ReceivePort, SendError, SendPort};

fn returns_it((port, back): (SendPort<u32>, SendPort<SendPort<u32>>)) -> Result<(), SendError> {
    back.send(port)
}

fn large(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let port = ReceivePort::<Vec<u8>>::new();
    let sent = port.send_port().send(vec![0; 4096]);
    report.send(format!("too large: {}", sent == Err(SendError::TooLarge)))?;
    port.send_port().send(vec![1; 100])?;
    report.send(format!("the port still works: {}", port.recv()?.len()))?;
    Ok(())
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let port = ReceivePort::<u32>::new();
    port.send_port().send(1)?;
    report.send(format!("from myself: {}", port.recv()?))?;

    let back = ReceivePort::new();
    Isolate::spawn(returns_it, (port.send_port(), back.send_port()))?;
    let returned: SendPort<u32> = back.recv()?;
    let another = ReceivePort::<u32>::new();
    let same = returned == port.send_port() && returned != another.send_port();
    report.send(format!("equal after a round trip: {same}"))?;
    let closed_port = port.send_port();
    port.close();
    port.close();
    report.send(format!("equal after the close: {}", returned == closed_port))?;
    report.send(format!("a send to a closed port is refused: {}", returned.send(2) == Err(SendError::Closed)))?;

    let capability = Capability::new();
    let tokens = ReceivePort::new();
    tokens.send_port().send(capability.clone())?;
    let same = tokens.recv()? == capability && Capability::new() != capability;
    report.send(format!("a capability is itself: {same}"))?;

    let small = Limits::default().message_bytes(1024);
    Isolate::build().limits(small).spawn(large, report)?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
