//! A request with no capability, or with a made-up one, does nothing: pause, resume, kill, errors that are not fatal.

use std::error::Error;

use insula_guest::{Capability, Isolate, Priority, ReceivePort, RemoteError, SendPort};

fn child((to_main, echoes): (SendPort<SendPort<u32>>, SendPort<u32>)) {
    let numbers = ReceivePort::<u32>::new();
    to_main.send(numbers.send_port()).ok();
    numbers.listen(move |number| match number {
        0 => Err("a fatal zero"),
        _ => {
            echoes.send(number).ok();
            Ok(())
        }
    });
}

fn powerless(isolate: &Isolate) -> [Isolate; 2] {
    [
        isolate.clone().without_pause().without_terminate(),
        isolate.clone().with_pause(Capability::new()).with_terminate(Capability::new()),
    ]
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (ports, echoes) = (ReceivePort::new(), ReceivePort::new());
    let errors = ReceivePort::<RemoteError>::new();
    let born = Isolate::build().paused().on_error(&errors.send_port()).on_exit(&echoes.send_port(), 1000);
    let isolate = born.spawn(child, (ports.send_port(), echoes.send_port()))?;
    for other in powerless(&isolate) {
        other.resume_birth();
        isolate.resume(&Capability::new());
    }
    isolate.ping(&echoes.send_port(), 500, Priority::BeforeNextEvent)?;
    report.send(format!("still paused: {} {}", echoes.recv()?, ports.try_recv().is_err()))?;
    isolate.resume_birth();
    let numbers: SendPort<u32> = ports.recv()?;
    for other in powerless(&isolate) {
        let _no_pause = other.pause();
        other.kill(Priority::Immediate);
        other.kill(Priority::BeforeNextEvent);
        other.kill_tree();
        other.set_errors_fatal(false);
        numbers.send(7)?;
        report.send(format!("neither paused nor dead: {}", echoes.recv()?))?;
    }
    numbers.send(0)?;
    report.send(format!("errors are fatal: {} {}", echoes.recv()?, errors.recv()?.message))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
