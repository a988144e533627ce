//! Main ends before its child, who is patient if there is an argument: by returning, or, if told `panic`, in one.

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
    let how = std::env::args().nth(1);
    let started = ReceivePort::new();
    Isolate::spawn(child, (started.send_port(), how.is_some()))?;
    let _held: SendPort<()> = started.recv()?;
    println!("main ends");
    if how.as_deref() == Some("panic") {
        panic!("main gives up");
    }
    Ok(())
}
