//! An error that an entry returns is told first, then comes the exit; what was sent before is delivered.

use std::error::Error;

use insula_guest::{Isolate, ReceivePort, RemoteError, SendPort};

fn child(port: SendPort<String>) -> Result<(), String> {
    port.send("before".to_owned()).map_err(|error| error.to_string())?;
    Err("not today".to_owned())
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let port = ReceivePort::new();
    let errors = ReceivePort::<RemoteError>::new();
    let child = Isolate::build()
        .on_error(&errors.send_port())
        .on_exit(&port.send_port(), "ended".to_owned())
        .spawn(child, port.send_port())?;
    report.send(port.recv()?)?;
    report.send(port.recv()?)?;
    report.send(errors.recv()?.message)?;
    child.set_errors_fatal(false); // the dead do not mind
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
