//! Errors are not fatal, and the very last thing that an isolate does fails: its exit notice comes all the same.

use std::error::Error;
use std::ops::ControlFlow;
use std::time::Duration;

use insula_guest::{Isolate, ReceivePort, RemoteError, SendPort, Timer};

fn entry(_: ()) -> Result<(), &'static str> {
    Err("the entry, last of all")
}

fn timer(_: ()) {
    Timer::after(Duration::ZERO, || Err::<(), _>("the timer, last of all"));
}

fn listener(_: ()) {
    let port = ReceivePort::<()>::new();
    port.send_port().send(()).ok();
    port.listen(|()| Err::<ControlFlow<()>, _>("the listener, last of all"));
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    for which in 0..3 {
        let told = ReceivePort::<RemoteError>::new();
        let ended = RemoteError { message: "and it ended".to_owned(), stack: String::new() };
        let born = Isolate::build().errors_are_fatal(false);
        let born = born.on_error(&told.send_port()).on_exit(&told.send_port(), ended);
        match which {
            0 => born.spawn(entry, ())?,
            1 => born.spawn(timer, ())?,
            _ => born.spawn(listener, ())?,
        };
        let told: Vec<String> = told.map(|error| error.message).collect();
        report.send(told.join(", "))?;
    }
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
