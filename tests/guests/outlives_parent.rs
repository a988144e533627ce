//! A child goes on after its parent died, and talks to main through a port that it was handed.

use std::error::Error;

use insula_guest::{Isolate, ReceivePort, SendPort};

type Ports = (SendPort<SendPort<String>>, SendPort<String>);

fn grandchild((to_main, answers): Ports) {
    let questions = ReceivePort::new();
    to_main.send(questions.send_port()).ok();
    for question in questions.take(1) {
        answers.send(format!("{question}: still here")).ok();
    }
}

fn parent(ports: Ports) -> Result<(), Box<dyn Error>> {
    Isolate::spawn(grandchild, ports)?;
    Ok(())
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (questions, answers) = (ReceivePort::new(), ReceivePort::new());
    let gone = ReceivePort::new();
    Isolate::build()
        .on_exit(&gone.send_port(), "the parent is gone".to_owned())
        .spawn(parent, (questions.send_port(), answers.send_port()))?;
    report.send(gone.recv()?)?;
    questions.recv()?.send("grandchild".to_owned())?;
    report.send(answers.recv()?)?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
