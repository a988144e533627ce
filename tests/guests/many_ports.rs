//! As many ports as an isolate may have, each of which works; one more is a clean refusal, and closed ones make room.

use std::error::Error;

use insula_guest::{Isolate, Limits, MailboxPolicy, ReceivePort, SendPort};

fn opens((ports_max, report): (usize, SendPort<String>)) -> Result<(), Box<dyn Error>> {
    let mut ports = Vec::new();
    let refused = loop {
        match ReceivePort::<u32>::try_open(MailboxPolicy::Error) {
            Ok(port) => ports.push(port),
            Err(refused) => break refused,
        }
    };
    report.send(format!("{}, then: {refused}", ports.len() == ports_max))?;
    for (n, port) in (0..).zip(&ports) {
        port.send_port().send(n)?;
    }
    let mut sum = 0;
    for port in ports.iter().rev() {
        sum += u64::from(port.try_recv()?);
    }
    report.send(format!("each got its own: {}", sum == (ports_max as u64 - 1) * ports_max as u64 / 2))?;
    ports.truncate(1);
    let again = (0..10).filter(|_| ReceivePort::<u32>::try_open(MailboxPolicy::Error).is_ok()).count();
    report.send(format!("room again: {again}"))?;
    // The embedder looks at what is held before this isolate ends.
    let (keep, kept) = (ReceivePort::<()>::new(), ports.pop());
    drop(kept);
    let _ = keep.recv();
    Ok(())
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let limits = Limits::default().ports(100_000).mailbox_messages(100_000);
    Isolate::build().limits(limits).spawn(opens, (100_000, report))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
