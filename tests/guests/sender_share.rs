//! One sender fills its share of a mailbox, and the others still find room.

use std::error::Error;

use insula_guest::{Isolate, Limits, ReceivePort, SendPort};

/// Where to send, and what lets it go on.
type Ports = (SendPort<Vec<u8>>, SendPort<()>);

type Told = (SendPort<Vec<u8>>, SendPort<(usize, String)>);

fn floods((port, told): Told) -> Result<(), Box<dyn Error>> {
    let sent = (0..1_000).take_while(|_| port.try_send(&vec![0; 100]).is_ok()).count();
    told.send((sent, format!("{:?}", port.try_send(&vec![0; 100]))))?;
    Ok(())
}

/// Its mailbox is the one that is flooded.
fn receives((ports, report): (SendPort<Ports>, SendPort<String>)) -> Result<(), Box<dyn Error>> {
    let (port, go) = (ReceivePort::<Vec<u8>>::new(), ReceivePort::<()>::new());
    ports.send((port.send_port(), go.send_port()))?;
    go.recv()?;
    let mine = (0..100).take_while(|_| port.send_port().try_send(&vec![0; 100]).is_ok()).count();
    report.send(format!("room for oneself: {mine}"))?;
    let drained = (0..1_000).take_while(|_| port.try_recv().is_ok()).count();
    report.send(format!("{drained} were there"))?;
    Ok(())
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (ports, told, gone) = (ReceivePort::new(), ReceivePort::new(), ReceivePort::new());
    let small = Limits::default().mailbox_messages(40).mailbox_bytes(100_000);
    let flooded = Isolate::build().limits(small).on_exit(&gone.send_port(), ());
    flooded.spawn(receives, (ports.send_port(), report.clone()))?;
    let (port, go) = ports.recv()?;
    for _ in 0..3 {
        Isolate::spawn(floods, (port.clone(), told.send_port()))?;
        let (sent, refused) = told.recv()?;
        report.send(format!("{sent} sent, then {refused}"))?;
    }
    go.send(())?;
    gone.recv()?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
