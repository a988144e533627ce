//! A request without its capability, or with one of another isolate, is ignored; with the right one it is not.

use std::error::Error;

use insula_guest::{Capability, Isolate, Priority, ReceivePort, SendPort};

fn echo((to_main, echoes): (SendPort<SendPort<u32>>, SendPort<u32>)) {
    let numbers = ReceivePort::new();
    to_main.send(numbers.send_port()).ok();
    for number in numbers {
        echoes.send(number).ok();
    }
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (ports, echoes) = (ReceivePort::new(), ReceivePort::new());
    let isolate = Isolate::spawn(echo, (ports.send_port(), echoes.send_port()))?;
    let numbers: SendPort<u32> = ports.recv()?;
    let stranger = Isolate::current();
    let foreign = stranger.terminate_capability().cloned().ok_or("own authority")?;
    let made_up = [
        isolate.clone().without_terminate(),
        isolate.clone().with_terminate(foreign),
        isolate.clone().with_terminate(Capability::new()),
    ];
    for powerless in &made_up {
        powerless.kill(Priority::Immediate);
        powerless.kill(Priority::BeforeNextEvent);
        powerless.kill_tree();
        powerless.set_errors_fatal(false);
    }
    let unpaused = isolate.clone().without_pause().pause();
    let misplaced = isolate.clone().with_pause(Capability::new()).pause();
    numbers.send(7)?;
    report.send(format!("alive and not paused: {}", echoes.recv()?))?;
    isolate.resume(&unpaused);
    isolate.resume(&misplaced);
    report.send(format!(
        "the name needs nothing: {}",
        isolate.clone().without_pause().without_terminate().debug_name()
    ))?;
    isolate.add_exit_listener(&echoes.send_port(), 1000)?;
    isolate.kill(Priority::Immediate);
    report.send(format!("killed: {}", echoes.recv()?))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
