//! Sleeping tasks wake in the order of their times; `timeout` and `select` drop what came too late.

use std::error::Error;
use std::future::pending;
use std::time::Duration;

use insula_guest::{Either, ReceivePort, SendPort, TimedOut, run as run_future, task};

struct Dropped(&'static str, SendPort<String>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.1.send(format!("dropped: {}", self.0)).ok();
    }
}

async fn sleeps(name: &'static str, milliseconds: u64, report: SendPort<String>) {
    task::sleep(Duration::from_millis(milliseconds)).await;
    report.send(format!("slept: {name}")).ok();
}

async fn never(name: &'static str, report: SendPort<String>) {
    let _guard = Dropped(name, report);
    pending().await
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    run_future(async {
        let sleepers = [("third", 160), ("first", 1), ("second", 80)]
            .map(|(name, milliseconds)| task::spawn(sleeps(name, milliseconds, report.clone())));
        for sleeper in sleepers {
            sleeper.await;
        }

        let late = task::timeout(Duration::from_millis(5), never("too late", report.clone())).await;
        report.send(format!("timed out: {}", late == Err(TimedOut)))?;
        let in_time = task::timeout(Duration::from_secs(3600), async { 7 }).await;
        report.send(format!("in time: {in_time:?}"))?;

        let won = task::select(never("lost", report.clone()), sleeps("won", 1, report.clone())).await;
        report.send(format!("{won:?}"))?;
        let both = task::select(async { 1 }, async { 2 }).await;
        report.send(format!("the first is looked at first: {}", both == Either::First(1)))?;

        let port = ReceivePort::<u32>::new();
        let to_port = port.send_port();
        let mut sleeping = task::compute(task::sleep(Duration::from_millis(20)));
        to_port.send(1)?;
        let message = task::select(port.recv_async(), &mut sleeping).await;
        report.send(format!("{message:?}"))?;
        sleeping.await;
        report.send("a future that was lent is still there".to_owned())?;
        Ok(())
    })
}

insula_guest::export!(run as "run");

fn main() {}
