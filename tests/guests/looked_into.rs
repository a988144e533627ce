//! Spawns an isolate that loops, and waits until somebody ends that.

use std::error::Error;

use insula_guest::{Isolate, ReceivePort};

fn loops(_: ()) {
    loop {
        std::hint::spin_loop();
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let ended = ReceivePort::new();
    Isolate::build().on_exit(&ended.send_port(), ()).spawn(loops, ())?;
    println!("looping");
    ended.recv()?;
    println!("the child ended");
    Ok(())
}
