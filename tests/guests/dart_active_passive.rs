//! An error that is not fatal in the entry: the rest of it is skipped, its timer still fires, and so does its listener.

use std::error::Error;
use std::ops::ControlFlow;
use std::time::Duration;

use insula_guest::{Isolate, Priority, ReceivePort, RemoteError, SendPort, Timer};

fn child((to_main, told): (SendPort<SendPort<u32>>, SendPort<String>)) -> Result<(), String> {
    let numbers = ReceivePort::<u32>::new();
    to_main.send(numbers.send_port()).ok();
    let (fires, listens) = (told.clone(), told.clone());
    Timer::after(Duration::from_millis(1), move || fires.send("the timer fires".to_owned()));
    numbers.listen(move |number| {
        if number == 0 {
            return Err("the listener fails".to_owned());
        }
        listens.send(format!("heard {number}")).ok();
        Ok(ControlFlow::Break(()))
    });
    fails()?;
    told.send("the rest of the entry".to_owned()).ok();
    Ok(())
}

fn fails() -> Result<(), String> {
    Err("the entry fails".to_owned())
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (ports, told) = (ReceivePort::new(), ReceivePort::new());
    let errors = ReceivePort::<RemoteError>::new();
    let born = Isolate::build().errors_are_fatal(false).on_error(&errors.send_port());
    let born = born.on_exit(&told.send_port(), "the end".to_owned());
    let isolate = born.spawn(child, (ports.send_port(), told.send_port()))?;
    let numbers: SendPort<u32> = ports.recv()?;
    report.send(errors.recv()?.message)?;
    report.send(told.recv()?)?;
    isolate.ping(&told.send_port(), "it lives".to_owned(), Priority::BeforeNextEvent)?;
    report.send(told.recv()?)?;
    numbers.send(0)?;
    numbers.send(7)?;
    report.send(errors.recv()?.message)?;
    report.send(told.collect::<Vec<String>>().join(", "))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
