//! Blocking calls, callbacks and tasks in one program: each gets its messages, during `run` and after the entry returned.

use std::error::Error;
use std::time::Duration;

use insula_guest::{ReceivePort, SendPort, Timer, run as run_future, task};

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (called, awaited) = (ReceivePort::<u32>::new(), ReceivePort::<u32>::new());
    let (to_called, to_awaited) = (called.send_port(), awaited.send_port());
    let told = report.clone();
    let listener = called.listen(move |number| told.send(format!("called with {number}")));
    let local = "a local of the entry".to_owned();

    let sum = run_future(async {
        to_called.send(1)?;
        to_awaited.send(2)?;
        let two = awaited.recv_async().await?;
        report.send(format!("awaited {two}, with {local}"))?;

        let blocking = ReceivePort::<u32>::new();
        blocking.send_port().send(3)?;
        let three = blocking.recv()?;
        let four = task::compute(async {
            task::sleep(Duration::from_millis(1)).await;
            4
        });
        Ok::<u32, Box<dyn Error>>(two + three + four.await)
    })?;
    report.send(format!("the sum is {sum}"))?;

    let told = report.clone();
    Timer::after(Duration::from_millis(1), move || {
        told.send("a timer, which spawns a task".to_owned()).ok();
        task::spawn(async move {
            told.send("the task".to_owned())?;
            to_called.send(5)?;
            Ok::<(), Box<dyn Error>>(())
        });
    });
    task::spawn(async move {
        let nine = awaited.stream().next().await;
        report.send(format!("after the entry returned: {nine:?}")).ok();
        task::sleep(Duration::from_millis(20)).await;
        listener.close();
    });
    to_awaited.send(9)?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
