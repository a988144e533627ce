//! Panic hooks of the guest's own: one that panics itself, and one that ends the isolate.

use std::error::Error;

use insula_guest::{Isolate, ReceivePort, RemoteError, SendPort};

fn panics_in_its_hook(_: ()) {
    std::panic::set_hook(Box::new(|_| panic!("the hook fails")));
    panic!("the first panic");
}

fn exits_in_its_hook(last_words: SendPort<String>) {
    std::panic::set_hook(Box::new(move |_| {
        let refused = Isolate::exit(&last_words, "said by the hook".to_owned());
        eprintln!("{refused}");
    }));
    panic!("the first panic");
}

fn throwing(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (errors, told) = (ReceivePort::<RemoteError>::new(), ReceivePort::new());
    let born = Isolate::build().on_error(&errors.send_port()).on_exit(&told.send_port(), "it ended".to_owned());
    born.spawn(panics_in_its_hook, ())?;
    report.send(told.recv()?)?;
    report.send(format!("there is a text: {}", !errors.recv()?.message.is_empty()))?;
    Ok(())
}

fn exiting(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (errors, told) = (ReceivePort::<RemoteError>::new(), ReceivePort::new());
    let born = Isolate::build().on_error(&errors.send_port()).on_exit(&told.send_port(), "it ended".to_owned());
    born.spawn(exits_in_its_hook, told.send_port())?;
    report.send(told.recv()?)?;
    report.send(told.recv()?)?;
    report.send(format!("an error was told: {}", errors.try_recv().is_ok()))?;
    Ok(())
}

insula_guest::export!(throwing as "throwing");
insula_guest::export!(exiting as "exiting");

fn main() {}
