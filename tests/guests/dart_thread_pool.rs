//! 200 isolates are all blocked in a call of the host at once, and meet at a barrier: none holds a thread.

use std::error::Error;

use insula_guest::{Isolate, ReceivePort, SendPort};

const ISOLATES: u32 = 200;

fn meets((arrived, done): (SendPort<SendPort<u32>>, SendPort<u32>)) -> Result<(), Box<dyn Error>> {
    let open = ReceivePort::new();
    arrived.send(open.send_port())?;
    drop(arrived);
    done.send(open.first()?)?;
    Ok(())
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (arrived, done) = (ReceivePort::new(), ReceivePort::new());
    for _ in 0..ISOLATES {
        Isolate::spawn(meets, (arrived.send_port(), done.send_port()))?;
    }
    let gates: Vec<SendPort<u32>> = arrived.collect();
    report.send(format!("{} wait", gates.len()))?;
    for gate in gates {
        gate.send(1)?;
    }
    report.send(format!("{} passed", done.sum::<u32>()))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
