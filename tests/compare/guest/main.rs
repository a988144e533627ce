//! The guest side of the comparison bench: an ordinary program written with the SDK. Each export is one measurement and
//! answers with what it measured.

mod cpu;
mod flood;
mod messages;
mod ring;
mod spawn;
mod sum;

fn main() {}
