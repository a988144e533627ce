//! Isolates that wait, sleep, are paused, or were not started yet are killed like any other.

use std::error::Error;
use std::time::Duration;

use insula_guest::{Isolate, Priority, ReceivePort, SendPort};

/// What a child sends when it has started: for the one that receives, a way to reach it, or its wait would be over.
type Started = Option<SendPort<()>>;

fn receives(started: SendPort<Started>) {
    let port = ReceivePort::<()>::new();
    started.send(Some(port.send_port())).ok();
    let _ = port.recv();
}

fn sleeps(started: SendPort<Started>) {
    started.send(None).ok();
    insula_guest::sleep(Duration::from_secs(3600));
}

fn sleeps_through_wasi(started: SendPort<Started>) {
    started.send(None).ok();
    std::thread::sleep(Duration::from_secs(3600));
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (started, exits) = (ReceivePort::new(), ReceivePort::new());
    for name in ["receive", "sleep", "sleep of wasi"] {
        let child = Isolate::build().on_exit(&exits.send_port(), name.to_owned());
        let child = match name {
            "receive" => child.spawn(receives, started.send_port())?,
            "sleep" => child.spawn(sleeps, started.send_port())?,
            _ => child.spawn(sleeps_through_wasi, started.send_port())?,
        };
        let _reachable = started.recv()?;
        child.kill(Priority::Immediate);
        report.send(exits.recv()?)?;
    }
    let child = Isolate::build().paused().on_exit(&exits.send_port(), "not started".to_owned());
    child.spawn(receives, started.send_port())?.kill(Priority::Immediate);
    report.send(exits.recv()?)?;
    report.send(format!("started: {}", started.try_recv().is_ok()))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
