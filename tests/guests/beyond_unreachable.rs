//! The last SendPort goes: with a kill, with a message queued at the dead, at the closed, or dropped unread.

use std::error::Error;

use insula_guest::{Isolate, Priority, ReceivePort, RecvError, SendPort};

type Carrier = SendPort<SendPort<()>>;

/// Has a mailbox, and never looks into it.
fn busy(to_main: SendPort<Carrier>) {
    let port = ReceivePort::<SendPort<()>>::new();
    to_main.send(port.send_port()).ok();
    drop(to_main);
    loop {
        std::hint::black_box(&port);
    }
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let unreachable = |port: ReceivePort<()>| port.recv() == Err(RecvError::Unreachable);
    let (carriers, port) = (ReceivePort::new(), ReceivePort::<()>::new());
    let isolate = Isolate::spawn(busy, carriers.send_port())?;
    let carrier: Carrier = carriers.recv()?;
    carrier.send(port.send_port())?;
    isolate.kill(Priority::Immediate);
    report.send(format!("queued at the dead: {}", unreachable(port)))?;

    let (carrier, port) = (ReceivePort::new(), ReceivePort::<()>::new());
    carrier.send_port().send(port.send_port())?;
    let dropped = carrier.discard();
    report.send(format!("dropped unread: {dropped} {}", unreachable(port)))?;

    let (listened, port) = (Isolate::build().paused().spawn(|_: ()| (), ())?, ReceivePort::<()>::new());
    listened.add_exit_listener(&port.send_port(), ())?;
    listened.remove_exit_listener(&port.send_port());
    listened.resume_birth();
    report.send(format!("a listener no more: {}", unreachable(port)))?;

    // A right in a message in a message: the outermost is dropped, and all go.
    let (outer, inner) = (ReceivePort::<SendPort<SendPort<()>>>::new(), ReceivePort::<SendPort<()>>::new());
    let port = ReceivePort::<()>::new();
    inner.send_port().send(port.send_port())?;
    outer.send_port().send(inner.send_port())?;
    drop(inner);
    drop(outer);
    report.send(format!("all the way down: {}", unreachable(port)))?;
    let again = ReceivePort::<()>::new();
    drop(again.send_port());
    let gone = again.recv() == Err(RecvError::Unreachable);
    again.send_port().send(())?;
    report.send(format!("reachable again: {}", gone && again.recv().is_ok()))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
