//! `kill(beforeNextEvent)` acts at the end of a turn: the message that is handled is finished, the next is not begun.

use std::error::Error;

use insula_guest::{Isolate, Priority, ReceivePort, SendPort};

fn echo((to_main, echoes): (SendPort<SendPort<u32>>, SendPort<u32>)) {
    let numbers = ReceivePort::new();
    to_main.send(numbers.send_port()).ok();
    let me = Isolate::current();
    for number in numbers {
        if number == 2 {
            me.kill(Priority::BeforeNextEvent);
        }
        echoes.send(number).ok();
    }
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (ports, echoes) = (ReceivePort::new(), ReceivePort::new());
    Isolate::build()
        .paused()
        .on_exit(&echoes.send_port(), 1000)
        .spawn(echo, (ports.send_port(), echoes.send_port()))?
        .resume_birth();
    let numbers: SendPort<u32> = ports.recv()?;
    for number in 0..5 {
        let _ = numbers.send(number); // closed, once it is dead
    }
    for number in echoes.take(4) {
        report.send(number.to_string())?;
    }
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
