//! A message that is not of its port's type, sent by whoever was told another type: an error of the receive, or an
//! uncaught error of the one that listens. And an exit whose message cannot be sent.

use std::error::Error;

use insula_guest::{Isolate, Limits, ReceivePort, RecvError, RemoteError, SendError, SendPort};

/// Takes a port of pairs for one of short texts.
fn confused(port: SendPort<String>) {
    port.send("x".to_owned()).ok();
}

type Pair = (u64, Vec<String>);

fn listens(to_main: SendPort<SendPort<Pair>>) {
    let pairs = ReceivePort::<Pair>::new();
    to_main.send(pairs.send_port()).ok();
    drop(to_main);
    pairs.listen(|_| ());
}

fn typed(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let pairs = ReceivePort::<Pair>::new();
    Isolate::build().spawn_export("confused", pairs.send_port())?;
    let error = pairs.recv();
    report.send(format!("an error of the receive: {}", matches!(error, Err(RecvError::Undecodable(_)))))?;
    report.send(format!("and the port works: {:?}", pairs.recv() == Err(RecvError::Unreachable)))?;

    let (ports, errors) = (ReceivePort::new(), ReceivePort::<RemoteError>::new());
    Isolate::build().on_error(&errors.send_port()).spawn(listens, ports.send_port())?;
    Isolate::build().spawn_export("confused", ports.recv()?)?;
    let error = errors.recv()?.message;
    let named = error.contains("ReceivePort(") && error.contains("(u64, alloc::vec::Vec<alloc::string::String>)");
    report.send(format!("an error of who listens: {named}"))?;
    Ok(())
}

fn tries_to_exit((port, told): (SendPort<Vec<u8>>, SendPort<String>)) {
    let refused = Isolate::exit(&port, vec![0; 4096]);
    told.send(format!("too large: {}, and it goes on", refused == SendError::TooLarge)).ok();
    let refused = Isolate::exit(&port, vec![0; 16]);
    told.send(format!("never told: {refused}")).ok();
}

fn exits(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (port, told) = (ReceivePort::<Vec<u8>>::new(), ReceivePort::new());
    let small = Limits::default().message_bytes(1024);
    Isolate::build().limits(small).spawn(tries_to_exit, (port.send_port(), told.send_port()))?;
    report.send(told.collect::<Vec<String>>().join(", "))?;
    report.send(format!("its last message: {} bytes", port.recv()?.len()))?;
    Ok(())
}

insula_guest::export!(confused as "confused");
insula_guest::export!(typed as "typed");
insula_guest::export!(exits as "exits");

fn main() {}
