//! A child that panics in its first statement: the listeners given at spawn hear of it, the error first.

use std::error::Error;

use insula_guest::{Either, Isolate, ReceivePort, RemoteError, SendPort, recv_either};

fn child(text: String) {
    panic!("{text}");
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let errors = ReceivePort::<RemoteError>::new();
    let exits = ReceivePort::new();
    Isolate::build()
        .on_error(&errors.send_port())
        .on_exit(&exits.send_port(), ())
        .spawn(child, "first words".to_owned())?;
    for _ in 0..2 {
        match recv_either(&errors, &exits)? {
            Either::First(error) => {
                let told = error.message.contains("first words") && error.message.contains("fail_at_once.rs:");
                let framed = error.stack.lines().next().is_some_and(|frame| frame.starts_with("0: "));
                report.send(format!("error: text {told}, frames {framed}"))?;
            }
            Either::Second(()) => report.send("exit".to_owned())?,
        }
    }
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
