//! Paused after the handshake: 24 messages are sent, nothing comes back; resumed, all 24 do.

use std::error::Error;
use std::time::Duration;

use insula_guest::{Isolate, ReceivePort, RecvTimeoutError, SendPort};

fn echo((to_main, echoes): (SendPort<SendPort<u32>>, SendPort<u32>)) {
    let numbers = ReceivePort::<u32>::new();
    to_main.send(numbers.send_port()).ok();
    numbers.listen(move |number| echoes.send(number));
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (ports, echoes) = (ReceivePort::new(), ReceivePort::new());
    let isolate = Isolate::spawn(echo, (ports.send_port(), echoes.send_port()))?;
    let numbers: SendPort<u32> = ports.recv()?;
    let pause = isolate.pause();
    for number in 0..24 {
        numbers.send(number)?;
    }
    let silence = echoes.recv_timeout(Duration::from_millis(20)) == Err(RecvTimeoutError::TimedOut);
    report.send(format!("silence: {silence}"))?;
    isolate.resume(&pause);
    drop(numbers); // so that it ends, and with it the echoes
    let echoed: Vec<u32> = echoes.collect();
    report.send(format!("{} echoed, in order: {}", echoed.len(), echoed.is_sorted()))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
