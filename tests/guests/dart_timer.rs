//! A timer fires not before its time, never while its isolate is paused, and in the order of what is due.

use std::error::Error;
use std::time::{Duration, Instant};

use insula_guest::{Isolate, ReceivePort, RecvTimeoutError, SendPort, Timer};

fn patient(done: SendPort<bool>) {
    let begun = Instant::now();
    Timer::after(Duration::from_millis(100), move || {
        // The guest's clock has steps of 1 ms.
        done.send(begun.elapsed() >= Duration::from_millis(99))
    });
}

fn has_three((ready, fired): (SendPort<SendPort<()>>, SendPort<u32>)) {
    for (after, number) in [(3, 3), (1, 1), (2, 2)] {
        let fired = fired.clone();
        Timer::after(Duration::from_millis(after), move || fired.send(number));
    }
    let paused = ReceivePort::new();
    ready.send(paused.send_port()).ok();
    // Nothing fires in here, whatever is due; and when it is over, the pause is in force.
    while paused.try_recv().is_err() {
        std::hint::spin_loop();
    }
    fired.send(0).ok();
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let done = ReceivePort::new();
    Isolate::spawn(patient, done.send_port())?;
    report.send(format!("not earlier: {}", done.recv()?))?;

    let (ready, fired) = (ReceivePort::new(), ReceivePort::new());
    let isolate = Isolate::spawn(has_three, (ready.send_port(), fired.send_port()))?;
    let paused = ready.recv()?;
    let pause = isolate.pause();
    paused.send(())?;
    report.send(format!("the entry ends first: {}", fired.recv()?))?;
    let paused = fired.recv_timeout(Duration::from_millis(30)) == Err(RecvTimeoutError::TimedOut);
    report.send(format!("none while paused: {paused}"))?;
    isolate.resume(&pause);
    report.send(format!("{:?}", fired.collect::<Vec<u32>>()))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
