//! Names are read by many while isolates are born and die: each is the right one, or none of the dead.

use std::error::Error;

use insula_guest::{Isolate, Priority, ReceivePort, SendPort};

fn reads((names, wrong): (SendPort<SendPort<(u32, Isolate)>>, SendPort<u32>)) -> Result<(), Box<dyn Error>> {
    let isolates = ReceivePort::<(u32, Isolate)>::new();
    names.send(isolates.send_port())?;
    drop(names);
    for (number, isolate) in isolates {
        let name = isolate.debug_name();
        if !name.is_empty() && name != format!("number {number}") {
            wrong.send(number)?;
        }
    }
    Ok(())
}

fn waits(_: ()) {
    insula_guest::sleep(std::time::Duration::from_secs(3600));
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (names, wrong) = (ReceivePort::new(), ReceivePort::new());
    for _ in 0..4 {
        Isolate::spawn(reads, (names.send_port(), wrong.send_port()))?;
    }
    let readers: Vec<SendPort<(u32, Isolate)>> = names.take(4).collect();
    for number in 0..200 {
        let isolate = Isolate::build().paused().debug_name(format!("number {number}")).spawn(waits, ())?;
        for reader in &readers {
            reader.send((number, isolate.clone()))?;
        }
        if number % 2 == 0 {
            report_if_wrong(&report, number, &isolate)?;
        }
        isolate.kill(Priority::Immediate);
    }
    drop(readers);
    report.send(format!("wrong: {:?}", wrong.collect::<Vec<u32>>()))?;
    Ok(())
}

/// The name of an isolate that is paused before its birth is over.
fn report_if_wrong(report: &SendPort<String>, number: u32, isolate: &Isolate) -> Result<(), Box<dyn Error>> {
    let name = isolate.debug_name();
    if name != format!("number {number}") {
        report.send(name)?;
    }
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
