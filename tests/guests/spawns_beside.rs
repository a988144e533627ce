//! Spawns the module that its argument names, and prints what that answers.

use std::error::Error;

use insula_guest::{Isolate, ReceivePort};

fn main() -> Result<(), Box<dyn Error>> {
    let name = std::env::args().nth(1).ok_or("which module?")?;
    let replies = ReceivePort::<String>::new();
    Isolate::build().spawn_module(&name, &[], (replies.send_port(), "as asked".to_owned()))?;
    replies.for_each(|reply| println!("{reply}"));
    Ok(())
}
