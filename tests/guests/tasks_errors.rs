//! The error of a task that nobody awaits is an uncaught error; misuse of `run` is a panic that says what is wrong.

use std::error::Error;
use std::future::pending;
use std::time::Duration;

use insula_guest::{Isolate, ReceivePort, RemoteError, SendPort, Timer, run as run_future, task};

fn not_fatal(numbers: SendPort<u32>) {
    task::spawn(async { Err::<(), _>("dropped at once") });
    let done = task::spawn(async { Err::<(), _>("dropped when it was done") });
    let awaited = task::spawn(async { Err::<(), _>("awaited, and so handled") });
    run_future(async {
        task::yield_now().await;
        drop(done);
        numbers.send(awaited.await.map_or(1, |()| 0)).ok();
    });
    task::spawn(async move {
        task::sleep(Duration::from_millis(1)).await;
        numbers.send(2)
    });
}

fn fatal(_: ()) {
    task::spawn(async { Err::<(), _>("and this one is fatal") });
    task::spawn(pending::<()>());
}

fn misuses(nests: bool) {
    if nests {
        Timer::after(Duration::from_millis(1), || run_future(async {}));
        return;
    }
    let unreachable = ReceivePort::<u32>::new();
    run_future(async {
        assert!(unreachable.recv_async().await.is_err(), "the port is unreachable");
        pending::<()>().await;
    });
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (errors, numbers) = (ReceivePort::<RemoteError>::new(), ReceivePort::new());
    let watched = Isolate::build().on_error(&errors.send_port());
    watched.clone().errors_are_fatal(false).spawn(not_fatal, numbers.send_port())?;
    for _ in 0..2 {
        report.send(errors.recv()?.message)?;
    }
    report.send(format!("awaited: {}, and it goes on: {}", numbers.recv()?, numbers.recv()?))?;
    watched.clone().spawn(fatal, ())?;
    report.send(errors.recv()?.message)?;
    for nests in [true, false] {
        watched.clone().spawn(misuses, nests)?;
        let error = errors.recv()?.message;
        let (text, place) = error.rsplit_once(", at ").unwrap_or_default();
        report.send(format!("{text}; in the guest's own file: {}", place.contains("tasks_errors.rs")))?;
    }
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
