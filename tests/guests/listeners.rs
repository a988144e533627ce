//! Exit listeners are keyed by port: the last response wins, one removal is enough, the late hear at once.

use std::error::Error;

use insula_guest::{Isolate, Priority, ReceivePort, RemoteError, SendPort};

fn waits(_: ()) {
    insula_guest::sleep(std::time::Duration::from_secs(3600));
}

fn fails(_: ()) -> Result<(), &'static str> {
    Err("as told")
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (kept, removed) = (ReceivePort::<String>::new(), ReceivePort::<String>::new());
    let isolate = Isolate::spawn(waits, ())?;
    isolate.add_exit_listener(&kept.send_port(), "first response".to_owned())?;
    isolate.add_exit_listener(&removed.send_port(), "never".to_owned())?;
    isolate.add_exit_listener(&kept.send_port(), "last response".to_owned())?;
    isolate.remove_exit_listener(&removed.send_port());
    isolate.kill(Priority::Immediate);
    report.send(kept.recv()?)?;
    isolate.add_exit_listener(&kept.send_port(), "late".to_owned())?;
    report.send(kept.recv()?)?;
    report.send(format!("more: {} {}", kept.try_recv().is_ok(), removed.try_recv().is_ok()))?;

    let (one, other) = (ReceivePort::<RemoteError>::new(), ReceivePort::<RemoteError>::new());
    let closed = ReceivePort::<RemoteError>::new();
    let isolate = Isolate::build().paused().on_error(&one.send_port()).spawn(fails, ())?;
    isolate.add_error_listener(&one.send_port())?;
    isolate.add_error_listener(&other.send_port())?;
    isolate.add_error_listener(&closed.send_port())?;
    closed.close();
    isolate.add_exit_listener(&kept.send_port(), "ended".to_owned())?;
    isolate.resume_birth();
    report.send(kept.recv()?)?;
    report.send(format!("{}, {}", one.recv()?.message, other.recv()?.message))?;
    report.send(format!("twice: {}", one.try_recv().is_ok()))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
