//! A pool's queue is bounded and ordered by priority; what is queued can be cancelled.

use std::error::Error;

use insula_guest::{Pool, ReceivePort, SendPort, SubmitError};

/// Says that it has begun, then waits until it is let go.
fn waits((begun, name): (SendPort<(String, SendPort<()>)>, String)) -> String {
    let gate = ReceivePort::new();
    begun.send((name.clone(), gate.send_port())).ok();
    gate.recv().ok();
    name
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let begun = ReceivePort::new();
    let pool = Pool::build(1).queue(4).start()?;
    let submit =
        |name: &str, priority| pool.job().priority(priority).submit(waits, (begun.send_port(), name.to_owned()));
    let mut jobs = vec![submit("the first has the worker", 0)?];
    let (_, gate) = begun.recv()?;
    jobs.push(submit("normal", 0)?);
    jobs.push(submit("low", -1)?);
    let cancelled = submit("cancelled", 5)?;
    jobs.push(submit("high", 9)?);
    let full = matches!(submit("one too many", 10), Err(SubmitError::Full));
    report.send(format!("full: {full}, {:?}", pool.stats()?))?;
    cancelled.cancel();
    jobs.push(submit("normal too", 0)?);
    gate.send(())?;
    for _ in 0..4 {
        let (name, gate) = begun.recv()?;
        report.send(name)?;
        gate.send(())?;
    }
    for job in jobs {
        job.join()?;
    }
    report.send(format!("{:?}", pool.stats()?))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
