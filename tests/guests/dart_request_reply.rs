//! Requests that carry where to reply; and ten numbered round trips after which both sides have counted the same.

use std::error::Error;

use insula_guest::{Isolate, ReceivePort, SendPort};

type Request = (i64, SendPort<i64>);

fn doubles(to_main: SendPort<SendPort<Request>>) -> Result<(), Box<dyn Error>> {
    let requests = ReceivePort::<Request>::new();
    to_main.send(requests.send_port())?;
    for (count, (number, reply)) in (0..).zip(&requests) {
        if number < 0 {
            reply.send(count)?;
            break;
        }
        reply.send(number * 2)?;
    }
    Ok(())
}

/// Where the child sent its port, and the port.
type Begun = (ReceivePort<SendPort<Request>>, SendPort<Request>);

fn begun() -> Result<Begun, Box<dyn Error>> {
    let ports = ReceivePort::new();
    Isolate::spawn(doubles, ports.send_port())?;
    let requests = ports.recv()?;
    Ok((ports, requests))
}

/// Each request has a port of its own for the reply, as the idiom has it.
fn request_reply(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (_, requests) = begun()?;
    for number in [21, 7] {
        let reply = ReceivePort::new();
        requests.send((number, reply.send_port()))?;
        report.send(format!("{number}: {}", reply.first()?))?;
    }
    Ok(())
}

fn count(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (ports, requests) = begun()?;
    let (mut right, replies) = (0, ReceivePort::new());
    for number in 0..10 {
        requests.send((number, replies.send_port()))?;
        right += i64::from(replies.recv()? == number * 2);
    }
    requests.send((-1, replies.send_port()))?;
    report.send(format!("{right} right here, {} there", replies.recv()?))?;
    report.send(format!("it is gone: {}", ports.recv().is_err()))?;
    Ok(())
}

insula_guest::export!(request_reply as "request_reply");
insula_guest::export!(count as "count");

fn main() {}
