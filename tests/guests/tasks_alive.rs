//! An unfinished task keeps its isolate alive, a finished one does not, and neither does one that nothing can wake.

use std::cell::Cell;
use std::error::Error;
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use insula_guest::{Isolate, ReceivePort, SendPort, on_stop, task};

fn sleeps(report: SendPort<String>) {
    task::spawn(async move {
        task::sleep(Duration::from_millis(5)).await;
        report.send("slept".to_owned())
    });
}

fn waits((to_main, report): (SendPort<SendPort<u32>>, SendPort<String>)) {
    let port = ReceivePort::new();
    to_main.send(port.send_port()).ok();
    task::spawn(async move { report.send(format!("got {:?}", port.recv_async().await)) });
}

fn finished(report: SendPort<String>) {
    task::spawn(async move { report.send("done at once".to_owned()) });
}

fn aborted(report: SendPort<String>) {
    let port = ReceivePort::<u32>::new();
    std::mem::forget(port.send_port());
    report.send("aborted".to_owned()).ok();
    let waits = task::compute(async move { port.recv_async().await });
    task::spawn(async move { waits.abort() });
}

fn nothing_to_come(report: SendPort<String>) {
    task::spawn(pending::<()>());
    task::spawn(async move {
        let port = ReceivePort::<u32>::new();
        report.send(format!("unreachable: {:?}", port.recv_async().await))
    });
}

/// What wakes the task comes through a port that by itself keeps nobody alive.
fn asked_to_stop((ready, report): (SendPort<()>, SendPort<String>)) -> Result<(), Box<dyn Error>> {
    let asked = Rc::new(Cell::new(None));
    let wakes = Rc::clone(&asked);
    on_stop(move || wakes.take().inspect(Waker::wake_by_ref).map_or((), drop))?;
    task::spawn(async move {
        let mut polls = 0;
        poll_fn(|context| {
            polls += 1;
            asked.set(Some(context.waker().clone()));
            if polls > 1 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        report.send("stops".to_owned())
    });
    ready.send(())?;
    Ok(())
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let gone = ReceivePort::new();
    let watched = Isolate::build().on_exit(&gone.send_port(), "it ended".to_owned());
    watched.clone().spawn(sleeps, report.clone())?;
    report.send(gone.recv()?)?;
    watched.clone().spawn(finished, report.clone())?;
    report.send(gone.recv()?)?;
    watched.clone().spawn(aborted, report.clone())?;
    report.send(gone.recv()?)?;
    watched.clone().spawn(nothing_to_come, report.clone())?;
    report.send(gone.recv()?)?;
    let ports = ReceivePort::new();
    watched.clone().spawn(waits, (ports.send_port(), report.clone()))?;
    ports.recv()?.send(1)?;
    report.send(gone.recv()?)?;
    let ready = ReceivePort::new();
    let isolate = watched.spawn(asked_to_stop, (ready.send_port(), report.clone()))?;
    ready.recv()?;
    isolate.request_stop();
    report.send(gone.recv()?)?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
