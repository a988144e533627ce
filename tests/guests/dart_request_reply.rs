//! Requests that carry where to reply; and ten numbered round trips after which both sides have counted the same.

use std::error::Error;

use insula_guest::{Isolate, ReceivePort, SendPort};

type Request = (i64, SendPort<i64>);

fn doubles(to_main: SendPort<SendPort<Request>>) -> Result<(), Box<dyn Error>> {
    let requests = ReceivePort::<Request>::new();
    to_main.send(requests.send_port())?;
    let mut count = 0;
    for (number, reply) in &requests {
        if number < 0 {
            reply.send(count)?;
            break;
        }
        count += 1;
        reply.send(number * 2)?;
    }
    Ok(())
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let ports = ReceivePort::new();
    Isolate::spawn(doubles, ports.send_port())?;
    let requests: SendPort<Request> = ports.recv()?;
    let mut right = 0;
    for number in 0..10 {
        let reply = ReceivePort::new(); // one for each request, as the idiom has it
        requests.send((number, reply.send_port()))?;
        right += i64::from(reply.first()? == number * 2);
    }
    let last = ReceivePort::new();
    requests.send((-1, last.send_port()))?;
    report.send(format!("{right} right here, {} there", last.first()?))?;
    report.send(format!("it is gone: {}", ports.recv().is_err()))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
