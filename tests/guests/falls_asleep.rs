//! A program in which nobody can wake anybody: one waits for a port that only a sleeper holds, and the sleeper is paused.
//! An embedder that is told of the port could.

use std::error::Error;
use std::time::Duration;

use insula_guest::{Isolate, ReceivePort, SendPort};

fn sleeps((ready, _port): (SendPort<()>, SendPort<u32>)) -> Result<(), Box<dyn Error>> {
    ready.send(())?;
    drop(ready);
    insula_guest::sleep(Duration::from_secs(3_600));
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let (port, ready) = (ReceivePort::<u32>::new(), ReceivePort::new());
    if let Some(told) = insula_guest::initial_message::<SendPort<SendPort<u32>>>()? {
        told.send(port.send_port())?;
    } else {
        let sleeper = Isolate::spawn(sleeps, (ready.send_port(), port.send_port()))?;
        ready.recv()?;
        let _pause = sleeper.pause();
        println!("{}", port.recv()?);
        return Ok(());
    }
    println!("{}", port.recv()?);
    Ok(())
}
