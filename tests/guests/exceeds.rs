//! Goes beyond the limit that its first argument names, and says what came of it.

use std::error::Error;
use std::time::Duration;

use insula_guest::{Blob, Isolate, MailboxPolicy, ReceivePort, SendPort};

/// Spawns one below the other, until that is refused.
fn descends((depth, said): (u32, SendPort<String>)) -> Result<(), Box<dyn Error>> {
    if let Err(refused) = Isolate::spawn(descends, (depth + 1, said.clone())) {
        said.send(format!("{depth} below main, then: {refused}"))?;
    }
    Ok(())
}

fn waits(to_parent: SendPort<SendPort<()>>) -> Result<(), Box<dyn Error>> {
    let port = ReceivePort::new();
    to_parent.send(port.send_port())?;
    let _ = port.recv();
    Ok(())
}

fn floods((port, said): (SendPort<Vec<u8>>, SendPort<String>)) -> Result<(), Box<dyn Error>> {
    said.send(flood(&port))?;
    Ok(())
}

fn loops(_: ()) {
    loop {
        std::hint::spin_loop();
    }
}

/// Sends until the mailbox is full.
fn flood(port: &SendPort<Vec<u8>>) -> String {
    let message = vec![7; 1_000];
    let sent = (0..1_000).take_while(|_| port.try_send(&message).is_ok()).count();
    format!("{sent} sent, then: {:?}", port.try_send(&message).map_err(|error| error.to_string()))
}

/// Holds as many as `make` gives, and says how many that were, and what was said of one more.
fn hoards<T, E: std::fmt::Display>(make: impl Fn() -> Result<T, E>) -> String {
    let mut held = Vec::new();
    loop {
        match make() {
            Ok(one) => held.push(one),
            Err(refused) => return format!("{} held, then: {refused}", held.len()),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let what = std::env::args().nth(1).unwrap_or_default();
    let said = ReceivePort::<String>::new();
    let text = match what.as_str() {
        "depth" => {
            Isolate::spawn(descends, (1, said.send_port()))?;
            said.recv()?
        }
        "isolates" => {
            let children = ReceivePort::new();
            hoards(|| Isolate::spawn(waits, children.send_port()).map(|child| (child, children.recv())))
        }
        "memory" => format!("64 MiB: {}", Vec::<u8>::new().try_reserve_exact(64 << 20).is_ok()),
        "mailbox" => flood(&ReceivePort::new().send_port()),
        "share" => {
            let port = ReceivePort::new();
            Isolate::spawn(floods, (port.send_port(), said.send_port()))?;
            said.recv()?
        }
        "message" => {
            let sent = ReceivePort::new().send_port().send(vec![7_u8; 1 << 20]);
            format!("{:?}", sent.map_err(|error| error.to_string()))
        }
        "ports" => hoards(|| ReceivePort::<()>::try_open(MailboxPolicy::Error)),
        "blobs" => hoards(|| Blob::new(&[7; 1 << 10])),
        "cpu" => {
            loops(());
            String::new()
        }
        "child cpu" => {
            let gone = ReceivePort::new();
            Isolate::build().debug_name("spins").on_exit(&gone.send_port(), ()).spawn(loops, ())?;
            gone.recv()?;
            "the child is gone".to_owned()
        }
        "time" => {
            insula_guest::sleep(Duration::from_secs(3_600));
            "an hour is over".to_owned()
        }
        other => return Err(format!("no such limit: {other}").into()),
    };
    println!("{text}");
    Ok(())
}
