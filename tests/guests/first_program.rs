//! The first program of the README, word for word.

use insula_guest::{Isolate, ReceivePort, SendPort};

fn worker((numbers, reply): (Vec<u64>, SendPort<u64>)) -> Result<(), insula_guest::SendError> {
    reply.send(numbers.iter().sum())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sums = ReceivePort::new();
    Isolate::spawn(worker, (vec![1, 2, 3], sums.send_port()))?;
    Isolate::spawn(worker, (vec![4, 5, 6], sums.send_port()))?;
    for sum in sums.take(2) {
        println!("{sum}");
    }
    Ok(())
}
