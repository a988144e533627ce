//! Sends without end to whatever will not take it: its own port, its parent's, the embedder's.

use std::error::Error;
use std::time::Duration;

use insula_guest::{Isolate, ReceivePort, SendPort, sleep};

/// What a flood came to: messages that were accepted, and what the others were refused with, each with its count.
type Came = (u64, Vec<(String, u64)>);

/// Bytes of each message, how many refusals to go on for, and where to say what it came to.
type Order = (u32, u64, SendPort<Came>);

/// Memory that it has besides, most of what it may have.
const FILLED: usize = 5 << 20;

fn flood(port: &SendPort<Vec<u8>>, (length, refusals_max, told): &Order) -> Result<(), Box<dyn Error>> {
    let filled = std::hint::black_box(vec![1_u8; FILLED]);
    let message = vec![7; *length as usize];
    let (mut accepted, mut refused) = (0, Vec::<(String, u64)>::new());
    while refused.iter().map(|(_, count)| count).sum::<u64>() < *refusals_max {
        match port.send_ref(&message) {
            Ok(()) => accepted += 1,
            Err(error) => {
                let error = error.to_string();
                match refused.iter_mut().find(|(known, _)| *known == error) {
                    Some((_, count)) => *count += 1,
                    None => refused.push((error, 1)),
                }
            }
        }
    }
    told.send((accepted, refused))?;
    sleep(Duration::from_secs(3_600));
    drop(filled);
    Ok(())
}

fn to_itself(order: Order) -> Result<(), Box<dyn Error>> {
    let port = ReceivePort::new();
    flood(&port.send_port(), &order)
}

fn child((port, order): (SendPort<Vec<u8>>, Order)) -> Result<(), Box<dyn Error>> {
    flood(&port, &order)
}

fn to_its_parent(order: Order) -> Result<(), Box<dyn Error>> {
    let port = ReceivePort::new();
    Isolate::spawn(child, (port.send_port(), order))?;
    sleep(Duration::from_secs(3_600));
    drop(port);
    Ok(())
}

fn to_the_embedder((port, order): (SendPort<Vec<u8>>, Order)) -> Result<(), Box<dyn Error>> {
    flood(&port, &order)
}

insula_guest::export!(to_itself as "to_itself");
insula_guest::export!(to_its_parent as "to_its_parent");
insula_guest::export!(to_the_embedder as "to_the_embedder");

fn main() {}
