//! A child gets its message and fresh globals, its listeners are in force from the start, and it has a name.

use std::error::Error;
use std::sync::atomic::{AtomicU32, Ordering};

use insula_guest::{Isolate, Kind, ReceivePort, SendPort};

static GLOBAL: AtomicU32 = AtomicU32::new(1);

fn child((number, reply): (u32, SendPort<u32>)) {
    reply.send(number * 10 + GLOBAL.load(Ordering::Relaxed)).ok();
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    GLOBAL.store(2, Ordering::Relaxed);
    let port = ReceivePort::new();
    let named = Isolate::build().paused().debug_name("first born").on_exit(&port.send_port(), 0);
    let isolate = named.spawn(child, (4, port.send_port()))?;
    report.send(format!("{} is born", isolate.debug_name()))?;
    isolate.resume_birth();
    for _ in 0..2 {
        let message = port.recv_message()?;
        match message.kind {
            Kind::Exit => report.send("it ended".to_owned())?,
            _ => report.send(format!("child says {}", message.value))?,
        }
    }
    let unnamed = Isolate::build().paused().spawn(child, (5, port.send_port()))?;
    let name = unnamed.debug_name();
    unnamed.resume_birth();
    report.send(format!("{name} says {}", port.recv()?))?;
    report.send(format!("global is {}", GLOBAL.load(Ordering::Relaxed)))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
