//! Errors are made not fatal while the child is paused at birth: two turns that fail are two errors, and it works on.

use std::error::Error;
use std::ops::ControlFlow;

use insula_guest::{Isolate, ReceivePort, RemoteError, SendPort};

fn child((to_main, echoes): (SendPort<SendPort<u32>>, SendPort<u32>)) {
    let numbers = ReceivePort::<u32>::new();
    to_main.send(numbers.send_port()).ok();
    numbers.listen(move |number| match number {
        0 => Ok(ControlFlow::Break(())),
        1 | 3 => Err(format!("no {number} here")),
        _ => {
            echoes.send(number).ok();
            Ok(ControlFlow::Continue(()))
        }
    });
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (ports, echoes, gone) = (ReceivePort::new(), ReceivePort::new(), ReceivePort::new());
    let errors = ReceivePort::<RemoteError>::new();
    let isolate = Isolate::build().paused().spawn(child, (ports.send_port(), echoes.send_port()))?;
    isolate.set_errors_fatal(false);
    isolate.add_error_listener(&errors.send_port())?;
    isolate.add_exit_listener(&gone.send_port(), "it ended by itself".to_owned())?;
    isolate.resume_birth();
    let numbers: SendPort<u32> = ports.recv()?;
    for number in [1, 2, 3, 4] {
        numbers.send(number)?;
    }
    report.send(errors.recv()?.message)?;
    report.send(format!("it works: {}", echoes.recv()?))?;
    report.send(errors.recv()?.message)?;
    report.send(format!("it works: {}", echoes.recv()?))?;
    numbers.send(0)?;
    report.send(gone.recv()?)?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
