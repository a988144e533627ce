//! Two ends: an isolate that exits with its result, and one that is killed.

use std::error::Error;

use insula_guest::{Isolate, Kind, Priority, ReceivePort, SendError, SendPort};

/// Computes, then ends with the result as its last message.
fn squares(result: SendPort<Vec<u64>>) -> Result<(), SendError> {
    let squares = (0..5).map(|n| n * n).collect();
    Err(Isolate::exit(&result, squares)) // returns only if it could not be sent
}

/// Would never end by itself.
fn looper(_: ()) {
    let mut n = 0_u64;
    loop {
        n = std::hint::black_box(n.wrapping_add(1));
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let port = ReceivePort::new();
    let exit_response = Vec::new();
    Isolate::build().on_exit(&port.send_port(), exit_response).spawn(squares, port.send_port())?;
    loop {
        let message = port.recv_message()?;
        match message.kind {
            Kind::Exit => break println!("Isolate has exited."),
            _ => println!("Result: {:?}", message.value),
        }
    }

    let ended = ReceivePort::new();
    let isolate = Isolate::build().on_exit(&ended.send_port(), "killed".to_owned()).spawn(looper, ())?;
    isolate.kill(Priority::Immediate);
    println!("The looping isolate was {}.", ended.first()?);
    Ok(())
}
