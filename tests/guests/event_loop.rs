//! What keeps an isolate alive after its entry returned: timers and listeners, until they are done.

use std::error::Error;
use std::ops::ControlFlow;
use std::time::Duration;

use insula_guest::{Isolate, ReceivePort, SendPort, Timer};

fn ticks(report: SendPort<String>) {
    let (mut left, told) = (3, report.clone());
    Timer::every(Duration::from_millis(1), move || {
        left -= 1;
        told.send(format!("{left} ticks left")).ok();
        if left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    Timer::after(Duration::from_millis(1), || ()).cancel();
    report.send("the entry returns".to_owned()).ok();
}

fn listens((to_main, report): (SendPort<SendPort<u32>>, SendPort<String>)) {
    let idle = ReceivePort::<u32>::new();
    let numbers = ReceivePort::<u32>::new();
    to_main.send(numbers.send_port()).ok();
    to_main.send(idle.send_port()).ok();
    idle.listen(|_| ()).keep_alive(false);
    numbers.listen(move |number| {
        report.send(format!("heard {number}")).ok();
        if number < 2 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let gone = ReceivePort::new();
    let watched = Isolate::build().on_exit(&gone.send_port(), "it ended".to_owned());
    watched.clone().spawn(ticks, report.clone())?;
    report.send(gone.recv()?)?;

    let ports = ReceivePort::new();
    watched.spawn(listens, (ports.send_port(), report.clone()))?;
    let (numbers, _idle): (SendPort<u32>, SendPort<u32>) = (ports.recv()?, ports.recv()?);
    for number in 0..3 {
        numbers.send(number)?;
    }
    report.send(gone.recv()?)?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
