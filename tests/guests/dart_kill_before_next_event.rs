//! More is queued when the kill comes: what was begun is finished, nothing after it is.

use std::error::Error;

use insula_guest::{Isolate, Priority, ReceivePort, SendPort};

type Ports = (SendPort<u32>, SendPort<()>);

fn echo((to_main, echoes): (SendPort<Ports>, SendPort<u32>)) -> Result<(), Box<dyn Error>> {
    let (numbers, gate) = (ReceivePort::new(), ReceivePort::<()>::new());
    to_main.send((numbers.send_port(), gate.send_port()))?;
    for number in numbers {
        if number == 2 {
            echoes.send(20)?;
            while gate.try_recv().is_err() {
                std::hint::spin_loop();
            }
        }
        echoes.send(number)?;
    }
    Ok(())
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (ports, echoes) = (ReceivePort::new(), ReceivePort::new());
    let isolate =
        Isolate::build().on_exit(&echoes.send_port(), 1000).spawn(echo, (ports.send_port(), echoes.send_port()))?;
    let (numbers, gate) = ports.recv()?;
    for number in 1..=4 {
        numbers.send(number)?;
    }
    let mut heard = vec![echoes.recv()?, echoes.recv()?];
    isolate.kill(Priority::BeforeNextEvent);
    gate.send(())?;
    heard.extend(&echoes);
    report.send(format!("{heard:?}"))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
