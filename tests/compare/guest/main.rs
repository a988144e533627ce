//! The guest side of the comparison bench: an ordinary program written with the SDK. Each export is one measurement and
//! answers with what it measured.

mod company;
mod fair;
mod growth;
mod idle;
mod kill;
mod messages;
mod spawn;

fn main() {}
