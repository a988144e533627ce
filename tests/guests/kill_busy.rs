//! A kill ends a busy loop at once: an exit notice, no error notice, and the sibling beside it goes on.

use std::error::Error;

use insula_guest::{Isolate, Priority, ReceivePort, RemoteError, SendPort};

fn busy(started: SendPort<()>) {
    started.send(()).ok();
    loop {
        std::hint::spin_loop();
    }
}

fn echo(port: SendPort<SendPort<String>>) {
    let own = ReceivePort::<String>::new();
    port.send(own.send_port()).ok();
    for text in own {
        println!("{text}");
    }
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (started, siblings) = (ReceivePort::new(), ReceivePort::new());
    let (errors, exits) = (ReceivePort::<RemoteError>::new(), ReceivePort::new());
    let sibling = Isolate::spawn(echo, siblings.send_port())?;
    let _to_sibling = siblings.recv()?; // it would end if nobody could send to it
    let busy = Isolate::build()
        .on_error(&errors.send_port())
        .on_exit(&exits.send_port(), "killed".to_owned())
        .spawn(busy, started.send_port())?;
    started.recv()?;
    busy.kill(Priority::Immediate);
    busy.kill(Priority::Immediate);
    report.send(exits.recv()?)?;
    report.send(format!("errors: {}", errors.try_recv().is_ok()))?;
    sibling.ping(&exits.send_port(), "the sibling lives".to_owned(), Priority::Immediate)?;
    report.send(exits.recv()?)?;
    sibling.kill(Priority::Immediate);
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
