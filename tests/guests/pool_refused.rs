//! A pool without workers is refused; what does not fit is the error of those whom it concerns.

use std::error::Error;
use std::time::Duration;

use insula_guest::{Isolate, JobError, Limits, Pool, PoolHandle, ReceivePort, SendPort};
use serde::{Serialize, Serializer};

/// A value that refuses to be sent.
#[derive(serde::Deserialize)]
struct Secret;

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("a secret"))
    }
}

/// Submits with a mailbox of two messages that is full by the time the value comes.
fn submits((pool, told): (PoolHandle, SendPort<String>)) -> Result<(), Box<dyn Error>> {
    let full = ReceivePort::<u32>::new();
    let gate = ReceivePort::new();
    let waits = |begun: SendPort<SendPort<()>>| {
        let gate = ReceivePort::new();
        begun.send(gate.send_port()).ok();
        gate.recv().is_ok()
    };
    let job = pool.submit(waits, gate.send_port())?;
    let open: SendPort<()> = gate.recv()?;
    while full.send_port().send(1).is_ok() {}
    open.send(())?;
    told.send(format!("{:?}", job.join()))?;
    Ok(())
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    report.send(format!("{:?}", Pool::new(0).map(drop)))?;
    let born = Pool::build(1).limits(Limits::default().memory(1)).start();
    report.send(format!("without memory: {}", born.is_err()))?;
    report.send(format!("more than there is room for: {}", Pool::new(100).is_err()))?;

    let pool = Pool::build(1).limits(Limits::default().mailbox_bytes(1000)).start()?;
    match pool.submit(|text: String| text.len(), "x".repeat(2000))?.join() {
        Err(JobError::Remote(error)) => report.send(error.message)?,
        other => report.send(format!("{other:?}"))?,
    }
    match pool.submit(|_: ()| Secret, ())?.join() {
        Err(JobError::Remote(error)) => report.send(error.message)?,
        other => report.send(format!("{:?}", other.map(drop)))?,
    }
    report.send(format!("the worker is still there: {:?}", pool.submit(|_: ()| 1, ())?.join()))?;
    report.send(format!("{:?}", pool.stats()?))?;

    let told = ReceivePort::new();
    let narrow = Isolate::build().limits(Limits::default().mailbox_messages(8));
    narrow.spawn(submits, (pool.handle(), told.send_port()))?;
    report.send(told.recv_timeout(Duration::from_secs(60))?)?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
