//! Main ends before its children: by returning, or, if told so, in a panic.

use std::error::Error;

use insula_guest::{Isolate, ReceivePort, SendPort};

fn child(started: SendPort<SendPort<()>>) -> Result<(), Box<dyn Error>> {
    let port = ReceivePort::new();
    started.send(port.send_port())?;
    drop(started);
    let _ = port.recv(); // until main is gone, and with it the last SendPort
    println!("the child goes on");
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let started = ReceivePort::new();
    Isolate::spawn(child, started.send_port())?;
    let _held: SendPort<()> = started.recv()?;
    println!("main ends");
    if std::env::args().nth(1).is_some() {
        panic!("main gives up");
    }
    Ok(())
}
