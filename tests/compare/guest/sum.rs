//! A sum of many integers, whose parts are sent to other isolates as bytes.

use std::time::Instant;

use insula_guest::{Isolate, MessageBuffer, ReceivePort, SendPort, export_computation};
use serde_bytes::Bytes;

/// Integers on their way, little-endian: borrowed from where they lie, at both ends.
type Part = &'static Bytes;

fn adds((hello, sums): (SendPort<SendPort<Part>>, SendPort<u64>)) {
    let port = ReceivePort::<Part>::new();
    hello.send(port.send_port()).ok();
    drop(hello);
    let mut buffer = MessageBuffer::new();
    while let Ok(part) = port.recv_in::<&Bytes>(&mut buffer) {
        sums.send(sum(part)).ok();
    }
}

/// Eight at a time, since the compiler unrolls no loop for wasm.
fn sum(bytes: &[u8]) -> u64 {
    let number = |bytes: &[u8]| bytes.try_into().map_or(0, |bytes| u64::from(u32::from_le_bytes(bytes)));
    let eights = bytes.chunks_exact(32);
    let rest: u64 = eights.remainder().chunks_exact(4).map(number).sum();
    let of_eight = |eight: &[u8]| (0..8).map(|at| number(&eight[4 * at..4 * at + 4])).sum::<u64>();
    rest + eights.map(of_eight).sum::<u64>()
}

/// Nanoseconds for each of so many sums of `count` integers in so many parts.
fn parallel((sums, count, parts): (u32, u32, u32)) -> f64 {
    // It goes with the isolate, which has nothing else to do.
    let integers: &'static [u8] = (0..count).flat_map(u32::to_le_bytes).collect::<Vec<_>>().leak();
    let expected = u64::from(count) * u64::from(count - 1) / 2;
    let (hello, answers) = (ReceivePort::new(), ReceivePort::new());
    let workers: Vec<SendPort<Part>> = (0..parts)
        .map(|_| {
            Isolate::spawn(adds, (hello.send_port(), answers.send_port())).expect("there is room");
            hello.recv().expect("the worker is there")
        })
        .collect();
    let length = 4 * count.div_ceil(parts) as usize;
    let once = || {
        for (worker, part) in workers.iter().zip(integers.chunks(length)) {
            worker.send(Bytes::new(part)).expect("the worker is there");
        }
        let total: u64 = (0..parts).map(|_| answers.recv().expect("each answers")).sum();
        assert_eq!(total, expected);
    };
    once(); // grows everybody's memory
    let began = Instant::now();
    (0..sums).for_each(|_| once());
    began.elapsed().as_nanos() as f64 / f64::from(sums)
}
export_computation!(parallel as "sum");
