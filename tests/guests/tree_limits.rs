//! What a tree has together is bounded, dead ancestors included: spawning and dying evades nothing.

use std::error::Error;

use insula_guest::{Isolate, Limits, Priority, ReceivePort, SendPort};

const PAGE: u64 = 64 << 10;

fn waits(_: ()) -> Result<(), Box<dyn Error>> {
    let (port, never) = (ReceivePort::<()>::new(), ReceivePort::<SendPort<()>>::new());
    never.send_port().send(port.send_port())?;
    port.recv()?;
    Ok(())
}

/// Leaves two behind and dies; whoever comes after it in the tree finds them counted.
fn leaves_two(done: SendPort<String>) -> Result<(), Box<dyn Error>> {
    Isolate::spawn(waits, ())?;
    Isolate::spawn(leaves_one_more, done)?;
    Ok(())
}

fn leaves_one_more(done: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let born = (0..10).take_while(|_| Isolate::spawn(waits, ()).is_ok()).count();
    let refused = Isolate::spawn(waits, ()).map(drop);
    done.send(format!("{born} more, then {refused:?}"))?;
    Ok(())
}

fn grows(done: SendPort<bool>) -> Result<(), Box<dyn Error>> {
    let large: Vec<u8> = vec![1; 100 * PAGE as usize];
    done.send(large.iter().all(|byte| *byte == 1))?;
    Ok(())
}

fn grows_below(done: SendPort<bool>) -> Result<(), Box<dyn Error>> {
    Isolate::spawn(grows, done)?;
    Ok(())
}

fn floods_a_child(done: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let ports = ReceivePort::new();
    let child = Isolate::spawn(deaf, ports.send_port())?;
    let deaf: SendPort<Vec<u8>> = ports.recv()?;
    let sent = (0..1_000).take_while(|_| deaf.try_send(&vec![0; 1_000]).is_ok()).count();
    let refused = deaf.try_send(&vec![0; 1_000]);
    done.send(format!("{}, {refused:?}", sent < 10))?;
    child.kill(Priority::Immediate);
    Ok(())
}

fn deaf(to_parent: SendPort<SendPort<Vec<u8>>>) -> Result<(), Box<dyn Error>> {
    let port = ReceivePort::<Vec<u8>>::new();
    to_parent.send(port.send_port())?;
    waits(())
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (done, gone) = (ReceivePort::new(), ReceivePort::new());
    let bounded = Isolate::build().limits(Limits::default().descendants(4)).on_exit(&gone.send_port(), ());
    let tree = bounded.spawn(leaves_two, done.send_port())?;
    report.send(done.recv()?)?;
    gone.recv()?;
    tree.kill_tree();

    let grown = ReceivePort::new();
    let little = Isolate::build().limits(Limits::default().tree_memory(60 * PAGE));
    little.spawn(grows_below, grown.send_port())?;
    report.send(format!("the grandchild grew: {}", grown.recv().is_ok()))?;
    let grown = ReceivePort::new();
    let enough = Isolate::build().limits(Limits::default().tree_memory(400 * PAGE));
    enough.spawn(grows_below, grown.send_port())?;
    report.send(format!("with enough for all: {}", grown.recv()?))?;

    let queued = Isolate::build().limits(Limits::default().tree_queued_bytes(8_000));
    queued.spawn(floods_a_child, done.send_port())?;
    report.send(done.recv()?)?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
