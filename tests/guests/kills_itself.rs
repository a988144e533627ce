//! Main kills itself.

use insula_guest::{Isolate, Priority};

fn main() {
    println!("goodbye");
    Isolate::current().kill(Priority::Immediate);
    loop {
        std::hint::spin_loop();
    }
}
