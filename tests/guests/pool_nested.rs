//! A job may wait for others of its own pool, also in a pool of one, by `join` and by `await`.

use std::error::Error;

use insula_guest::{Pool, PoolHandle, ReceivePort, SendPort, run as run_future};

type Range = (PoolHandle, u64, u64);

fn joins((pool, from, to): Range) -> u64 {
    if to - from < 8 {
        return (from..to).sum();
    }
    let middle = from.midpoint(to);
    let left = pool.submit(joins, (pool.clone(), from, middle)).expect("there is room");
    let right = pool.submit(joins, (pool.clone(), middle, to)).expect("there is room");
    left.join().expect("it gives a value") + right.join().expect("it gives a value")
}

fn awaits((pool, from, to): Range) -> u64 {
    if to - from < 8 {
        return (from..to).sum();
    }
    let middle = from.midpoint(to);
    let left = pool.submit(awaits, (pool.clone(), from, middle)).expect("there is room");
    let right = pool.submit(awaits, (pool.clone(), middle, to)).expect("there is room");
    run_future(async { left.await.expect("it gives a value") + right.await.expect("it gives a value") })
}

/// Waits for the other pool, whose job waits for this one.
fn crosses((this, other, times): (PoolHandle, PoolHandle, u32)) -> u32 {
    if times == 0 {
        return 0;
    }
    let job = other.submit(crosses, (other.clone(), this, times - 1)).expect("there is room");
    job.join().expect("it gives a value") + 1
}

/// Goes down until there is no room for one more isolate.
fn deep(pool: PoolHandle) -> Result<(), String> {
    let deeper = pool.submit(deep, pool.clone()).map_err(|error| error.to_string())?;
    deeper.join().map_err(|error| error.to_string())?
}

/// Waits for a job that a cancelled one waited for, which is cancelled too.
fn waits_for_looping((pool, begun): (PoolHandle, SendPort<()>)) -> u64 {
    let looping = |begun: SendPort<()>| -> u64 {
        begun.send(()).ok();
        loop {
            std::hint::spin_loop();
        }
    };
    pool.submit(looping, begun).expect("there is room").join().unwrap_or_default()
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    for size in [1, 3] {
        let pool = Pool::new(size)?;
        let expected = (0..100).sum();
        let joined = pool.submit(joins, (pool.handle(), 0, 100))?.join()? == expected;
        let awaited = pool.submit(awaits, (pool.handle(), 0, 100))?.join()? == expected;
        report.send(format!("size {size}: joined {joined}, awaited {awaited}"))?;
    }
    let (pool, other) = (Pool::new(1)?, Pool::new(1)?);
    let crossed = pool.submit(crosses, (pool.handle(), other.handle(), 5))?.join()?;
    report.send(format!("to and fro between two of size 1: {crossed}"))?;
    drop(other);

    let error = pool.submit(deep, pool.handle())?.join()?.err().unwrap_or_default();
    let refused = error.starts_with("no worker could be born");
    report.send(format!("as deep as there is room for isolates, then an error: {refused}"))?;

    let begun = ReceivePort::new();
    let outer = pool.submit(waits_for_looping, (pool.handle(), begun.send_port()))?;
    begun.recv()?;
    outer.cancel();
    report.send(format!("after a cancel of both: {:?}", pool.submit(|number: u32| number, 1)?.join()))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
