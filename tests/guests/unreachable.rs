//! Whoever waits for a port learns that nobody can send to it: dropped, gone with its holder, or lost in a message.

use std::error::Error;

use insula_guest::{Isolate, Priority, ReceivePort, RecvError, SendPort};

const UNREACHABLE: Result<u32, RecvError> = Err(RecvError::Unreachable);

fn holds((port, started): (SendPort<u32>, SendPort<()>)) {
    started.send(()).ok();
    loop {
        std::hint::black_box(&port);
    }
}

fn never_looks(_: SendPort<SendPort<SendPort<u32>>>) {}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let port = ReceivePort::<u32>::new();
    drop(port.send_port());
    report.send(format!("nobody holds it: {}", port.recv() == UNREACHABLE))?;

    port.send_port().send(5)?;
    report.send(format!("queued messages come first: {}", port.recv() == Ok(5)))?;

    let started = ReceivePort::new();
    let holder = Isolate::spawn(holds, (port.send_port(), started.send_port()))?;
    started.recv()?;
    holder.kill(Priority::Immediate);
    report.send(format!("gone with its holder: {}", port.recv() == UNREACHABLE))?;

    let carrier = ReceivePort::<SendPort<u32>>::new();
    carrier.send_port().send(port.send_port())?;
    carrier.close();
    report.send(format!("lost in a message: {}", port.recv() == UNREACHABLE))?;

    let nested = ReceivePort::new();
    Isolate::spawn(never_looks, nested.send_port())?;
    let ended = nested.recv();
    report.send(format!("lost with an isolate: {}", matches!(ended, Err(RecvError::Unreachable))))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
