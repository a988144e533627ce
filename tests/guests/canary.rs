//! Hands out one SendPort, and passes on whatever comes to it.

use insula_guest::{ReceivePort, SendPort};

fn run((to_host, heard): (SendPort<SendPort<u32>>, SendPort<u32>)) {
    let port = ReceivePort::new();
    to_host.send(port.send_port()).ok();
    for number in port {
        heard.send(number).ok();
    }
}

insula_guest::export!(run as "run");

fn main() {}
