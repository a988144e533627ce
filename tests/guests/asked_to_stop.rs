//! Says that it is ready, waits until it is asked to stop, says so, and returns.

use std::error::Error;
use std::time::Duration;

use insula_guest::{ReceivePort, notify_stop};

fn main() -> Result<(), Box<dyn Error>> {
    let asked = ReceivePort::new();
    notify_stop(&asked.send_port(), ())?;
    println!("ready");
    asked.recv_timeout(Duration::from_secs(3600))?;
    println!("asked to stop: {}", insula_guest::stop_requested());
    Ok(())
}
