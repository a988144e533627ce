//! A mailbox without room, under each policy: the send says so, waits, or the oldest make room.

use std::error::Error;
use std::time::Duration;

use insula_guest::{Isolate, Limits, MailboxPolicy, ReceivePort, SendError, SendPort};

type Asked = (u32, SendPort<SendPort<u32>>, SendPort<String>);

fn receives((policy, ports, report): Asked) -> Result<(), Box<dyn Error>> {
    let policy = [MailboxPolicy::Error, MailboxPolicy::DropOldest, MailboxPolicy::Wait][policy as usize];
    let port = ReceivePort::<u32>::with_policy(policy);
    ports.send(port.send_port())?;
    drop(ports);
    let received: Vec<u32> = port.collect();
    report.send(format!("{policy:?}: {received:?}"))?;
    Ok(())
}

fn waits_for_room((port, told): (SendPort<u32>, SendPort<bool>)) -> Result<(), Box<dyn Error>> {
    told.send(false)?;
    told.send(port.send(6).is_ok())?;
    Ok(())
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    for policy in 0..3 {
        let (ports, gone, told) = (ReceivePort::new(), ReceivePort::new(), ReceivePort::new());
        let small = Limits::default().mailbox_messages(5).sender_percent(100);
        let receiver = Isolate::build().limits(small).on_exit(&gone.send_port(), ());
        let receiver = receiver.spawn(receives, (policy, ports.send_port(), report.clone()))?;
        let port = ports.recv()?;
        let pause = receiver.pause();
        let fits = (1..=5).all(|n| port.try_send(&n).is_ok());
        report.send(format!("five fit: {fits}, then {:?}", port.try_send(&6)))?;
        if policy == 2 {
            let timed = port.send_timeout(&6, Duration::from_millis(1));
            report.send(format!("for a while: {timed:?}"))?;
            Isolate::spawn(waits_for_room, (port.clone(), told.send_port()))?;
            told.recv()?;
        }
        drop(port);
        receiver.resume(&pause);
        gone.recv()?;
        if policy == 2 {
            report.send(format!("when there was room: {}", told.recv()?))?;
        }
    }
    Isolate::build().limits(Limits::default().mailbox_messages(2)).spawn(to_itself, report)?;
    Ok(())
}

/// One's own full mailbox is never waited for, and a wait for room has an end.
fn to_itself(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let port = ReceivePort::<u32>::with_policy(MailboxPolicy::Wait);
    let sent: Vec<_> = (0..3).map(|n| port.send_port().send(n)).collect();
    report.send(format!("to oneself: {}", sent == [Ok(()), Ok(()), Err(SendError::Full)]))?;
    let timed = port.send_port().send_timeout(&3, Duration::from_millis(1));
    report.send(format!("nor for a while: {}", timed == Err(SendError::Full)))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
