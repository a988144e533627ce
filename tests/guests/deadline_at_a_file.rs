//! Children whose deadline finds them at standard input, at a file that nobody writes to, and asleep in WASI.

use std::error::Error;
use std::io::Read as _;
use std::time::Duration;

use insula_guest::{Isolate, Limits, ReceivePort, RemoteError};

fn reads_stdin(_: ()) {
    let mut text = String::new();
    println!("{:?}", std::io::stdin().read_to_string(&mut text));
}

fn opens_a_file(_: ()) {
    println!("{:?}", std::fs::read_to_string("/data/never").map(|text| text.len()));
}

fn sleeps(_: ()) {
    std::thread::sleep(Duration::from_secs(60));
}

fn main() -> Result<(), Box<dyn Error>> {
    let errors = ReceivePort::<RemoteError>::new();
    let soon = Isolate::build().limits(Limits::default().deadline(Duration::from_millis(100)));
    let soon = soon.on_error(&errors.send_port());
    soon.clone().spawn(reads_stdin, ())?;
    println!("{}", errors.recv()?);
    soon.clone().spawn(opens_a_file, ())?;
    println!("{}", errors.recv()?);
    soon.spawn(sleeps, ())?;
    println!("{}", errors.recv()?);
    std::process::exit(0)
}
