//! Work that calls no host, to see what the checks cost that make code preemptible: `NAME COUNT` are the arguments.
//!
//! It is a WASI program without the SDK, so that bare wasmtime runs it too.

use std::hint::black_box;

use serde::{Deserialize, Serialize};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().expect("the work's name");
    let count = arguments.next().and_then(|count| count.parse().ok()).expect("how often");
    let work: fn(u32) = match name.as_str() {
        "sieve" => sieve,
        "fib" => fib,
        "matmul" => matmul,
        "postcard" => postcard,
        _ => panic!("no such work"),
    };
    work(count);
}

/// Tight loops over memory: the primes below a million.
fn sieve(count: u32) {
    const BELOW: usize = 1_000_000;
    let mut composite = vec![false; BELOW];
    for _ in 0..count {
        composite.fill(false);
        for number in 2..1_000 {
            if !composite[number] {
                (number * number..BELOW).step_by(number).for_each(|multiple| composite[multiple] = true);
            }
        }
        assert_eq!(black_box(&composite)[2..].iter().filter(|composite| !**composite).count(), 78_498);
    }
}

/// Calls, and nothing else.
fn fib(count: u32) {
    fn of(number: u32) -> u64 {
        if number < 2 { u64::from(number) } else { of(number - 1) + of(number - 2) }
    }
    (0..count).for_each(|_| assert_eq!(of(black_box(30)), 832_040));
}

/// Arithmetic in three loops, of 200 by 200 numbers.
fn matmul(count: u32) {
    const SIDE: usize = 200;
    let one: Vec<f64> = (0..SIDE * SIDE).map(|at| (at % 7) as f64).collect();
    let other: Vec<f64> = (0..SIDE * SIDE).map(|at| f64::from(u8::from(at % SIDE == at / SIDE))).collect();
    for _ in 0..count {
        let mut product = vec![0.0; SIDE * SIDE];
        for (row, out) in one.chunks_exact(SIDE).zip(product.chunks_exact_mut(SIDE)) {
            for (factor, line) in row.iter().zip(other.chunks_exact(SIDE)) {
                line.iter().zip(&mut *out).for_each(|(number, sum)| *sum += factor * number);
            }
        }
        assert_eq!(black_box(product), one);
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    name: String,
    numbers: Vec<u32>,
    parts: Vec<(u64, String)>,
}

/// Serde, with what it allocates: a record of a kilobyte, encoded and decoded.
fn postcard(count: u32) {
    let parts = (0..20).map(|number| (number * 1_000_003, format!("part {number}"))).collect();
    let record = Record { name: "a record".to_owned(), numbers: (0..200).map(|at| at * 77_777).collect(), parts };
    for _ in 0..count {
        let bytes = postcard::to_allocvec(black_box(&record)).expect("it can be encoded");
        let back: Record = postcard::from_bytes(black_box(&bytes)).expect("it was encoded");
        assert_eq!(back.numbers.len(), record.numbers.len());
        black_box(back);
    }
}
