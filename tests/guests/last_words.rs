//! Spawns isolates that say something and die, and sends their handles to the embedder.

use std::error::Error;

use insula_guest::{Isolate, SendPort};

fn dies(number: u32) {
    eprintln!("the last words of {number}");
    panic!("on purpose");
}

fn run((count, handles, gone): (u32, SendPort<Isolate>, SendPort<()>)) -> Result<(), Box<dyn Error>> {
    for number in 0..count {
        let child = Isolate::build().on_exit(&gone, ()).spawn(dies, number)?;
        handles.send(child)?;
    }
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
