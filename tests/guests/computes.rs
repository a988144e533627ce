//! Computations for an embedder: values, errors with their type, and ends without a value.

fn halved(number: u64) -> Result<u64, String> {
    if number.is_multiple_of(2) { Ok(number / 2) } else { Err(format!("{number} is odd")) }
}

fn panics(text: String) -> u64 {
    panic!("{text}");
}

fn loops(_: ()) -> u64 {
    loop {
        std::hint::spin_loop();
    }
}

fn leaves(_: ()) -> u64 {
    insula_guest::Isolate::exit_silently()
}

insula_guest::export_computation!(halved as "halved");
insula_guest::export_computation!(panics as "panics");
insula_guest::export_computation!(loops as "loops");
insula_guest::export_computation!(leaves as "leaves");

fn main() {}
