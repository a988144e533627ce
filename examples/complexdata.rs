//! A structure crosses from one isolate to another, and what arrives is a copy.

use std::error::Error;

use insula_guest::{Isolate, ReceivePort, SendError, SendPort};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Student {
    name: String,
    scores: Vec<u32>,
    meta: Meta,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Meta {
    level: u32,
    active: bool,
}

/// A student, and where to say that it may be sent again.
#[derive(Serialize, Deserialize)]
struct Delivery {
    student: Student,
    again: SendPort<()>,
}

fn worker(main_port: SendPort<Delivery>) -> Result<(), SendError> {
    let student = Student { name: "Alice".to_owned(), scores: vec![95, 87, 92], meta: Meta { level: 3, active: true } };
    let again = ReceivePort::new();
    for () in std::iter::once(()).chain(&again).take(2) {
        main_port.send(Delivery { student: student.clone(), again: again.send_port() })?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let port = ReceivePort::new();
    Isolate::spawn(worker, port.send_port())?;

    let Delivery { mut student, again } = port.recv()?;
    println!("Name: {}", student.name);
    println!("Scores: {:?}", student.scores);

    student.scores.push(100);
    student.meta.active = false;
    again.send(())?;
    let theirs = port.first()?.student;
    println!("After a change here: {:?}, the worker still has: {:?}", student.scores, theirs.scores);
    Ok(())
}
