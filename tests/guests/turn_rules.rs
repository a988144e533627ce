//! Sends never wait and run nothing; a turn ends at a receive that finds a message ready, and not at `try_recv`.

use std::error::Error;

use insula_guest::{Isolate, Priority, ReceivePort, RemoteError, SendPort};

/// Tells after each of two looks whether it is still in its turn.
fn looks((to_main, told): (SendPort<SendPort<u32>>, SendPort<String>)) {
    let port = ReceivePort::<u32>::new();
    for number in 0..2 {
        port.send_port().send(number).ok();
    }
    to_main.send(port.send_port()).ok();
    let me = Isolate::current();
    me.ping(&told, "the turn ends".to_owned(), Priority::BeforeNextEvent).ok();
    let _ = port.try_recv();
    told.send("still in the turn".to_owned()).ok();
    let _ = port.recv(); // a message is ready
    told.send("the next turn".to_owned()).ok();
}

fn deaf((to_main, go): (SendPort<SendPort<u32>>, SendPort<SendPort<u32>>)) {
    let (port, stop) = (ReceivePort::<u32>::new(), ReceivePort::<u32>::new());
    to_main.send(port.send_port()).ok();
    go.send(stop.send_port()).ok();
    let _ = stop.recv();
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (ports, told) = (ReceivePort::new(), ReceivePort::new());
    Isolate::spawn(looks, (ports.send_port(), told.send_port()))?;
    report.send(told.collect::<Vec<String>>().join(", "))?;

    // Its receiver does not look: all sends are over before it does anything.
    let (ports, stops) = (ReceivePort::new(), ReceivePort::new());
    Isolate::spawn(deaf, (ports.send_port(), stops.send_port()))?;
    let (port, stop): (SendPort<u32>, SendPort<u32>) = (ports.recv()?, stops.recv()?);
    let sent = (0..1000).filter(|number| port.send(*number).is_ok()).count();
    report.send(format!("{sent} sent to the deaf"))?;
    stop.send(0)?;

    // A request is in force when the call returns, also before the target did anything.
    let errors = ReceivePort::<RemoteError>::new();
    let born = Isolate::build().paused().spawn(|_: ()| Err::<(), _>("as asked"), ())?;
    born.add_error_listener(&errors.send_port())?;
    born.set_errors_fatal(false);
    born.resume_birth();
    report.send(errors.recv()?.message)?;

    let mine = ReceivePort::<u32>::new();
    for number in 0..3 {
        mine.send_port().send(number)?;
    }
    report.send(format!("to myself: {:?}", mine.messages().collect::<Vec<_>>()))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
