//! Two senders, each over two ports of one receiver: each sender's own order holds.

use std::error::Error;

use insula_guest::{Isolate, ReceivePort, SendPort, recv_any};

const MESSAGES: u32 = 500;

fn sends((name, ports): (u32, [SendPort<(u32, u32)>; 2])) {
    for number in 0..MESSAGES {
        let which = usize::from(!number.is_multiple_of(3));
        ports[which].send((name, number)).ok();
    }
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let ports = [ReceivePort::new(), ReceivePort::new()];
    for name in 0..2 {
        Isolate::spawn(sends, (name, [ports[0].send_port(), ports[1].send_port()]))?;
    }
    let (mut next, mut right) = ([0, 0], 0);
    for _ in 0..2 * MESSAGES {
        let (which, (name, number)) = recv_any(&[&ports[0], &ports[1]])?;
        let expected = &mut next[name as usize];
        right += u32::from(number == *expected && which == usize::from(!number.is_multiple_of(3)));
        *expected += 1;
    }
    report.send(format!("{right} in their sender's order"))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
