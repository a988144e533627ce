//! 20 isolates are blocked at a read of standard input, 20 at a port: main still gets its messages, and exits at once.

use std::error::Error;
use std::io::Read as _;

use insula_guest::{Isolate, ReceivePort, SendPort};

fn reads((number, told): (u32, SendPort<u32>)) {
    told.send(number).ok();
    let mut byte = [0];
    if std::io::stdin().read(&mut byte).is_ok_and(|read| read > 0) {
        println!("somebody typed");
    }
}

fn waits((ports, told): (SendPort<SendPort<()>>, SendPort<u32>)) {
    let port = ReceivePort::<()>::new();
    ports.send(port.send_port()).ok();
    told.send(100).ok();
    let _ = port.recv();
}

fn main() -> Result<(), Box<dyn Error>> {
    let (told, ports) = (ReceivePort::new(), ReceivePort::new());
    let mut reachable: Vec<SendPort<()>> = Vec::new();
    for number in 0..20 {
        Isolate::spawn(reads, (number, told.send_port()))?;
        Isolate::spawn(waits, (ports.send_port(), told.send_port()))?;
        reachable.push(ports.recv()?);
    }
    let sum: u32 = told.take(40).sum();
    println!("{sum}");
    std::process::exit(0)
}
