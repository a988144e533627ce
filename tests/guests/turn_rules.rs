//! Turns and sends: when a request is in force, where a turn ends, what a send does not do, and that it copies.

use std::error::Error;

use insula_guest::{Isolate, Priority, ReceivePort, RemoteError, SendPort};

/// A request is in force when its call returns, whatever its target does or does not do.
fn in_force(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let errors = ReceivePort::<RemoteError>::new();
    let born = Isolate::build().paused().spawn(|_: ()| Err::<(), _>("as asked"), ())?;
    born.add_error_listener(&errors.send_port())?;
    born.set_errors_fatal(true);
    born.set_errors_fatal(false); // in call order: the last one holds
    born.resume_birth();
    report.send(errors.recv()?.message)?;
    Ok(())
}

/// Tells after each of two looks whether it is still in its turn.
fn looks(told: SendPort<String>) {
    let port = ReceivePort::<u32>::new();
    for number in 0..2 {
        port.send_port().send(number).ok();
    }
    let me = Isolate::current();
    me.ping(&told, "the turn ends".to_owned(), Priority::BeforeNextEvent).ok();
    let _ = port.try_recv();
    told.send("still in the turn".to_owned()).ok();
    let _ = port.recv(); // a message is ready
    told.send("the next turn".to_owned()).ok();
}

fn ends_of_turns(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let told = ReceivePort::new();
    Isolate::spawn(looks, told.send_port())?;
    report.send(told.collect::<Vec<String>>().join(", "))?;
    Ok(())
}

fn deaf(to_main: SendPort<(SendPort<u32>, SendPort<()>)>) {
    let (port, stop) = (ReceivePort::<u32>::new(), ReceivePort::<()>::new());
    to_main.send((port.send_port(), stop.send_port())).ok();
    let _ = stop.recv();
}

/// Its receiver does not look, and all sends are over before it does anything.
fn sends(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let ports = ReceivePort::new();
    Isolate::spawn(deaf, ports.send_port())?;
    let (port, stop) = ports.recv()?;
    let sent = (0..1000).filter(|number| port.send(*number).is_ok()).count();
    report.send(format!("{sent} sent to the deaf"))?;
    stop.send(())?;
    Ok(())
}

/// What is sent is a copy, for whoever sent it and for each that receives it.
fn copies(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let ports = [ReceivePort::<Vec<Vec<u32>>>::new(), ReceivePort::new()];
    let mut sent = vec![vec![1], vec![2]];
    for port in &ports {
        port.send_port().send_ref(&sent)?;
        sent[0].push(0);
    }
    let mut first = ports[0].recv()?;
    first[1].clear();
    report.send(format!("{sent:?} {first:?} {:?}", ports[1].recv()?))?;
    Ok(())
}

/// Sends to oneself are queued like any other, and handled in later turns.
fn to_myself(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let port = ReceivePort::<u32>::new();
    let (to_port, told) = (port.send_port(), report.clone());
    to_port.send(1)?;
    report.send("sent, not handled".to_owned())?;
    port.listen(move |number| {
        if number < 3 {
            to_port.send(number + 1).ok();
        }
        told.send(format!("handled {number}")).ok();
        if number < 3 { std::ops::ControlFlow::Continue(()) } else { std::ops::ControlFlow::Break(()) }
    });
    Ok(())
}

insula_guest::export!(in_force as "in_force");
insula_guest::export!(ends_of_turns as "ends_of_turns");
insula_guest::export!(sends as "sends");
insula_guest::export!(copies as "copies");
insula_guest::export!(to_myself as "to_myself");

fn main() {}
