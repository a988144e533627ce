//! Births and deaths.

use std::time::Instant;

use insula_guest::{Isolate, ReceivePort, SendPort, export_computation};

use crate::waiting::waits;

fn nothing((): ()) {}

/// Nanoseconds from spawn to exit seen, each of so many that are spawned at once.
fn batch(count: u32) -> f64 {
    let exits = ReceivePort::<()>::new();
    let options = Isolate::build().on_exit(&exits.send_port(), ());
    let began = Instant::now();
    for _ in 0..count {
        options.clone().spawn(nothing, ()).expect("there is room");
    }
    for _ in 0..count {
        exits.recv().expect("each tells its exit");
    }
    began.elapsed().as_nanos() as f64 / f64::from(count)
}
export_computation!(batch as "spawn-batch");

/// The same, one after another.
pub(crate) fn serial(count: u32) -> f64 {
    let exits = ReceivePort::<()>::new();
    let options = Isolate::build().on_exit(&exits.send_port(), ());
    let began = Instant::now();
    for _ in 0..count {
        options.clone().spawn(nothing, ()).expect("there is room");
        exits.recv().expect("each tells its exit");
    }
    began.elapsed().as_nanos() as f64 / f64::from(count)
}
export_computation!(serial as "spawn-serial");

/// Nanoseconds until each of so many lives, has run, and waits.
fn alive(count: u32) -> f64 {
    let hello = ReceivePort::<SendPort<()>>::new();
    let began = Instant::now();
    for _ in 0..count {
        Isolate::spawn(waits, hello.send_port()).expect("there is room");
    }
    let waiting: Vec<_> = (&hello).into_iter().take(count as usize).collect();
    let time = began.elapsed().as_nanos() as f64 / f64::from(count);
    drop(waiting);
    time
}
export_computation!(alive as "spawn-alive");
