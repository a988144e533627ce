//! The exit notice comes after the last reply; who was removed hears nothing; twice the same port is one notice.

use std::error::Error;

use insula_guest::{Isolate, ReceivePort, RecvError, SendPort};

fn child((to_main, replies): (SendPort<SendPort<u32>>, SendPort<u32>)) {
    let numbers = ReceivePort::<u32>::new();
    to_main.send(numbers.send_port()).ok();
    for number in numbers.take(3) {
        replies.send(number).ok();
    }
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (ports, replies) = (ReceivePort::new(), ReceivePort::new());
    let (removed, other) = (ReceivePort::<u32>::new(), ReceivePort::<u32>::new());
    let isolate = Isolate::build().paused().spawn(child, (ports.send_port(), replies.send_port()))?;
    isolate.add_exit_listener(&replies.send_port(), 98)?;
    isolate.add_exit_listener(&removed.send_port(), 97)?;
    isolate.add_exit_listener(&other.send_port(), 96)?;
    isolate.add_exit_listener(&replies.send_port(), 99)?;
    isolate.remove_exit_listener(&removed.send_port());
    isolate.resume_birth();
    let numbers: SendPort<u32> = ports.recv()?;
    for number in 1..=3 {
        numbers.send(number)?;
    }
    report.send(format!("{:?}", replies.into_iter().collect::<Vec<_>>()))?;
    report.send(format!("another hears its own: {:?}", other.into_iter().collect::<Vec<_>>()))?;
    report.send(format!("removed: {:?}", removed.recv() == Err(RecvError::Unreachable)))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
