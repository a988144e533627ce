//! Sends a hundred numbers to a port that waits for room.

use std::error::Error;

use insula_guest::SendPort;

fn main() -> Result<(), Box<dyn Error>> {
    let port: SendPort<u32> = insula_guest::initial_message()?.ok_or("nobody to send to")?;
    (0..100).try_for_each(|n| port.send(n))?;
    Ok(())
}
