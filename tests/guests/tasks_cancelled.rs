//! A receive that is dropped loses no message, also one that was received for it already: whoever looks next finds it.

use std::error::Error;
use std::future::{Future, pending, poll_fn};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use insula_guest::{
    Isolate, Priority, ReceivePort, RecvError, SendPort, TryRecvError, recv_any, run as run_future, task,
};

/// Has a message received for a future that is dropped without a look at it.
async fn abandon(receiving: impl Future, send: impl FnOnce()) {
    let (mut receiving, mut send) = (Box::pin(receiving), Some(send));
    poll_fn(|context| match send.take() {
        Some(send) => {
            assert!(receiving.as_mut().poll(context).is_pending(), "the first poll waits");
            send();
            Poll::Pending
        }
        None => Poll::Ready(()),
    })
    .await;
}

fn abandon_numbers(port: &ReceivePort<u32>, numbers: &[u32]) {
    let send = |number: &u32| port.send_port().send(*number).expect("there is room");
    run_future(abandon(port.recv_async(), || numbers.iter().for_each(send)));
}

fn listens((ready, report): (SendPort<()>, SendPort<String>)) {
    let port = ReceivePort::<u32>::new();
    abandon_numbers(&port, &[6, 7]);
    port.listen(move |number| {
        report.send(format!("listened: {number}")).ok();
        if number == 7 {
            Isolate::current().kill(Priority::Immediate)
        }
    });
    ready.send(()).ok();
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let port = ReceivePort::<u32>::new();
    let late = run_future(task::timeout(Duration::from_millis(1), async {
        let _reachable = port.send_port();
        port.recv_async().await
    }));
    port.send_port().send(1)?;
    report.send(format!("timed out: {}, then {:?}", late.is_err(), port.recv()))?;

    abandon_numbers(&port, &[2, 3]);
    report.send(format!("received: {:?}, {:?}", port.recv(), port.try_recv()))?;
    report.send(format!("no more: {}", port.try_recv() == Err(TryRecvError::Empty)))?;
    abandon_numbers(&port, &[4, 5]);
    report.send(format!("awaited: {:?}, {:?}", run_future(port.recv_async()), run_future(port.stream().next())))?;

    abandon_numbers(&port, &[10]);
    let other = ReceivePort::<u32>::new();
    report.send(format!("of any port: {:?}", recv_any(&[&other, &port])))?;
    abandon_numbers(&port, &[11, 12]);
    report.send(format!("discarded: {}, then {:?}", port.discard(), port.recv()))?;

    let (ready, gone) = (ReceivePort::new(), ReceivePort::new());
    let watched = Isolate::build().on_exit(&gone.send_port(), ());
    watched.spawn(listens, (ready.send_port(), report.clone()))?;
    ready.recv()?;
    gone.recv()?;

    let port = Rc::new(port);
    let shared = Rc::clone(&port);
    let both = run_future(async {
        let lost = task::spawn(pending::<()>());
        let first = task::compute(async move { shared.recv_async().await });
        task::yield_now().await;
        let second = port.recv_async();
        port.send_port().send(13).ok();
        port.send_port().send(14).ok();
        lost.abort();
        (second.await, first.await)
    });
    report.send(format!("two that wait get one each: {both:?}"))?;

    abandon_numbers(&port, &[15]);
    port.close();
    report.send(format!("closed: {}", port.recv() == Err(RecvError::Closed)))?;

    let held = ReceivePort::<SendPort<u32>>::new();
    let inner = ReceivePort::<u32>::new();
    let send = || held.send_port().send(inner.send_port()).expect("there is room");
    run_future(abandon(held.recv_async(), send));
    drop(held);
    report.send(format!("dropped with its port: {}", inner.recv() == Err(RecvError::Unreachable)))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
