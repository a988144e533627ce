//! A ring of isolates, round which tokens go.

use std::time::Instant;

use insula_guest::{Isolate, ReceivePort, SendPort, export_computation};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Token {
    number: u32,
    /// Members that it came by since the measuring one.
    hops: u32,
}

/// Sends on what comes, until nothing can come any more.
fn member((hello, next): (SendPort<SendPort<Token>>, SendPort<Token>)) {
    let port = ReceivePort::<Token>::new();
    hello.send(port.send_port()).ok();
    drop(hello);
    while let Ok(Token { number, hops }) = port.recv() {
        if next.send(Token { number, hops: hops + 1 }).is_err() {
            break;
        }
    }
}

/// Hops a second of so many tokens, which begin at even distances and pass this isolate `laps` times each. It is a
/// member too, beside so many others.
fn ring((members, tokens, laps): (u32, u32, u32)) -> f64 {
    let (port, hello, exits) = (ReceivePort::<Token>::new(), ReceivePort::new(), ReceivePort::<()>::new());
    let options = Isolate::build().on_exit(&exits.send_port(), ());
    let mut next = port.send_port();
    let mut starts = Vec::new();
    for built in 1..=members {
        options.clone().spawn(member, (hello.send_port(), next)).expect("there is room");
        next = hello.recv().expect("the member is there");
        if built % (members / tokens) == 0 && starts.len() < tokens as usize {
            starts.push(next.clone());
        }
    }
    let began = Instant::now();
    for (number, start) in (0..).zip(&starts) {
        start.send(Token { number, hops: 0 }).expect("the ring is closed");
    }
    let mut hops = 0;
    let passes = tokens * laps;
    for pass in 1..=passes {
        let token = port.recv().expect("the ring is closed");
        hops += u64::from(token.hops + 1);
        if pass + tokens <= passes {
            next.send(Token { hops: 0, ..token }).expect("the ring is closed");
        }
    }
    let rate = hops as f64 / began.elapsed().as_secs_f64();
    drop((starts, next)); // so the last one built cannot be reached, and ends, and then the one before it
    (0..members).for_each(|_| exits.recv().expect("each ends"));
    rate
}
export_computation!(ring as "ring");
