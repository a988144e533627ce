//! Owns ports and takes nothing out of them: it is in its code, or in a call of the host's, until it is ended.

use std::error::Error;
use std::time::Duration;

use insula_guest::{DuplexEnd, MailboxPolicy, ReceivePort, SendPort, sleep};

/// A port that waits for room, and one for questions.
type Ports = (SendPort<u32>, SendPort<(u64, SendPort<u64>)>);

/// Where to send them, and a link that it opens.
type Given = (SendPort<Ports>, DuplexEnd<u32, u32>);

fn loops((ports, end): Given) -> Result<(), Box<dyn Error>> {
    let (numbers, questions) = (ReceivePort::with_policy(MailboxPolicy::Wait), ReceivePort::new());
    let link = end.open();
    ports.send((numbers.send_port(), questions.send_port()))?;
    loop {
        std::hint::black_box((&numbers, &questions, &link));
    }
}

fn waits((ports, end): Given) -> Result<(), Box<dyn Error>> {
    let (numbers, questions) = (ReceivePort::with_policy(MailboxPolicy::Wait), ReceivePort::new());
    let link = end.open();
    ports.send((numbers.send_port(), questions.send_port()))?;
    sleep(Duration::from_secs(3_600));
    drop((numbers, questions, link));
    Ok(())
}

insula_guest::export!(loops as "loops");
insula_guest::export!(waits as "waits");

fn main() {}
