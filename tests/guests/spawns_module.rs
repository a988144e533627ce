//! Other modules are spawned by the names that the host offers, never by a path.

use std::error::Error;

use insula_guest::{Grant, Isolate, ReceivePort, SendPort};

fn bare(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let refused = Isolate::build().spawn_module("other_module", &[], ());
    report.send(refused.map_or_else(|error| error.to_string(), |_| "born".to_owned()))?;
    Ok(())
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let replies = ReceivePort::new();
    let message = (replies.send_port(), "a message".to_owned());
    let child = Isolate::build().paused().spawn_module("other_module", &["an argument"], message)?;
    report.send(format!("named {}", child.debug_name()))?;
    child.resume_birth();
    let mut told: Vec<String> = replies.collect();
    told.sort();
    for line in told {
        report.send(line)?;
    }
    for path in ["missing", "../other_module", "/tmp/other_module.wasm"] {
        let refused = Isolate::build().spawn_module(path, &[], ());
        report.send(refused.map_or_else(|error| error.to_string(), |_| "born".to_owned()))?;
    }
    let only_another = Isolate::build().inherit_grants(false).grant(Grant::Module("another".into()));
    only_another.spawn(bare, report)?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
