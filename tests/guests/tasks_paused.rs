//! A pause holds the tasks of an isolate, also one that is always ready, and a kill ends it at the end of a turn.

use std::error::Error;
use std::time::Duration;

use insula_guest::{Isolate, Priority, ReceivePort, SendPort, task};

fn busy((to_main, echoes): (SendPort<SendPort<u32>>, SendPort<u32>)) {
    let numbers = ReceivePort::new();
    to_main.send(numbers.send_port()).ok();
    task::spawn(async {
        loop {
            task::yield_now().await;
        }
    });
    task::spawn(async move {
        task::sleep(Duration::from_millis(1)).await;
        echoes.send(0).ok();
        let mut numbers = numbers.into_stream();
        while let Some(number) = numbers.next().await {
            echoes.send(number).ok();
        }
    });
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (ports, echoes, gone) = (ReceivePort::new(), ReceivePort::new(), ReceivePort::new());
    let watched = Isolate::build().on_exit(&gone.send_port(), "gone".to_owned());
    let isolate = watched.spawn(busy, (ports.send_port(), echoes.send_port()))?;
    let numbers: SendPort<u32> = ports.recv()?;
    let timer = echoes.recv()?;
    numbers.send(1)?;
    report
        .send(format!("a task that is always ready starves no timer: {timer}, and no message: {}", echoes.recv()?))?;

    let pause = isolate.pause();
    // The turn that runs ends before the answer; what is sent after it finds the isolate paused.
    isolate.ping(&echoes.send_port(), 100, Priority::BeforeNextEvent)?;
    report.send(format!("paused: {}", echoes.recv()?))?;
    for number in 2..5 {
        numbers.send(number)?;
    }
    isolate.ping(&echoes.send_port(), 200, Priority::BeforeNextEvent)?;
    report.send(format!("nothing but the ping: {}, {}", echoes.recv()?, echoes.try_recv().is_err()))?;
    isolate.resume(&pause);
    let resumed = (echoes.recv()?, echoes.recv()?, echoes.recv()?);
    report.send(format!("resumed: {resumed:?}"))?;

    isolate.kill(Priority::BeforeNextEvent);
    report.send(gone.recv()?)?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
