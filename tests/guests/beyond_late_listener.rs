//! A listener that is added when the isolate is over, or while it ends, is told once, after all that it said before.

use std::error::Error;

use insula_guest::{Isolate, ReceivePort, RemoteError, SendError, SendPort};

fn says_goodbye(port: SendPort<String>) -> SendError {
    Isolate::exit(&port, "goodbye".to_owned())
}

fn fails(_: ()) -> Result<(), &'static str> {
    Err("the error")
}

/// Listens again and again while an isolate fails: the error comes first, whenever the listener was added.
fn while_it_ends(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let over = RemoteError { message: "over".to_owned(), stack: String::new() };
    let mut early = 0;
    for _ in 0..3000 {
        let told = ReceivePort::<RemoteError>::new();
        let isolate = Isolate::build().on_error(&told.send_port()).spawn(fails, ())?;
        let first = loop {
            isolate.add_exit_listener(&told.send_port(), over.clone())?;
            if let Ok(first) = told.try_recv() {
                break first;
            }
        };
        early += u32::from(first.message != "the error");
    }
    report.send(format!("exits before their error: {early}"))?;
    Ok(())
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let mut wrong = Vec::new();
    for _ in 0..200 {
        let told = ReceivePort::new();
        let isolate = Isolate::spawn(|port| Err::<(), _>(says_goodbye(port)), told.send_port())?;
        // It is being born, alive, dying or dead; and has said goodbye before the notice in each case.
        isolate.add_exit_listener(&told.send_port(), "over".to_owned())?;
        let told: Vec<String> = told.collect();
        if told != ["goodbye", "over"] {
            wrong.push(told);
        }
    }
    report.send(format!("wrong while it ends: {wrong:?}"))?;

    let told = ReceivePort::new();
    let isolate = Isolate::build().on_exit(&told.send_port(), "first".to_owned()).spawn(|_: ()| (), ())?;
    report.send(told.recv()?)?;
    for late in ["late", "later"] {
        isolate.add_exit_listener(&told.send_port(), late.to_owned())?;
    }
    report.send(told.collect::<Vec<String>>().join(", "))?;
    Ok(())
}

insula_guest::export!(run as "run");
insula_guest::export!(while_it_ends as "while_it_ends");

fn main() {}
