//! Capabilities and ports are equal to themselves only: sent, received, closed, and as keys.

use std::collections::{HashMap, HashSet};
use std::error::Error;

use insula_guest::{Capability, Isolate, ReceivePort, RemoteError, SendPort};

/// Where to send them back, and what.
type Both = (SendPort<(SendPort<u8>, Capability)>, SendPort<u8>, Capability);

fn returns_them((back, port, token): Both) {
    back.send((port, token)).ok();
}

fn capability(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (one, other) = (Capability::new(), Capability::new());
    report.send(format!("two differ: {}", one != other && one == one.clone()))?;
    let (port, back) = (ReceivePort::<u8>::new(), ReceivePort::new());
    Isolate::spawn(returns_them, (back.send_port(), port.send_port(), one.clone()))?;
    let (_, token) = back.recv()?;
    report.send(format!("equal after a trip: {}", token == one && token != other))?;
    let mut names = HashMap::from([(one, "one"), (other, "other")]);
    report.send(format!("found by what came back: {:?}", names.remove(&token)))?;
    // A message that holds a port where a capability belongs does not decode.
    let errors = ReceivePort::<RemoteError>::new();
    Isolate::build().on_error(&errors.send_port()).spawn_export("takes a capability", port.send_port())?;
    report.send(format!("a port is no capability: {}", errors.recv()?.message.contains("does not decode")))?;
    Ok(())
}

fn port_equality(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (port, another, back) = (ReceivePort::<u8>::new(), ReceivePort::<u8>::new(), ReceivePort::new());
    let to_port = port.send_port();
    Isolate::spawn(returns_them, (back.send_port(), to_port.clone(), Capability::new()))?;
    let (returned, _) = back.recv()?;
    report.send(format!("equal after a trip: {}", returned == to_port && returned != another.send_port()))?;
    let again: HashSet<SendPort<u8>> = (0..3).map(|_| port.send_port()).chain([returned]).collect();
    report.send(format!("one port, one key: {}", again.len()))?;
    another.close();
    let closed = another.send_port();
    let through_a_message = ReceivePort::new();
    through_a_message.send_port().send(closed.clone())?;
    report.send(format!("equal when closed: {}", through_a_message.recv()? == closed && closed != to_port))?;
    Ok(())
}

fn takes_a_capability(_: Capability) {}

insula_guest::export!(capability as "capability");
insula_guest::export!(port_equality as "port_equality");
insula_guest::export!(takes_a_capability as "takes a capability");

fn main() {}
