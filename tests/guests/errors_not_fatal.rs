//! Where errors are not fatal, two turns that fail are two errors, and messages between them are handled.

use std::error::Error;
use std::ops::ControlFlow;

use insula_guest::{Isolate, ReceivePort, RemoteError, SendPort};

fn child((report, main): (SendPort<String>, SendPort<SendPort<String>>)) {
    let commands = ReceivePort::<String>::new();
    main.send(commands.send_port()).ok();
    commands.listen(move |command| {
        if command == "quit" {
            return Ok(ControlFlow::Break(()));
        }
        if command.starts_with("bad") {
            return Err(command);
        }
        report.send(format!("handled {command}")).ok();
        Ok(ControlFlow::Continue(()))
    });
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let errors = ReceivePort::<RemoteError>::new();
    let ports = ReceivePort::new();
    let gone = ReceivePort::<()>::new();
    Isolate::build()
        .errors_are_fatal(false)
        .on_error(&errors.send_port())
        .on_exit(&gone.send_port(), ())
        .spawn(child, (report.clone(), ports.send_port()))?;
    let commands = ports.recv()?;
    for command in ["bad one", "good", "bad two", "quit"] {
        commands.send(command.to_owned())?;
    }
    gone.recv()?;
    for _ in 0..2 {
        report.send(format!("error: {}", errors.recv()?.message))?;
    }
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
