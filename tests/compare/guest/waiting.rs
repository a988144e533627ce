//! Isolates that wait for messages.

use insula_guest::{Isolate, ReceivePort, SendPort};

/// Says hello and waits for ever.
pub(crate) fn waits(hello: SendPort<SendPort<()>>) {
    let port = ReceivePort::<()>::new();
    hello.send(port.send_port()).ok();
    port.recv().ok();
}

/// So many that wait for a message. All have said so; they end with whoever asked for them.
pub(crate) fn idle(count: u32) -> Vec<SendPort<()>> {
    let hello = ReceivePort::new();
    let options = Isolate::build().scoped();
    for _ in 0..count {
        options.clone().spawn(waits, hello.send_port()).expect("there is room");
    }
    (&hello).into_iter().take(count as usize).collect()
}
