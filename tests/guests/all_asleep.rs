//! Main waits for a child that nobody will ever resume.

use std::error::Error;

use insula_guest::{Isolate, ReceivePort, SendPort};

fn child(port: SendPort<String>) {
    port.send("never".to_owned()).ok();
}

fn main() -> Result<(), Box<dyn Error>> {
    let port = ReceivePort::new();
    Isolate::build().debug_name("sleeping beauty").paused().spawn(child, port.send_port())?;
    println!("{}", port.recv()?);
    Ok(())
}
