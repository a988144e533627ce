//! Many that live at once.

use insula_guest::{Isolate, ReceivePort, SendPort, export, export_computation};

use crate::waiting::{self, waits};

/// Says that so many wait for messages, and waits as they do.
fn idle((count, ready): (u32, SendPort<SendPort<()>>)) {
    let _idle = waiting::idle(count);
    waits(ready);
}
export!(idle as "idle");

/// What one of the living is asked.
type Question = (u32, SendPort<u32>);

fn answers(hello: SendPort<SendPort<Question>>) {
    let port = ReceivePort::<Question>::new();
    hello.send(port.send_port()).ok();
    drop(hello);
    while let Ok((number, answer)) = port.recv() {
        answer.send(number).ok();
    }
}

/// How many lived at once and answered a message then, the one that asks included.
fn alive(count: u32) -> u32 {
    let (hello, answered) = (ReceivePort::new(), ReceivePort::<u32>::new());
    let options = Isolate::build().scoped();
    let born = (1..count).take_while(|_| options.clone().spawn(answers, hello.send_port()).is_ok()).count();
    let living: Vec<SendPort<Question>> = (&hello).into_iter().take(born).collect();
    for (number, port) in (0..).zip(&living) {
        port.send((number, answered.send_port())).expect("it is there");
    }
    let sum: u64 = (&answered).into_iter().take(born).map(u64::from).sum();
    let all = born as u64;
    assert_eq!(sum, all * all.saturating_sub(1) / 2, "each answers once");
    u32::try_from(all).expect("it was counted up to a u32") + 1
}
export_computation!(alive as "alive");
