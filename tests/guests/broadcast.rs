//! Several listeners on one port, in turn and at one time; what comes between them stays.

use std::cell::RefCell;
use std::error::Error;
use std::ops::ControlFlow;
use std::rc::Rc;

use insula_guest::{Broadcast, Isolate, ReceivePort, SendPort, Subscription};

/// Numbers, without waiting for anything.
fn counts(to_parent: SendPort<u32>) {
    for n in 0..8 {
        to_parent.send(n).ok();
    }
}

fn listens(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let port = ReceivePort::new().broadcast();
    Isolate::spawn(counts, port.send_port())?;
    report.send(format!("taken: {}", port.recv()?))?;
    // Nobody listens now, and numbers come.
    let next = port.clone();
    port.listen(move |n| {
        report.send(format!("first: {n}")).ok();
        if n == 2 {
            two_more(&next, &report);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    Ok(())
}

/// One that ends by itself, and one that the other ends before it gets the same number.
fn two_more(port: &Broadcast<u32>, report: &SendPort<String>) {
    let (second, third) = (report.clone(), report.clone());
    let other: Rc<RefCell<Option<Subscription<u32>>>> = Rc::default();
    let cancelled = Rc::clone(&other);
    let last = (port.clone(), report.clone());
    port.listen(move |n| {
        second.send(format!("second: {n}")).ok();
        if n == 4 {
            if let Some(other) = cancelled.take() {
                other.cancel();
            }
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    let subscription = port.listen(move |n| third.send(format!("third: {n}")));
    other.replace(Some(subscription));
    // In a turn of its own, long after the numbers came: what nobody listened to is there.
    insula_guest::Timer::after(std::time::Duration::from_millis(30), move || {
        let (port, report) = last;
        report.send("nobody listened".to_owned()).ok();
        let own = port.clone();
        port.listen(move |n| {
            report.send(format!("last: {n}")).ok();
            if n == 6 {
                report.send(format!("taken in a handler: {:?}", own.recv())).ok();
                own.close();
            }
        });
    });
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let ended = ReceivePort::new();
    Isolate::build().on_exit(&ended.send_port(), "it ended".to_owned()).spawn(listens, report.clone())?;
    report.send(ended.recv()?)?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
