//! Two isolates exchange ports, then a word each.

use std::error::Error;

use insula_guest::{Isolate, ReceivePort, SendError, SendPort};
use serde::{Deserialize, Serialize};

/// What the worker tells main.
#[derive(Serialize, Deserialize)]
enum Greeting {
    Port(SendPort<String>),
    Text(String),
}

fn worker(main_port: SendPort<Greeting>) -> Result<(), SendError> {
    let worker_port = ReceivePort::new();
    main_port.send(Greeting::Port(worker_port.send_port()))?;
    for message in worker_port.take(1) {
        println!("Worker received: {message}");
        main_port.send(Greeting::Text("pong".to_owned()))?;
    }
    Ok(()) // take(1) has closed the worker's port, so nothing keeps it alive
}

fn main() -> Result<(), Box<dyn Error>> {
    let port = ReceivePort::new();
    Isolate::spawn(worker, port.send_port())?;
    for greeting in port {
        match greeting {
            Greeting::Port(worker_port) => worker_port.send("ping".to_owned())?,
            Greeting::Text(text) => {
                println!("Main received: {text}");
                break; // which closes main's port
            }
        }
    }
    Ok(())
}
