//! A ping that was sent before a kill is answered before the end, where the target waits or is at the end of a turn.

use std::error::Error;

use insula_guest::{Isolate, Priority, ReceivePort, SendPort};

fn waits(to_main: SendPort<SendPort<()>>) {
    let port = ReceivePort::<()>::new();
    to_main.send(port.send_port()).ok();
    let _ = port.recv();
}

fn busy(to_main: SendPort<SendPort<()>>) {
    let port = ReceivePort::<()>::new();
    to_main.send(port.send_port()).ok();
    loop {
        std::hint::black_box(&port);
    }
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let priorities = [Priority::Immediate, Priority::BeforeNextEvent];
    for (ping, kill) in priorities.into_iter().flat_map(|ping| priorities.map(|kill| (ping, kill))) {
        let (ports, told) = (ReceivePort::new(), ReceivePort::new());
        let born = Isolate::build().on_exit(&told.send_port(), "the end".to_owned());
        let isolate = born.spawn(waits, ports.send_port())?;
        let _reachable = ports.recv()?;
        isolate.ping(&told.send_port(), format!("{ping:?}"), ping)?;
        isolate.kill(kill);
        report.send(told.collect::<Vec<String>>().join(", "))?;
    }
    let (ports, told) = (ReceivePort::new(), ReceivePort::new());
    let born = Isolate::build().on_exit(&told.send_port(), "the end of the busy".to_owned());
    let isolate = born.spawn(busy, ports.send_port())?;
    let _reachable = ports.recv()?;
    isolate.ping(&told.send_port(), "dropped".to_owned(), Priority::BeforeNextEvent)?;
    isolate.ping(&told.send_port(), "at once".to_owned(), Priority::Immediate)?;
    isolate.kill(Priority::BeforeNextEvent); // never from a busy loop
    isolate.kill(Priority::Immediate);
    report.send((&told).into_iter().collect::<Vec<String>>().join(", "))?;
    isolate.ping(&told.send_port(), "from the dead".to_owned(), Priority::Immediate)?;
    report.send(format!("the dead are silent: {}", told.recv().is_err()))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
