//! A busy loop answers immediate pings with null and every kind of response, and never one that waits for its end.

use std::error::Error;

use insula_guest::{Capability, Isolate, Kind, Priority, ReceivePort, SendPort};
use serde::{Deserialize, Serialize};

/// Every kind of response at one port.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Response {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Response>),
    Port(SendPort<()>),
    Token(Capability),
}

fn busy(started: SendPort<()>) {
    started.send(()).ok();
    loop {
        std::hint::spin_loop();
    }
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    use Response::{Bool, Bytes, Double, Int, List, Null, Port, Text, Token};
    let (started, answers) = (ReceivePort::new(), ReceivePort::<Response>::new());
    let isolate = Isolate::spawn(busy, started.send_port())?;
    started.recv()?;
    isolate.ping(&answers.send_port(), Text("never".to_owned()), Priority::BeforeNextEvent)?;
    let own = ReceivePort::<()>::new();
    let simple = [Null, Bool(true), Int(i64::MIN), Double(0.1), Text("pong".to_owned()), Bytes(vec![0, 255])];
    let handles = [List(vec![Null, Int(1)]), Port(own.send_port()), Token(Capability::new())];
    let mut same = 0;
    for response in simple.into_iter().chain(handles) {
        isolate.ping(&answers.send_port(), response.clone(), Priority::Immediate)?;
        let answer = answers.recv_message()?;
        same += u32::from(answer.kind == Kind::Ping && answer.value == response);
    }
    report.send(format!("{same} answers"))?;
    isolate.kill(Priority::Immediate);
    report.send(format!("nothing else came: {}", answers.recv().is_err()))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
