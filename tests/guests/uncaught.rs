//! A child fails, and nobody listens.

use std::error::Error;

use insula_guest::{Isolate, ReceivePort};

fn fails(_: ()) {
    panic!("nobody \u{1b}[31m listens");
}

fn main() -> Result<(), Box<dyn Error>> {
    let gone = ReceivePort::new();
    Isolate::build().debug_name("lonely").on_exit(&gone.send_port(), ()).spawn(fails, ())?;
    gone.recv()?;
    println!("main is still here");
    Ok(())
}
