//! A pool gives each job's value, its error as it is, or its failure alone; by `join` and by `await`.

use std::error::Error;
use std::time::Duration;

use insula_guest::{Job, JobError, Pool, ReceivePort, SendPort, Timer, run as run_future, task};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Refusal {
    Odd { number: u32, next: u32 },
}

fn half(number: u32) -> Result<u32, Refusal> {
    if number.is_multiple_of(2) { Ok(number / 2) } else { Err(Refusal::Odd { number, next: number + 1 }) }
}

fn trap(depth: u64) -> u64 {
    if depth == 0 { 0 } else { std::hint::black_box(trap(depth - 1)) + trap(depth - 1) }
}

fn asynchronous(number: u32) -> u32 {
    run_future(async {
        task::sleep(Duration::from_millis(1)).await;
        number + 1
    })
}

/// What it leaves to the event loop gets its turns before the next job.
fn leaves((told, name): (SendPort<String>, String)) {
    told.send(format!("{name} begins")).ok();
    Timer::after(Duration::from_millis(1), move || told.send(format!("left by {name}")));
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let pool = Pool::new(3)?;
    let jobs = (0..100_u64).map(|number| pool.submit(|number| number * number, number));
    let jobs: Vec<Job<u64>> = jobs.collect::<Result<_, _>>()?;
    let squares: Vec<u64> = jobs.into_iter().map(Job::join).collect::<Result<_, _>>()?;
    report.send(format!("100 squares: {}", squares.into_iter().eq((0..100).map(|number| number * number))))?;
    report.send(format!("{:?}", pool.submit(half, 8)?.join()?))?;
    report.send(format!("{:?}", pool.submit(half, 7)?.join()?))?;

    let panicked = pool.submit(|number: u32| 1 / number, 0)?;
    let fine = pool.submit(half, 4)?;
    match panicked.join() {
        Err(JobError::Remote(error)) => report.send(format!("failed: {}", error.message.contains("divide by zero")))?,
        other => report.send(format!("{other:?}"))?,
    }
    report.send(format!("and nobody else: {:?}", fine.join()?))?;
    match pool.submit(trap, u64::MAX)?.join() {
        Err(JobError::Remote(error)) => report.send(format!("trapped: {}", error.message))?,
        other => report.send(format!("{other:?}"))?,
    }
    report.send(format!("{:?}", pool.stats()?))?;

    let awaited = run_future(async {
        let (first, second) = (pool.submit(asynchronous, 1)?, pool.submit(asynchronous, 10)?);
        let second = task::compute(second);
        Ok::<u32, Box<dyn Error>>(first.await? + second.await?)
    })?;
    report.send(format!("awaited: {awaited}"))?;

    let (one, told) = (Pool::new(1)?, ReceivePort::new());
    for name in ["the first", "the second"] {
        one.submit(leaves, (told.send_port(), name.to_owned()))?.join()?;
    }
    for line in told.take(4) {
        report.send(line)?;
    }
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
