//! A computation can be awaited: for its value, for its failure, or only so long; giving it up kills its isolate.

use std::error::Error;
use std::time::Duration;

use insula_guest::{Isolate, ReceivePort, RunError, SendPort, Spawn, run as run_future, task};

fn square(number: u64) -> u64 {
    number * number
}

fn fails(text: String) -> Result<u64, String> {
    Err(text)
}

fn panics(text: String) -> u64 {
    panic!("{text}");
}

/// Holds a port until it is killed, and says when it is ready for that.
fn loops((ready, _held): (SendPort<()>, SendPort<()>)) -> u64 {
    ready.send(()).ok();
    loop {
        std::hint::spin_loop();
    }
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let spawn: fn() -> Spawn = Isolate::build;
    run_future(async {
        let squares = [2, 3, 4].map(|number| spawn().compute(square, number).map(task::compute));
        let mut sum = 0;
        for square in squares {
            sum += square?.await?;
        }
        report.send(format!("the sum is {sum}"))?;
        report.send(format!("{:?}", Isolate::compute(fails, "as it is".to_owned())?.await?))?;
        let panicked = Isolate::compute(panics, "went wrong".to_owned())?.await;
        let told = matches!(&panicked, Err(RunError::Remote(error)) if error.message.contains("went wrong"));
        report.send(format!("panicked: {told}"))?;

        let (ready, held) = (ReceivePort::new(), ReceivePort::<()>::new());
        let computation = Isolate::compute(loops, (ready.send_port(), held.send_port()))?;
        ready.recv_async().await?;
        let late = task::timeout(Duration::from_millis(1), computation).await;
        report.send(format!("timed out: {}", late.is_err()))?;
        report.send(format!("and killed: {:?}", held.recv()))?;

        let computation = Isolate::compute(loops, (ready.send_port(), held.send_port()))?;
        ready.recv_async().await?;
        computation.cancel();
        report.send(format!("cancelled: {:?}", held.recv()))?;
        Ok(())
    })
}

insula_guest::export!(run as "run");

fn main() {}
