//! Spawns an isolate again whenever it failed, which it does three times; the fourth waits until it is ended.

use std::error::Error;
use std::time::Duration;

use insula_guest::{Isolate, ReceivePort, SendPort};

/// Who fails before one stays.
const FAILURES: u32 = 3;

fn tries((attempt, stays): (u32, SendPort<()>)) -> Result<(), Box<dyn Error>> {
    eprintln!("attempt {attempt}\u{1b}[2J");
    if attempt < FAILURES {
        return Err(format!("attempt {attempt} fails").into());
    }
    stays.send(())?;
    insula_guest::sleep(Duration::from_secs(3_600));
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let (ended, stays) = (ReceivePort::new(), ReceivePort::<()>::new());
    for attempt in 0..=FAILURES {
        let child = Isolate::build().debug_name("flaky").on_exit(&ended.send_port(), ());
        child.spawn(tries, (attempt, stays.send_port()))?;
        if attempt < FAILURES {
            ended.recv()?;
        }
    }
    stays.recv()?;
    println!("one stays");
    ended.recv()?;
    for line in 0..3 {
        eprintln!("main goes {line}");
    }
    Ok(())
}
