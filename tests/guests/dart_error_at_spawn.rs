//! A child whose first statement fails: the listener of its birth gets text and frames, however soon it is over.

use std::error::Error;

use insula_guest::{Isolate, ReceivePort, RemoteError, SendPort};

fn fails(text: String) {
    panic!("{text}");
}

fn returns_an_error(text: String) -> Result<(), String> {
    Err(text)
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let mut told = (0, 0, 0);
    for number in 0..20 {
        let (errors, exits) = (ReceivePort::<RemoteError>::new(), ReceivePort::new());
        let born = Isolate::build().on_error(&errors.send_port()).on_exit(&exits.send_port(), ());
        born.clone().spawn(fails, format!("panic {number}"))?;
        exits.recv()?; // it is over before anybody looks
        let error = errors.recv()?;
        told.0 += u32::from(error.message.starts_with(&format!("panic {number}, at ")));
        told.1 += u32::from(error.stack.starts_with("0: "));
        born.spawn(returns_an_error, format!("error {number}"))?;
        exits.recv()?;
        told.2 += u32::from(errors.recv()?.message == format!("error {number}"));
    }
    report.send(format!("{told:?}"))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
