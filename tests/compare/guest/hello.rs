//! What the start of a program is measured with.

fn main() {
    println!("hello");
}
