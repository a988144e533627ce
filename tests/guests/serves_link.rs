//! Serves an embedder over a link, and answers its questions, until told to end.

use std::error::Error;

use insula_guest::{DuplexEnd, Either, ReceivePort, SendPort, recv_either};

type Question = (u64, SendPort<u64>);

fn run((end, ports): (DuplexEnd<String, usize>, SendPort<SendPort<Question>>)) -> Result<(), Box<dyn Error>> {
    let questions = ReceivePort::<Question>::new();
    ports.send(questions.send_port())?;
    drop(ports);
    let (texts, lengths) = end.open().into_ports()?;
    loop {
        match recv_either(&texts, &questions)? {
            Either::First(text) if text == "end" => return Ok(()),
            Either::First(text) => lengths.send(text.len())?,
            // A question about 0 has no answer: its port is dropped.
            Either::Second((0, _)) => {}
            Either::Second((of, reply)) => reply.send(of * of)?,
        }
    }
}

insula_guest::export!(run as "run");

fn main() {}
