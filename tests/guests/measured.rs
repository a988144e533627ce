//! Has one child send three messages and another one panic, says when both are gone, and waits for the end of its input.

use std::error::Error;
use std::io::Read;

use insula_guest::{Isolate, ReceivePort, SendPort};

fn sends(texts: SendPort<String>) {
    for _ in 0..3 {
        texts.send("x".repeat(1000)).ok();
    }
}

fn fails(_: ()) {
    panic!("on purpose");
}

fn main() -> Result<(), Box<dyn Error>> {
    let (texts, gone) = (ReceivePort::new(), ReceivePort::new());
    Isolate::build().on_exit(&gone.send_port(), ()).spawn(sends, texts.send_port())?;
    Isolate::build().on_exit(&gone.send_port(), ()).spawn(fails, ())?;
    for _ in 0..3 {
        texts.recv()?;
    }
    gone.recv()?;
    gone.recv()?;
    println!("ready");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
