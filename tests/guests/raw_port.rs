//! A raw port drops what comes while it has no handler; handlers are set, swapped and taken away between messages.

use std::error::Error;

use insula_guest::{Isolate, Kind, Message, RawReceivePort, ReceivePort, SendPort};

type Link = (SendPort<(SendPort<u32>, SendPort<String>)>, SendPort<String>);

/// Commands and messages of one sender keep their order, so that each command is between two messages.
fn obeys((to_main, report): Link) {
    let port = RawReceivePort::<u32>::new();
    let commands = ReceivePort::<String>::new();
    to_main.send((port.send_port(), commands.send_port())).ok();
    commands.listen(move |command| match command.as_str() {
        "set" => set(&port, &report),
        "clear" => port.clear_handler(),
        _ => {
            let own = port.send_port();
            port.close();
            port.close();
            report.send(format!("closed: {:?}", own.send(0))).ok();
        }
    });
}

fn set(port: &RawReceivePort<u32>, report: &SendPort<String>) {
    let (own, report) = (port.clone(), report.clone());
    port.set_handler(move |Message { kind, value, .. }| {
        report.send(format!("{kind:?} {value} at the first")).ok();
        if value == 3 {
            let report = report.clone();
            own.set_handler(move |message| report.send(format!("{} at the second", message.value)));
        }
    });
}

fn lets_go(to_main: SendPort<SendPort<u32>>) {
    let port = RawReceivePort::<u32>::new();
    port.set_handler(|_| ());
    port.keep_alive(false);
    to_main.send(port.send_port()).ok();
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let links = ReceivePort::new();
    let ended = ReceivePort::new();
    Isolate::build().on_exit(&ended.send_port(), ()).spawn(obeys, (links.send_port(), report.clone()))?;
    let (port, commands) = links.recv()?;
    let command = |name: &str| commands.send(name.to_owned());
    port.send(1)?; // there is no handler
    command("set")?;
    port.send(2)?;
    port.send(3)?; // the handler swaps itself
    port.send(4)?;
    command("clear")?;
    port.send(5)?; // there is none again
    command("set")?;
    port.send(6)?;
    let dead = Isolate::spawn(|_: ()| {}, ())?;
    dead.add_exit_listener(&port, 7)?; // by whichever thread it dies on, so nothing is sent until it came
    let told = ReceivePort::<u32>::new();
    dead.add_exit_listener(&told.send_port(), 0)?;
    while told.recv_message()?.kind != Kind::Exit {}
    command("close")?;
    drop((port, commands));
    ended.recv()?;

    let ports = ReceivePort::new();
    Isolate::build().on_exit(&ended.send_port(), ()).spawn(lets_go, ports.send_port())?;
    let _held = ports.recv()?;
    ended.recv()?;
    report.send("an open port need not keep its isolate".to_owned())?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
