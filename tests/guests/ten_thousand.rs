//! As many isolates as the host has room for, all waiting; each answers when called, and one more is refused.

use std::error::Error;

use insula_guest::{Isolate, Priority, ReceivePort, SendPort, SpawnError};

/// As many as a host has room for unless told otherwise, without main.
const CHILDREN: u32 = 9_999;

/// Where to call an isolate: with where to say its number.
type Calls = SendPort<SendPort<u32>>;

fn child((number, ready): (u32, SendPort<(u32, Calls)>)) -> Result<(), Box<dyn Error>> {
    let calls = ReceivePort::<SendPort<u32>>::new();
    ready.send((number, calls.send_port()))?;
    drop(ready);
    for reply in calls {
        reply.send(number)?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let ready = ReceivePort::new();
    for number in 0..CHILDREN {
        Isolate::spawn(child, (number, ready.send_port()))?;
    }
    let children: Vec<_> = (0..CHILDREN).map(|_| ready.recv()).collect::<Result<_, _>>()?;
    println!("{} wait", children.len());

    match Isolate::spawn(child, (CHILDREN, ready.send_port())) {
        Err(SpawnError::Refused(refused)) => println!("one more: {refused}"),
        other => println!("one more: {other:?}"),
    }
    let answers = ReceivePort::new();
    let mut right = 0;
    for (number, calls) in &children {
        calls.send(answers.send_port())?;
        right += u32::from(answers.recv()? == *number);
    }
    println!("{right} answer");

    let (_, last) = children.into_iter().next_back().ok_or("there are children")?;
    drop(last); // it learns that nobody can call it, and makes room
    let gone = ReceivePort::new();
    loop {
        let again = Isolate::build().on_exit(&gone.send_port(), ()).spawn(|_: ()| {}, ());
        if let Ok(again) = again {
            gone.recv()?;
            again.kill(Priority::Immediate);
            break;
        }
        std::thread::yield_now();
    }
    println!("the host lives");
    Ok(())
}
