//! A child that panics, what its parent is told, and where that was in the sources.
//!
//! It is a program of its own, since what the last takes grows with the program.

use std::hint::black_box;
use std::time::Instant;

use insula_guest::{Isolate, ReceivePort, RemoteError, export_computation, resolve};

/// Panics below some calls, so that there are frames to name.
#[inline(never)]
fn sinks(calls: u32) -> u32 {
    assert!(calls > 0, "it sank to the ground");
    black_box(sinks(black_box(calls - 1)))
}

fn falls(calls: u32) {
    black_box(sinks(calls));
}

/// The child's error, and nanoseconds from its spawn until the error was here.
fn failure(errors: &ReceivePort<RemoteError>) -> (RemoteError, f64) {
    let options = Isolate::build().on_error(&errors.send_port());
    let began = Instant::now();
    options.spawn(falls, 3).expect("there is room");
    let error = errors.recv().expect("the child fails");
    let nanos = began.elapsed().as_nanos() as f64;
    assert!(error.message.contains("it sank to the ground"), "{}", error.message);
    assert!(error.stack.lines().filter(|frame| frame.contains("sinks")).count() >= 3, "{}", error.stack);
    (error, nanos)
}

/// Nanoseconds from spawn until the parent has the error, for each of so many.
fn told(count: u32) -> Vec<f64> {
    let errors = ReceivePort::new();
    (0..count).map(|_| failure(&errors).1).collect()
}
export_computation!(told as "trap");

/// Nanoseconds to find files and lines of so many errors, one after another.
fn resolved(count: u32) -> Vec<f64> {
    let errors = ReceivePort::new();
    let found = (0..count).map(|_| failure(&errors).0);
    let nanos = |error: RemoteError| {
        let began = Instant::now();
        let lines = resolve(&error).stack;
        let nanos = began.elapsed().as_nanos() as f64;
        assert!(lines.lines().any(|frame| frame.contains("sinks") && frame.contains("trap.rs:")), "{lines}");
        nanos
    };
    found.collect::<Vec<_>>().into_iter().map(nanos).collect()
}
export_computation!(resolved as "trap-resolved");

fn main() {}
