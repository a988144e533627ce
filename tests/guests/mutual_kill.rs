//! Two isolates kill each other: each gives one exit notice, whoever was first.

use std::error::Error;

use insula_guest::{Isolate, Priority, ReceivePort, SendPort};

fn killer(to_main: SendPort<SendPort<Isolate>>) {
    let victims = ReceivePort::<Isolate>::new();
    to_main.send(victims.send_port()).ok();
    if let Ok(victim) = victims.first() {
        victim.kill(Priority::Immediate);
    }
    loop {
        std::hint::spin_loop();
    }
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (ports, exits) = (ReceivePort::new(), ReceivePort::new());
    for _ in 0..10 {
        let born = || Isolate::build().on_exit(&exits.send_port(), ());
        let one = born().spawn(killer, ports.send_port())?;
        let to_one: SendPort<Isolate> = ports.recv()?;
        let other = born().spawn(killer, ports.send_port())?;
        let to_other: SendPort<Isolate> = ports.recv()?;
        to_one.send(other.clone())?;
        let _ = to_other.send(one.clone()); // the other may be dead by now
        exits.recv()?;
        one.kill(Priority::Immediate); // whoever was killed before it could kill
        other.kill(Priority::Immediate);
        exits.recv()?;
    }
    report.send(format!("more exits than isolates: {}", exits.try_recv().is_ok()))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
