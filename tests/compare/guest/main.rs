//! The guest side of the comparison bench: an ordinary program written with the SDK. Each export is one measurement and
//! answers with what it measured.

mod company;
mod cpu;
mod fair;
mod flood;
mod growth;
mod kill;
mod messages;
mod ring;
mod spawn;
mod sum;
mod waiting;

fn main() {}
