//! The sum of 1 to N, a part of it in each of several isolates.
//!
//! `parallel [N [ISOLATES]]`: N is 1000 unless given, and so is 4. wasm has no way to ask how many cores there are.

use std::env;
use std::error::Error;

use insula_guest::Isolate;

/// The sum of the numbers from `first` to `last`, one after another.
fn partial_sum((first, last): (u64, u64)) -> u64 {
    (first..=last).fold(0, |sum, n| sum + std::hint::black_box(n))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1).map(|argument| argument.parse::<u64>());
    let n = arguments.next().unwrap_or(Ok(1000))?;
    let isolates = arguments.next().unwrap_or(Ok(4))?.max(1);

    let mut parts = Vec::new();
    for part in 0..isolates {
        let (first, last) = (n * part / isolates + 1, n * (part + 1) / isolates);
        parts.push(Isolate::compute(partial_sum, (first, last))?);
    }
    let mut sum = 0;
    for part in parts {
        sum += part.join()?;
    }
    println!("Sum 1..{n} = {sum}");
    Ok(())
}
