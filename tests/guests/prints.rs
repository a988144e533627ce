//! Prints what its arguments say, one after another.

use std::io::{Read as _, Write as _};

use insula_guest::{Isolate, ReceivePort};

fn child(_: ()) {
    println!("of the child");
    eprintln!("error of the child");
}

/// Lets a child print, and waits for its end.
fn spawn_child() {
    let gone = ReceivePort::<()>::new();
    let born = Isolate::build().debug_name("child").on_exit(&gone.send_port(), ()).spawn(child, ());
    born.map(drop).expect("a child can be spawned");
    gone.recv().expect("it ends");
}

fn out(text: &[u8]) {
    let mut stdout = std::io::stdout();
    stdout.write_all(text).and_then(|()| stdout.flush()).expect("somebody reads");
}

fn main() {
    for what in std::env::args().skip(1) {
        match what.split_once(':').unwrap_or((what.as_str(), "")) {
            ("out", text) => out(text.as_bytes()),
            ("line", text) => out(format!("{text}\n").as_bytes()),
            ("error", text) => eprintln!("{text}"),
            ("bytes", _) => out(&[0, 0xff, b'\r', b'\n', 0x80]),
            ("kilobytes", count) => {
                (0..count.parse().expect("a number")).for_each(|_| out(&[b'x'; 1024]));
            }
            ("for ever", _) => loop {
                out(&[b'x'; 4096]);
            },
            ("echo", _) => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text).expect("it is text");
                out(text.as_bytes());
            }
            ("child", _) => spawn_child(),
            ("panic", text) => panic!("{text}"),
            (other, _) => panic!("no such thing to do: {other}"),
        }
    }
}
