//! Killed where the host holds it: at a read of a file that never ends, of standard input, and in the midst of spawning.

use std::error::Error;
use std::io::Read as _;

use insula_guest::{Isolate, Priority, ReceivePort, SendPort};

fn reads_a_file(started: SendPort<()>) {
    started.send(()).ok();
    println!("{:?}", std::fs::read_to_string("/data/never").map(|text| text.len()));
}

fn reads_stdin(started: SendPort<()>) {
    started.send(()).ok();
    let mut text = String::new();
    println!("{:?}", std::io::stdin().read_to_string(&mut text));
}

fn spawns(started: SendPort<()>) {
    started.send(()).ok();
    while let Ok(child) = Isolate::spawn(|_: ()| (), ()) {
        child.kill(Priority::Immediate);
    }
    loop {
        std::hint::spin_loop();
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (started, exits) = (ReceivePort::new(), ReceivePort::new());
    for name in ["file", "stdin", "spawn"] {
        let child = Isolate::build().on_exit(&exits.send_port(), name.to_owned());
        let child = match name {
            "file" => child.spawn(reads_a_file, started.send_port())?,
            "stdin" => child.spawn(reads_stdin, started.send_port())?,
            _ => child.spawn(spawns, started.send_port())?,
        };
        started.recv()?;
        child.kill(Priority::Immediate);
        println!("{}", exits.recv()?);
    }
    println!("main lives");
    std::process::exit(0)
}
