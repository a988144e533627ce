//! pool
use insula::*;
use std::time::Instant;
fn main() {
    for n in [100u32, 1000, 5000, 10000] {
        let t = Instant::now();
        let host = Host::builder().isolates(n).threads(2).build().unwrap();
        let a = t.elapsed();
        let m = host.load("z", b"(module (memory (export \"memory\") 1) (func (export \"_start\")))").unwrap();
        let t = Instant::now();
        let i = host.spawn(&m, Spawn::main()).unwrap();
        i.join();
        let b = t.elapsed();
        let t = Instant::now();
        drop(i);
        drop(m);
        drop(host);
        println!("{n}: build {a:?} first {b:?} drop {:?}", t.elapsed());
    }
}
