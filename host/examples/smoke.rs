//! smoke
use insula::*;
fn main() {
    let mut args = std::env::args().skip(1);
    let file = args.next().unwrap();
    let mut b = Host::builder().isolates(200).threads(2);
    if let Ok(seed) = std::env::var("SEED") {
        b = Host::builder().isolates(200).seed(seed.parse().unwrap());
    }
    let host = b.build().unwrap();
    let m = host.load_file(&file).unwrap();
    let ended =
        host.run(&m, Spawn::main().args(std::iter::once("x".to_string()).chain(args)).grant(Grant::fine_clock()));
    eprintln!("{ended:?}");
}
