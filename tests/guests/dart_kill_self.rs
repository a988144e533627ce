//! A child puts its own handle together from parts that it received, and kills itself: the next event never comes.

use std::error::Error;

use insula_guest::{Capability, Isolate, Priority, ReceivePort, SendPort};

/// A handle without its capabilities, and one of these.
type Parts = (Isolate, Capability);

fn child((to_main, heard): (SendPort<SendPort<Parts>>, SendPort<u32>)) -> Result<(), Box<dyn Error>> {
    let parts = ReceivePort::<Parts>::new();
    to_main.send(parts.send_port())?;
    for (number, (isolate, terminate)) in (1..).zip(&parts) {
        heard.send(number)?;
        isolate.with_terminate(terminate).kill(Priority::Immediate);
        heard.send(100)?;
    }
    Ok(())
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (ports, heard) = (ReceivePort::new(), ReceivePort::new());
    let isolate =
        Isolate::build().on_exit(&heard.send_port(), 1000).spawn(child, (ports.send_port(), heard.send_port()))?;
    let parts: SendPort<Parts> = ports.recv()?;
    let terminate = isolate.terminate_capability().ok_or("the parent has all authority")?.clone();
    let control = isolate.without_pause().without_terminate();
    for _ in 0..2 {
        let _ = parts.send((control.clone(), terminate.clone())); // it may be dead by the second
    }
    report.send(format!("{:?}", heard.into_iter().collect::<Vec<_>>()))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
