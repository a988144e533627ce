//! Says what it was given: arguments, environment, files, standard input.

use std::io::Read as _;

fn main() {
    println!("arguments: {:?}", std::env::args().skip(1).collect::<Vec<_>>());
    println!("environment: {:?}", std::env::vars().collect::<Vec<_>>());
    println!("file: {:?}", std::fs::read_to_string("/data/file.txt").ok());
    println!("written: {}", std::fs::write("/data/new.txt", "new").is_ok());
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).ok();
    println!("input: {input:?}");
    eprintln!("to standard error");
}
