//! Main ends before its children: by returning, or, if told so, in a panic.

use std::error::Error;
use std::time::Duration;

use insula_guest::{Isolate, ReceivePort, SendPort};

fn child((started, patient): (SendPort<SendPort<()>>, bool)) -> Result<(), Box<dyn Error>> {
    let port = ReceivePort::new();
    started.send(port.send_port())?;
    drop(started);
    let _ = port.recv(); // until main is gone, and with it the last SendPort
    if patient {
        insula_guest::sleep(Duration::from_secs(3600));
    }
    println!("the child goes on");
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let panics = std::env::args().nth(1).is_some();
    let started = ReceivePort::new();
    Isolate::spawn(child, (started.send_port(), panics))?;
    let _held: SendPort<()> = started.recv()?;
    println!("main ends");
    if panics {
        panic!("main gives up");
    }
    Ok(())
}
