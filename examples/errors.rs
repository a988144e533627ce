//! Three isolates fail, each in its way; main is told of each failure and lives on.

use std::error::Error;

use insula_guest::{Isolate, ReceivePort, RemoteError, SendError, SendPort};

/// Says that it begins, and panics.
fn panics(main_port: SendPort<String>) -> Result<(), SendError> {
    main_port.send("starting".to_owned())?;
    panic!("something went wrong");
}

/// In Rust a division by zero is a panic, not wasm's trap.
fn divides((dividend, divisor): (i32, i32)) {
    println!("{}", dividend / divisor);
}

/// Returns an error, which is an uncaught error of its isolate like any other.
fn fails(text: String) -> Result<(), String> {
    match text.parse::<u32>() {
        Ok(number) => {
            println!("{number}");
            Ok(())
        }
        Err(error) => Err(format!("{text:?}: {error}")),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let errors = ReceivePort::<RemoteError>::new();
    let watched = || Isolate::build().on_error(&errors.send_port());

    let data = ReceivePort::new();
    watched().spawn(panics, data.send_port())?;
    println!("Data: {}", data.first()?);
    println!("Caught: {}", errors.recv()?);

    watched().spawn(divides, (1, 0))?;
    println!("Caught: {}", errors.recv()?);

    watched().spawn(fails, "forty-two".to_owned())?;
    println!("Caught: {}", errors.recv()?);

    println!("Main is still here.");
    Ok(())
}
