//! A message that is not of a stream's type is an uncaught error of the receiver; where that is not fatal the next one comes.

use std::error::Error;

use insula_guest::{Isolate, ReceivePort, RemoteError, SendPort, task};

/// Takes a port of numbers for one of texts: nobody compares an export's message with what it is given.
fn mistakes(port: SendPort<String>) {
    port.send("no number".to_owned()).ok();
}

fn receives((to_main, report): (SendPort<SendPort<u32>>, SendPort<String>)) {
    let numbers = ReceivePort::<u32>::new();
    to_main.send(numbers.send_port()).ok();
    task::spawn(async move {
        let mut numbers = numbers.into_stream();
        while let Some(number) = numbers.next().await {
            report.send(format!("received {number}"))?;
        }
        report.send("the end".to_owned())
    });
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (ports, errors) = (ReceivePort::new(), ReceivePort::<RemoteError>::new());
    let receiver = Isolate::build().errors_are_fatal(false).on_error(&errors.send_port());
    receiver.spawn(receives, (ports.send_port(), report.clone()))?;
    let numbers = ports.recv()?;
    Isolate::build().spawn_export("mistakes", numbers.clone())?;
    let error = errors.recv()?.message;
    report.send(error.split_once("): ").map_or(error.as_str(), |(_, error)| error).to_owned())?;
    numbers.send(7)?;
    Ok(())
}

insula_guest::export!(run as "run");
insula_guest::export!(mistakes as "mistakes");

fn main() {}
