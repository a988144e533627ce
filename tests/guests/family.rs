//! A scoped child is killed when its parent ends; `kill_tree` takes all descendants along.

use std::error::Error;

use insula_guest::{Isolate, ReceivePort, SendPort};

fn sleeper(_: ()) {
    let nothing = ReceivePort::<()>::new();
    let _held = nothing.send_port();
    loop {
        std::hint::spin_loop();
    }
}

fn parent_of_scoped(gone: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let child = Isolate::build().scoped().on_exit(&gone, "scoped child".to_owned());
    child.spawn(sleeper, ())?;
    Ok(())
}

fn parent((depth, gone, ready): (u32, SendPort<String>, SendPort<()>)) -> Result<(), Box<dyn Error>> {
    let child = Isolate::build().on_exit(&gone, format!("depth {depth}"));
    if depth == 3 {
        child.spawn(sleeper, ())?;
        ready.send(())?;
    } else {
        child.spawn(parent, (depth + 1, gone.clone(), ready))?;
    }
    sleeper(());
    Ok(())
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let gone = ReceivePort::new();
    Isolate::spawn(parent_of_scoped, gone.send_port())?;
    report.send(gone.recv()?)?;

    let ready = ReceivePort::new();
    let tree = Isolate::build().on_exit(&gone.send_port(), "depth 0".to_owned());
    let tree = tree.spawn(parent, (1, gone.send_port(), ready.send_port()))?;
    ready.recv()?;
    tree.kill_tree();
    let mut ended: Vec<String> = gone.take(4).collect();
    ended.sort();
    for line in ended {
        report.send(line)?;
    }
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
