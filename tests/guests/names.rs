//! The name server: one owner a name, for all of a namespace, until its owner ends.

use std::error::Error;

use insula_guest::{Isolate, ReceivePort, SendPort, names};

fn serves(ready: SendPort<bool>) -> Result<(), Box<dyn Error>> {
    let port = ReceivePort::<String>::new();
    names::register("log", &port.send_port())?;
    ready.send(names::register("log", &port.send_port()).is_err())?;
    ready.send(port.recv()? == "hello")?;
    Ok(())
}

fn bare(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let refused = names::lookup::<String>("log").map(drop);
    report.send(refused.map_or_else(|refused| refused.to_string(), |()| "found".to_owned()))?;
    Ok(())
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (ready, gone) = (ReceivePort::new(), ReceivePort::new());
    report.send(format!("nobody yet: {:?}", names::lookup::<String>("log").map(drop)))?;
    Isolate::build().on_exit(&gone.send_port(), ()).spawn(serves, ready.send_port())?;
    report.send(format!("taken: {}", ready.recv()?))?;
    let log = names::lookup::<String>("log")?;
    report.send(format!("the same each time: {}", log == names::lookup("log")?))?;
    report.send(format!("another's: {:?}", names::remove("log")))?;
    log.send("hello".to_owned())?;
    report.send(format!("heard: {}", ready.recv()?))?;
    gone.recv()?;
    report.send(format!("gone with its owner: {}", names::lookup::<String>("log").is_err()))?;

    let mine = ReceivePort::<String>::new();
    names::register("log", &mine.send_port())?;
    names::remove("log")?;
    report.send(format!("removed: {}", names::remove("log").is_err()))?;
    Isolate::build().inherit_grants(false).spawn(bare, report)?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
