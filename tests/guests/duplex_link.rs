//! A link of two ends: typed both ways, its end can be sent on, and each side sees the other's death.

use std::error::Error;

use insula_guest::{Duplex, DuplexEnd, Isolate, Priority, ReceivePort, RecvError, SendError, SendPort};

fn lengths(link: Duplex<String, usize>) -> Result<(), SendError> {
    for text in &link {
        link.send(text.len())?;
    }
    Ok(())
}

fn only_opens(link: Duplex<u32, u32>) -> Result<(), SendError> {
    link.send(1)
}

fn never_opens(_: DuplexEnd<u32, u32>) {}

fn watches((end, report): (DuplexEnd<u32, u32>, SendPort<String>)) -> Result<(), SendError> {
    let link = end.open();
    link.send(1)?;
    let ended = link.recv() == Err(RecvError::Unreachable);
    report.send(format!("the child sees its parent go: {ended} {}", link.send(2) == Err(SendError::Closed)))
}

fn parent(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (link, end) = Duplex::<u32, u32>::pair();
    Isolate::spawn(watches, (end, report))?;
    link.recv()?;
    Ok(())
}

fn middleman(ends: SendPort<DuplexEnd<String, usize>>) -> Result<(), Box<dyn Error>> {
    let (link, end) = Duplex::<usize, String>::pair();
    ends.send(end)?;
    link.send("through two hands".to_owned())?;
    assert_eq!(link.recv()?, 17);
    Ok(())
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (link, isolate) = Duplex::<usize, String>::spawn(lengths)?;
    for text in ["", "four", "seven__"] {
        link.send(text.to_owned())?;
    }
    report.send(format!("{:?} from {}", link.messages().take(3).collect::<Vec<_>>(), isolate.debug_name()))?;
    isolate.kill(Priority::Immediate);
    report.send(format!("killed: {:?}", link.recv()))?;
    report.send(format!("killed: {:?}", link.send("x".to_owned())))?;

    let (link, _) = Duplex::<u32, u32>::spawn(only_opens)?;
    report.send(format!("what was sent before comes first: {:?} {:?}", link.recv(), link.recv()))?;

    let (link, end) = Duplex::<u32, u32>::pair();
    Isolate::spawn(never_opens, end)?;
    report.send(format!("never opened: {:?} {:?}", link.send(1), link.recv()))?;

    let ends = ReceivePort::new();
    Isolate::spawn(middleman, ends.send_port())?;
    let (texts, lengths) = ends.recv()?.open().into_ports()?;
    let text = texts.recv()?;
    lengths.send(text.len())?;
    report.send(text)?;

    Isolate::spawn(parent, report)?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
