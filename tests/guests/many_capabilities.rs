//! 255 capabilities fit into a message, 256 do not, and a refusal costs no handle.

use std::error::Error;

use insula_guest::{Capability, ReceivePort, SendError, SendPort};

fn run((report, steps): (SendPort<String>, SendPort<SendPort<()>>)) -> Result<(), Box<dyn Error>> {
    let step = ReceivePort::<()>::new();
    let port = ReceivePort::<Vec<Capability>>::new();
    let to_port = port.send_port();
    steps.send(step.send_port())?;
    step.recv()?; // the embedder reads the accounts
    {
        let mut capabilities: Vec<Capability> = (0..255).map(|_| Capability::new()).collect();
        to_port.send_ref(&capabilities)?;
        report.send(format!("255 come back the same: {}", port.recv()? == capabilities))?;
        capabilities.push(capabilities[0].clone());
        let sent = to_port.send_ref(&capabilities);
        report.send(format!("256: {}", sent.map_or_else(|error| error.to_string(), |()| "sent".to_owned())))?;
        let other = to_port.send_ref(&vec![capabilities[0].clone(); 256]);
        report.send(format!("256 of one: {}", other == Err(SendError::TooManyCapabilities)))?;
    }
    step.recv()?; // and again
    to_port.send(vec![])?;
    report.send(format!("the port still works: {}", port.recv()?.len()))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
