//! What a receive port keeps, and what closes it: buffering, first, take, breaking out, by_ref, closing twice.

use std::error::Error;
use std::ops::ControlFlow;

use insula_guest::{Isolate, ReceivePort, RecvError, SendError, SendPort};

fn filled() -> (ReceivePort<u32>, SendPort<u32>) {
    let port = ReceivePort::new();
    let to_port = port.send_port();
    for number in 1..=4 {
        to_port.send(number).ok();
    }
    (port, to_port)
}

/// Closes its port in the handler: nothing that is queued comes after that.
fn closes_in_its_handler((to_main, heard): (SendPort<()>, SendPort<u32>)) {
    let (port, _) = filled();
    port.listen(move |number| {
        heard.send(number).ok();
        if number == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    to_main.send(()).ok();
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let closed = |to_port: &SendPort<u32>| to_port.send(0) == Err(SendError::Closed);
    let (port, to_port) = filled();
    report.send(format!("kept until received: {:?}", port.recv()))?;
    report.send(format!("first: {:?}, closed: {}", port.first(), closed(&to_port)))?;

    let (mut port, to_port) = filled();
    let two: Vec<u32> = port.by_ref().take(2).collect();
    report.send(format!("by_ref: {two:?}, closed: {}", closed(&to_port)))?;
    let one: Vec<u32> = port.take(1).collect();
    report.send(format!("take: {one:?}, closed: {}", closed(&to_port)))?;

    let (port, to_port) = filled();
    for number in port {
        if number == 2 {
            break;
        }
    }
    report.send(format!("breaking out closes: {}", closed(&to_port)))?;

    let (port, to_port) = filled();
    port.close();
    port.close();
    report.send(format!("closed twice: {}, dropped: {:?}", closed(&to_port), port.recv() == Err(RecvError::Closed)))?;
    report.send(format!("first of a closed: {:?}", port.first() == Err(RecvError::Closed)))?;
    let empty = ReceivePort::<u32>::new();
    report.send(format!("first of an empty: {:?}", empty.first() == Err(RecvError::Unreachable)))?;

    let (ended, heard) = (ReceivePort::new(), ReceivePort::new());
    Isolate::spawn(closes_in_its_handler, (ended.send_port(), heard.send_port()))?;
    ended.recv()?;
    report.send(format!("closed in its handler: {:?}", heard.collect::<Vec<u32>>()))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
