//! A paused isolate gets nothing, answers pings, and gets all of it in order once nothing pauses it any more.

use std::error::Error;

use insula_guest::{Isolate, Priority, ReceivePort, SendPort};

fn echo((to_main, echoes): (SendPort<SendPort<i32>>, SendPort<i32>)) {
    let numbers = ReceivePort::new();
    to_main.send(numbers.send_port()).ok();
    for number in numbers {
        echoes.send(number).ok();
    }
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (ports, echoes) = (ReceivePort::new(), ReceivePort::new());
    let isolate = Isolate::spawn(echo, (ports.send_port(), echoes.send_port()))?;
    let numbers: SendPort<i32> = ports.recv()?;
    let first = isolate.pause();
    isolate.pause_with(&first);
    let second = isolate.pause();
    for number in 0..24 {
        numbers.send(number)?;
    }
    for (priority, answer) in [(Priority::Immediate, -1), (Priority::BeforeNextEvent, -2)] {
        isolate.ping(&echoes.send_port(), answer, priority)?;
        report.send(format!("{}", echoes.recv()?))?;
    }
    isolate.resume(&first);
    isolate.ping(&echoes.send_port(), -3, Priority::BeforeNextEvent)?;
    report.send(format!("{}", echoes.recv()?))?;
    isolate.resume(&second);
    let echoed: Vec<i32> = echoes.take(24).collect();
    report.send(format!("in order: {}", echoed.is_sorted() && echoed.len() == 24))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
