//! Isolates that spawn isolates: a chain whose links wait for the next one, a binary tree, and Fibonacci's numbers.

use std::error::Error;

use insula_guest::{Isolate, ReceivePort, SendPort};

fn link((left, done): (u32, SendPort<u32>)) -> Result<(), Box<dyn Error>> {
    if left == 0 {
        return Ok(done.send(1)?);
    }
    let next = ReceivePort::new();
    Isolate::spawn(link, (left - 1, next.send_port()))?;
    Ok(done.send(next.first()? + 1)?)
}

fn node((depth, leaves): (u32, SendPort<u32>)) -> Result<(), Box<dyn Error>> {
    if depth == 0 {
        return Ok(leaves.send(1)?);
    }
    for _ in 0..2 {
        Isolate::spawn(node, (depth - 1, leaves.clone()))?;
    }
    Ok(())
}

fn fibonacci(n: u32) -> u64 {
    if n < 2 {
        return n.into();
    }
    let parts = [n - 1, n - 2].map(|n| Isolate::compute(fibonacci, n));
    parts.into_iter().map(|part| part.ok().and_then(|part| part.join().ok()).unwrap_or_default()).sum()
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let done = ReceivePort::new();
    Isolate::spawn(link, (40, done.send_port()))?;
    report.send(format!("a chain of {}", done.first()?))?;
    let leaves = ReceivePort::new();
    Isolate::spawn(node, (5, leaves.send_port()))?;
    report.send(format!("{} leaves", leaves.sum::<u32>()))?;
    report.send(format!("fibonacci of 7: {}", fibonacci(7)))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
