//! Two isolates that talk. Each has a memory of its own: what they say to each other are copies of messages.

use insula_guest::{Isolate, ReceivePort, SendError, SendPort};
use serde::{Deserialize, Serialize};

/// What the greeter says to main.
#[derive(Serialize, Deserialize)]
enum Reply {
    /// It is there, and takes names at this port.
    Ready(SendPort<String>),
    /// The greeting for a name.
    Greeting(String),
}

/// The other isolate. It ends when nobody is left who could send it a name.
fn greeter(main: SendPort<Reply>) -> Result<(), SendError> {
    let names = ReceivePort::new();
    main.send(Reply::Ready(names.send_port()))?;
    for name in names {
        main.send(Reply::Greeting(greeting(&name)))?;
    }
    Ok(())
}

fn greeting(name: &str) -> String {
    format!("Hello, {name}!")
}

/// Has the greeter greet, and hands each greeting on.
fn greet(names: &[String], mut hear: impl FnMut(String)) -> Result<(), Box<dyn std::error::Error>> {
    let replies = ReceivePort::new();
    Isolate::spawn(greeter, replies.send_port())?;
    // Ends when the greeter has: then nobody is left who could reply.
    for reply in replies {
        match reply {
            Reply::Ready(to_greeter) => names
                .iter()
                .try_for_each(|name| to_greeter.send(name.clone()))?,
            Reply::Greeting(text) => hear(text),
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    if names.is_empty() {
        names.push("world".to_owned());
    }
    greet(&names, |text| println!("{text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_greeted_in_order() {
        let mut heard = Vec::new();
        greet(&["Ada".to_owned(), "Alan".to_owned()], |text| {
            heard.push(text)
        })
        .unwrap();
        assert_eq!(heard, ["Hello, Ada!", "Hello, Alan!"]);
    }
}
