//! A program that others spawn: it answers with its arguments and its message, and passes both on if it is told to.

use std::error::Error;

use insula_guest::{Isolate, SendPort};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let Some((reply, text)) = insula_guest::initial_message::<(SendPort<String>, String)>()? else {
        println!("run by itself");
        return Ok(());
    };
    reply.send(format!("{}, {text}", arguments.join(" ")))?;
    if arguments.len() == 2 {
        Isolate::build().spawn_module("other_module", &[], (reply.clone(), "nested".to_owned()))?;
        let missing = Isolate::build().spawn_module("missing too", &[], ()).map(drop);
        reply.send(missing.map_or_else(|error| error.to_string(), |()| "born".to_owned()))?;
    }
    Ok(())
}
