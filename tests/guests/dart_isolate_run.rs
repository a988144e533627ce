//! `Isolate::run`: values, errors with their fields, panics, ends without a result; and globals stay one's own.

use std::error::Error;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use insula_guest::{Isolate, Priority, RunError, SendPort};
use serde::{Deserialize, Serialize};

static GLOBAL: AtomicU32 = AtomicU32::new(1);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Refusal {
    TooLarge { asked: u64, allowed: u64 },
}

fn refuses(asked: u64) -> Result<u64, Refusal> {
    Err(Refusal::TooLarge { asked, allowed: 10 })
}

fn counts(by: u32) -> u32 {
    GLOBAL.fetch_add(by, Relaxed) + by
}

fn panics(text: String) -> u32 {
    panic!("{text}");
}

fn kills_itself(_: ()) -> u32 {
    Isolate::current().kill(Priority::Immediate);
    0
}

fn exits_without_a_message(_: ()) -> u32 {
    Isolate::exit_silently()
}

fn remote<V: std::fmt::Debug>(result: Result<V, RunError>) -> String {
    match result {
        Err(RunError::Remote(error)) => error.message,
        other => format!("{other:?}"),
    }
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    report.send(format!("{:?}", Isolate::run(|text: String| text.len(), "four".to_owned())?))?;
    report.send(format!("{:?}", Isolate::run(refuses, 11)?))?;
    GLOBAL.store(100, Relaxed);
    let theirs = [Isolate::run(counts, 1)?, Isolate::run(counts, 1)?];
    report.send(format!("theirs {theirs:?}, here {}", GLOBAL.load(Relaxed)))?;
    let text = remote(Isolate::run(panics, "as it was said".to_owned()));
    report.send(format!("panic: {}", text.starts_with("as it was said, at ")))?;
    report.send(remote(Isolate::run(kills_itself, ())))?;
    report.send(remote(Isolate::run(exits_without_a_message, ())))?;
    let computation = Isolate::compute(
        |_: ()| -> u32 {
            loop {
                std::hint::spin_loop()
            }
        },
        (),
    )?;
    computation.isolate().kill(Priority::Immediate);
    report.send(remote(computation.join()))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
