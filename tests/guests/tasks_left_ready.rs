//! A task that is ready when a run ends goes on in the event loop.

use insula_guest::{SendPort, run as complete, task};

fn run(report: SendPort<String>) {
    complete(async {
        task::spawn(async move { report.send("a task that was ready went on".to_owned()) });
    });
}

insula_guest::export!(run as "run");

fn main() {}
