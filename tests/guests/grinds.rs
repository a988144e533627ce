//! Two isolates that compute for a second of their time, each in a function of its own, and one that waits for them.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use insula_guest::{Isolate, ReceivePort};

/// Long enough for samples of it, however busy the machine is.
const TIME: Duration = Duration::from_secs(1);

/// Steps between two looks at the clock.
const STEPS: u64 = 1 << 18;

#[inline(never)]
fn grinds_left(mut number: u64) -> u64 {
    for step in 0..STEPS {
        number = black_box(number.rotate_left(7) ^ step);
    }
    number
}

#[inline(never)]
fn grinds_right(mut number: u64) -> u64 {
    for step in 0..STEPS {
        number = black_box(number.rotate_right(9) ^ step);
    }
    number
}

fn until_it_is_time(grind: fn(u64) -> u64) {
    let begun = Instant::now();
    let mut number = 1;
    while begun.elapsed() < TIME {
        number = grind(number);
    }
    black_box(number);
}

fn left(_: ()) {
    until_it_is_time(grinds_left);
}

fn right(_: ()) {
    until_it_is_time(grinds_right);
}

fn main() -> Result<(), Box<dyn Error>> {
    let ended = ReceivePort::new();
    Isolate::build().debug_name("left").on_exit(&ended.send_port(), ()).spawn(left, ())?;
    Isolate::build().debug_name("right").on_exit(&ended.send_port(), ()).spawn(right, ())?;
    ended.recv()?;
    ended.recv()?;
    println!("ground");
    Ok(())
}
