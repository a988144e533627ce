//! `Isolate::run` gives back a value, or the failure as a `RemoteError`: of a panic, of an end without a value.

use std::error::Error;
use std::time::Duration;

use insula_guest::{Isolate, Priority, RunError, SendPort};

fn half(number: u32) -> Result<u32, String> {
    if number.is_multiple_of(2) { Ok(number / 2) } else { Err(format!("{number} is odd")) }
}

fn panics(text: String) -> u32 {
    panic!("{text}");
}

fn leaves(_: ()) -> u32 {
    Isolate::current().kill(Priority::Immediate);
    0
}

fn loops(_: ()) -> u32 {
    loop {
        std::hint::spin_loop();
    }
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    for number in [8, 7] {
        report.send(format!("{:?}", Isolate::run(half, number)?))?;
    }
    match Isolate::run(panics, "went wrong".to_owned()) {
        Err(RunError::Remote(error)) => report.send(format!("panicked: {}", error.message.contains("went wrong")))?,
        other => report.send(format!("{other:?}"))?,
    }
    let gone = matches!(Isolate::run(leaves, ()), Err(RunError::Remote(_)));
    report.send(format!("ended without a value: {gone}"))?;
    let late = Isolate::compute(loops, ())?.join_timeout(Duration::from_millis(1));
    report.send(format!("timed out: {}", matches!(late, Err(RunError::TimedOut))))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
