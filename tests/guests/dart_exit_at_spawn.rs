//! Children that end at once, after a message to themselves, and after a timer of no time: one exit notice each.

use std::error::Error;
use std::ops::ControlFlow;
use std::time::Duration;

use insula_guest::{Isolate, ReceivePort, RecvError, SendPort, Timer};

fn returns(_: ()) {}

fn has_a_message(_: ()) {
    let port = ReceivePort::<()>::new();
    port.send_port().send(()).ok();
    port.listen(|()| ControlFlow::Break(()));
}

fn has_a_timer(_: ()) {
    Timer::after(Duration::ZERO, || ());
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let exits = ReceivePort::<u32>::new();
    let born = |response| Isolate::build().on_exit(&exits.send_port(), response);
    born(1).spawn(returns, ())?;
    born(2).spawn(has_a_message, ())?;
    born(3).spawn(has_a_timer, ())?;
    let mut ended = [exits.recv()?, exits.recv()?, exits.recv()?];
    ended.sort_unstable();
    report.send(format!("{ended:?}"))?;
    report.send(format!("no other comes: {}", exits.recv() == Err(RecvError::Unreachable)))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
