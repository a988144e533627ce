//! An isolate that is born paused serves control requests, and its entry runs when the last pause is lifted.

use std::error::Error;

use insula_guest::{Capability, Isolate, Priority, ReceivePort, SendPort};

fn child(reply: SendPort<String>) {
    reply.send("entered".to_owned()).ok();
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let port = ReceivePort::new();
    let child = Isolate::build().paused().spawn(child, port.send_port())?;
    let second = child.pause();
    child.resume_birth();
    child.resume(&Capability::new());
    for priority in [Priority::Immediate, Priority::BeforeNextEvent] {
        child.ping(&port.send_port(), format!("{priority:?} pong"), priority)?;
        report.send(port.recv()?)?;
    }
    child.resume(&second);
    report.send(port.recv()?)?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
