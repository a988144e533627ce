//! Work that waits for nothing, in several isolates.

use std::time::Instant;

use insula_guest::{Isolate, export_computation};

/// A walk of numbers that cannot be foreseen, of so many million steps.
fn walk(millions: u32) -> u64 {
    (0..u64::from(millions) * 1_000_000)
        .fold(1, |number: u64, step| (number ^ step).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// Nanoseconds until so many isolates, spawned together, have all walked.
fn together((isolates, millions): (u32, u32)) -> f64 {
    let began = Instant::now();
    let walks: Vec<_> = (0..isolates).map(|_| Isolate::compute(walk, millions).expect("there is room")).collect();
    for walk in walks {
        assert_ne!(walk.join().expect("it gets there"), 0);
    }
    began.elapsed().as_nanos() as f64
}
export_computation!(together as "cpu");
