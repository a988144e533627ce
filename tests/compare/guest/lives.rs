//! Births, deaths, and many that live at once: a program of its own, since what an isolate takes grows with its program.

mod idle;
mod spawn;
mod waiting;

fn main() {}
