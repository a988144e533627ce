//! What each part of a handle can do, with the others left out; and what one's own handle can do.

use std::error::Error;

use insula_guest::{Isolate, Priority, ReceivePort, RemoteError, SendPort};

fn echo((to_main, echoes): (SendPort<SendPort<u32>>, SendPort<u32>)) {
    let numbers = ReceivePort::<u32>::new();
    to_main.send(numbers.send_port()).ok();
    numbers.listen(move |number| echoes.send(number));
}

fn parts(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (ports, echoes, errors) = (ReceivePort::new(), ReceivePort::new(), ReceivePort::<RemoteError>::new());
    let born = Isolate::build().debug_name("echo").paused();
    let isolate = born.spawn(echo, (ports.send_port(), echoes.send_port()))?;

    let control = isolate.clone().without_pause().without_terminate();
    control.ping(&echoes.send_port(), 1, Priority::Immediate)?;
    control.add_exit_listener(&echoes.send_port(), 2)?;
    control.add_error_listener(&errors.send_port())?;
    control.remove_error_listener(&errors.send_port());
    report.send(format!("control: {} {} {}", control.debug_name(), echoes.recv()?, errors.recv().is_err()))?;

    let pauses = isolate.clone().without_terminate();
    pauses.resume_birth();
    let numbers: SendPort<u32> = ports.recv()?;
    let pause = pauses.pause();
    numbers.send(3)?;
    pauses.ping(&echoes.send_port(), 4, Priority::BeforeNextEvent)?;
    let held = echoes.recv()?;
    control.resume(&pause); // resuming needs nothing but the pause itself
    pauses.kill(Priority::Immediate);
    report.send(format!("pause: {held} {}", echoes.recv()?))?;

    let terminates = isolate.without_pause();
    let _no_pause = terminates.pause();
    numbers.send(5)?;
    let passed = echoes.recv()?;
    terminates.kill(Priority::Immediate);
    report.send(format!("terminate: {passed} {}", echoes.recv()?))?;
    Ok(())
}

fn hands_itself_out(to_main: SendPort<Isolate>) {
    to_main.send(Isolate::current()).ok();
    insula_guest::sleep(std::time::Duration::from_secs(3600));
}

/// A handle that its own isolate sent has all authority, in the hands of whoever it was passed on to.
fn own(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (handles, told) = (ReceivePort::new(), ReceivePort::new());
    let parent_has = Isolate::spawn(hands_itself_out, handles.send_port())?;
    let own: Isolate = handles.recv()?;
    own.add_exit_listener(&told.send_port(), 7)?;
    let pause = own.pause();
    own.resume(&pause);
    own.kill(Priority::Immediate);
    report.send(format!("{} {}", own == parent_has, told.recv()?))?;
    Ok(())
}

insula_guest::export!(parts as "parts");
insula_guest::export!(own as "own");

fn main() {}
