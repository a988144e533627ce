//! Sent data, the message of an exit, and the exit notice arrive in this order, also over two ports.

use std::error::Error;

use insula_guest::{Either, Isolate, Kind, ReceivePort, SendPort, recv_either};

fn exits((port, other): (SendPort<String>, SendPort<String>)) -> Result<(), Box<dyn Error>> {
    port.send("first".to_owned())?;
    other.send("second".to_owned())?;
    port.send("third".to_owned())?;
    Err(Isolate::exit(&other, "last words".to_owned()).into())
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (port, other) = (ReceivePort::<String>::new(), ReceivePort::<String>::new());
    let gone = ReceivePort::<()>::new();
    let ports = (port.send_port(), other.send_port());
    let child = Isolate::build().on_exit(&gone.send_port(), ()).spawn(exits, ports)?;
    gone.recv()?;
    child.add_exit_listener(&port.send_port(), "late notice".to_owned())?;
    for _ in 0..5 {
        match recv_either(&port, &other)? {
            Either::First(text) | Either::Second(text) => report.send(text)?,
        }
    }
    let message = ReceivePort::<u8>::new();
    Isolate::build().on_exit(&message.send_port(), 7).spawn(|_: ()| {}, ())?;
    let notice = message.recv_message()?;
    report.send(format!("{:?} {}", notice.kind == Kind::Exit, notice.value))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
