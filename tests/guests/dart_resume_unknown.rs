//! A capability that pauses nothing, passed to resume, has no effect on the running, the paused, and the paused at birth.

use std::error::Error;

use insula_guest::{Capability, Isolate, Priority, ReceivePort, SendPort};

fn echo((to_main, echoes): (SendPort<SendPort<u32>>, SendPort<u32>)) {
    let numbers = ReceivePort::<u32>::new();
    to_main.send(numbers.send_port()).ok();
    numbers.listen(move |number| echoes.send(number));
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (ports, echoes) = (ReceivePort::new(), ReceivePort::new());
    let isolate = Isolate::build().paused().spawn(echo, (ports.send_port(), echoes.send_port()))?;
    isolate.resume(&Capability::new());
    isolate.ping(&echoes.send_port(), 100, Priority::BeforeNextEvent)?;
    report.send(format!("paused at birth: {} {}", echoes.recv()?, ports.try_recv().is_err()))?;
    isolate.resume_birth();
    let numbers: SendPort<u32> = ports.recv()?;

    isolate.resume(&Capability::new());
    numbers.send(1)?;
    report.send(format!("running: {}", echoes.recv()?))?;

    // Twice the same is one pause; two others need a resume each, in any order.
    let (first, second) = (isolate.pause(), Capability::new());
    isolate.pause_with(&second);
    isolate.pause_with(&second);
    isolate.resume(&Capability::new());
    isolate.resume(&first);
    isolate.resume(&first);
    numbers.send(2)?;
    isolate.ping(&echoes.send_port(), 200, Priority::BeforeNextEvent)?;
    report.send(format!("paused: {} {}", echoes.recv()?, echoes.try_recv().is_err()))?;
    isolate.resume(&second);
    report.send(format!("resumed: {}", echoes.recv()?))?;
    isolate.kill(Priority::Immediate);
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
