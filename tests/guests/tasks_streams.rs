//! A stream ends when its port is closed or unreachable; `first`, `take` and `single` close it, unless it is borrowed.

use std::error::Error;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use futures_core::Stream;
use insula_guest::{
    Isolate, ReceivePort, RecvError, SendError, SendPort, SingleError, TimedOut, run as run_future, task,
};

fn counts((port, to): (SendPort<u32>, u32)) {
    (0..to).for_each(|number| port.send(number).expect("there is room"));
}

fn counting(to: u32) -> ReceivePort<u32> {
    let port = ReceivePort::new();
    Isolate::spawn(counts, (port.send_port(), to)).expect("there is room for an isolate");
    port
}

/// As any library sees the stream.
async fn sum(mut stream: impl Stream<Item = u32> + Unpin) -> u32 {
    let mut sum = 0;
    while let Some(number) = poll_fn(|context| Pin::new(&mut stream).poll_next(context)).await {
        sum += number;
    }
    sum
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    run_future(async {
        let mut numbers = Vec::new();
        let mut stream = counting(3).into_stream();
        while let Some(number) = stream.next().await {
            numbers.push(number);
        }
        report.send(format!("unreachable after {numbers:?}"))?;
        report.send(format!("through the trait: {}", sum(counting(5).into_stream()).await))?;

        let port = Rc::new(ReceivePort::<u32>::new());
        let (to_port, closes) = (port.send_port(), Rc::clone(&port));
        task::spawn(async move {
            task::sleep(Duration::from_millis(1)).await;
            closes.close();
        });
        report.send(format!("closed: {:?}, {:?}", port.stream().next().await, to_port.send(1)))?;

        let port = ReceivePort::<u32>::new();
        let to_port = port.send_port();
        (0..9).try_for_each(|number| to_port.send(number))?;
        report.send(format!("first, borrowed: {:?}", port.stream().first().await))?;
        let mut two = port.stream().take(2);
        report.send(format!("take: {:?} {:?} {:?}", two.next().await, two.next().await, two.next().await))?;
        drop(two);
        let mut three = port.into_stream().take(1);
        let closed = (three.next().await, to_port.send(1) == Err(SendError::Closed), three.next().await);
        report.send(format!("take, owned: {closed:?}"))?;
        let port = ReceivePort::<u32>::new();
        let to_port = port.send_port();
        to_port.send(1)?;
        let first = (port.into_stream().first().await, to_port.send(1) == Err(SendError::Closed));
        report.send(format!("first, owned: {first:?}"))?;
        let empty = counting(0).into_stream().first().await;
        report.send(format!("first of none: {}", empty == Err(RecvError::Unreachable)))?;

        report.send(format!("single: {:?}", counting(1).into_stream().single().await))?;
        let several = counting(2).into_stream().single().await;
        report.send(format!("single of two: {}", several == Err(SingleError::Several)))?;
        let none = counting(0).into_stream().single().await;
        report.send(format!("single of none: {}", none == Err(SingleError::Failed(RecvError::Unreachable))))?;
        Ok::<(), Box<dyn Error>>(())
    })?;

    let several = counting(2).single() == Err(SingleError::Several);
    report.send(format!("blocking single: {:?} {several}", counting(1).single()))?;
    let port = ReceivePort::<u32>::new();
    let paused = Isolate::build().paused().spawn(counts, (port.send_port(), 1))?;
    let mut timed = port.messages().timeout(Duration::from_millis(1));
    let late = timed.next();
    paused.resume_birth();
    let message = timed.find(Result::is_ok);
    report.send(format!("in time: {} {message:?} {:?}", late == Some(Err(TimedOut)), timed.next()))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
