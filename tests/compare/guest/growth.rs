//! What things cost beside few and beside many.

use std::time::Instant;

use insula_guest::{Isolate, Priority, ReceivePort, SendPort, export_computation};

use crate::messages::ping_pong;
use crate::spawn::serial;
use crate::waiting::{self, waits};

/// Nanoseconds of a spawn to exit seen, a round trip, and a kill to notice there, beside so many that wait.
fn growth((idle, count): (u32, u32)) -> [f64; 3] {
    let _idle = waiting::idle(idle);
    [serial(count), ping_pong(20 * count), kill(count)]
}
export_computation!(growth as "growth");

/// The median of so many kills of one that waits.
fn kill(count: u32) -> f64 {
    let (hello, exits) = (ReceivePort::<SendPort<()>>::new(), ReceivePort::<()>::new());
    let options = Isolate::build().on_exit(&exits.send_port(), ());
    let kill = |_| {
        let victim = options.clone().spawn(waits, hello.send_port()).expect("there is room");
        let _alive = hello.recv().expect("it says hello");
        let began = Instant::now();
        victim.kill(Priority::Immediate);
        exits.recv().expect("it tells its exit");
        began.elapsed().as_nanos()
    };
    let mut times: Vec<_> = (0..count).map(kill).collect();
    times.sort_unstable();
    times[times.len() / 2] as f64
}
