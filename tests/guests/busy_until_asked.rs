//! Says that it is busy, computes until it is asked to stop, says so, and returns. It never waits.

use std::hint::black_box;

/// Steps between two looks.
const STEPS: u64 = 1 << 20;

fn main() {
    println!("busy");
    let mut number = 1_u64;
    while !insula_guest::stop_requested() {
        for step in 0..STEPS {
            number = black_box(number.rotate_left(7) ^ step);
        }
    }
    black_box(number);
    println!("asked to stop: {}", insula_guest::stop_requested());
}
