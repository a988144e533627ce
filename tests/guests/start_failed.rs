//! A message that a child cannot decode is an error notice and an exit, and no error of the spawn.

use std::error::Error;

use insula_guest::{Isolate, ReceivePort, RemoteError, SendPort, SpawnError};

fn wants_a_pair(_: (u64, Vec<String>)) {}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let errors = ReceivePort::<RemoteError>::new();
    let exits = ReceivePort::new();
    let child = Isolate::build().on_error(&errors.send_port()).on_exit(&exits.send_port(), "ended".to_owned());
    child.clone().spawn_export("pair", true)?;
    report.send(errors.recv()?.message)?;
    report.send(exits.recv()?)?;
    let refused = child.spawn_export("missing", ());
    report.send(format!("missing entry refused: {}", matches!(refused, Err(SpawnError::Refused(_)))))?;
    Ok(())
}

insula_guest::export!(run as "run");
insula_guest::export!(wants_a_pair as "pair");

fn main() {}
