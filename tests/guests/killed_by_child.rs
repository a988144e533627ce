//! A main that is killed by its child, which computes for a while and then for ever.

use std::time::{Duration, Instant};

use insula_guest::{Isolate, Priority};

/// Long enough that nobody looks any more whether there is something else to do.
const WHILE: Duration = Duration::from_millis(30);

/// None of it passes to its end.
const LONG: Duration = Duration::from_secs(3_600);

fn child(main: Isolate) {
    let begun = Instant::now();
    while begun.elapsed() < WHILE {}
    main.kill(Priority::Immediate);
    loop {
        std::hint::spin_loop();
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    Isolate::spawn(child, Isolate::current())?;
    std::thread::sleep(LONG);
    Ok(())
}
