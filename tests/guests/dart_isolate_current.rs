//! The handle of an isolate is the same, part for part: its own, after a trip to itself, and as its parent has it.

use std::error::Error;

use insula_guest::{Isolate, ReceivePort, SendPort};

type Question = (Isolate, SendPort<(bool, Isolate)>);

fn child(to_main: SendPort<SendPort<Question>>) -> Result<(), Box<dyn Error>> {
    let questions = ReceivePort::<Question>::new();
    to_main.send(questions.send_port())?;
    let (sent, answer) = questions.recv()?;
    answer.send((sent == Isolate::current(), Isolate::current()))?;
    Ok(())
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let myself = ReceivePort::new();
    myself.send_port().send(Isolate::current())?;
    let received: Isolate = myself.recv()?;
    report.send(format!("after a trip to myself: {}", received == Isolate::current()))?;

    let (ports, answers) = (ReceivePort::new(), ReceivePort::new());
    let isolate = Isolate::spawn(child, ports.send_port())?;
    ports.recv()?.send((isolate.clone(), answers.send_port()))?;
    let (same_there, theirs) = answers.recv()?;
    report.send(format!("as the child sees it: {same_there}"))?;
    report.send(format!("as the child sent it: {}", theirs == isolate))?;
    let parts = theirs.pause_capability() == isolate.pause_capability()
        && theirs.terminate_capability() == isolate.terminate_capability();
    report.send(format!("part for part: {parts}, and not mine: {}", theirs != Isolate::current()))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
