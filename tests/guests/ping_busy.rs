//! A busy loop answers an immediate ping, and a ping for the end of its turn only then.

use std::error::Error;

use insula_guest::{Isolate, Priority, ReceivePort, SendPort};

fn busy((started, go): (SendPort<SendPort<()>>, SendPort<String>)) {
    let stop = ReceivePort::new();
    started.send(stop.send_port()).ok();
    while stop.try_recv().is_err() {
        std::hint::spin_loop();
    }
    go.send("the loop is over".to_owned()).ok();
    let _ = stop.recv();
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (started, answers) = (ReceivePort::new(), ReceivePort::new());
    let isolate = Isolate::spawn(busy, (started.send_port(), answers.send_port()))?;
    let stop: SendPort<()> = started.recv()?;
    isolate.ping(&answers.send_port(), "at the end of the turn".to_owned(), Priority::BeforeNextEvent)?;
    isolate.ping(&answers.send_port(), "at once".to_owned(), Priority::Immediate)?;
    report.send(answers.recv()?)?;
    stop.send(())?;
    report.send(answers.recv()?)?;
    report.send(answers.recv()?)?;
    isolate.kill(Priority::Immediate);
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
