//! What cannot be sent is refused with the way to it: at send, at exit, as initial message and as response.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::error::Error;

use insula_guest::{Isolate, Priority, ReceivePort, RemoteError, SendError, SendPort, SpawnError};
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Job {
    name: String,
    #[serde(with = "only_small")]
    callback: u32,
}

#[derive(Default, Serialize, Deserialize)]
struct Work {
    jobs: Vec<Job>,
    by_name: BTreeMap<String, Option<Job>>,
    shared: RefCell<u8>,
}

/// A field that refuses what it is not made for.
mod only_small {
    use serde::{Deserialize as _, Deserializer, Serializer, ser::Error as _};

    pub(super) fn serialize<S: Serializer>(value: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        if *value > 9 {
            Err(S::Error::custom(format!("{value} is no digit")))
        } else {
            serializer.serialize_u32(*value)
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        u32::deserialize(deserializer)
    }
}

fn job(callback: u32) -> Job {
    Job { name: "job".to_owned(), callback }
}

fn in_list() -> Work {
    Work { jobs: vec![job(1), job(2), job(30)], ..Work::default() }
}

fn takes(_: Work) {}

fn exits(port: SendPort<Work>) -> Result<(), SendError> {
    let error = Isolate::exit(&port, in_list());
    port.send(Work { jobs: vec![job(4)], ..Work::default() })?;
    Err(error)
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let port = ReceivePort::<Work>::new();
    let to_port = port.send_port();
    let tell = |what: &str, sent: Result<(), SendError>| match sent {
        Err(SendError::Unsendable(unsendable)) => report.send(format!("{what}: {unsendable}")),
        sent => report.send(format!("{what}: {sent:?}")),
    };
    tell("send", to_port.send(in_list()))?;
    let in_map = BTreeMap::from([("a".to_owned(), None), ("b".to_owned(), Some(job(50)))]);
    tell("in a map", to_port.send(Work { by_name: in_map, ..Work::default() }))?;
    let borrowed = Work::default();
    let guard = borrowed.shared.borrow_mut();
    tell("borrowed", to_port.send_ref(&borrowed))?;
    drop(guard);
    match Isolate::spawn(takes, in_list()) {
        Err(SpawnError::Message(error)) => tell("initial message", Err(error))?,
        spawned => report.send(format!("{spawned:?}"))?,
    }
    match Isolate::build().on_exit(&to_port, in_list()).spawn(takes, Work::default()) {
        Err(SpawnError::Message(error)) => tell("response of a birth", Err(error))?,
        spawned => report.send(format!("{spawned:?}"))?,
    }
    let current = Isolate::current();
    let asked =
        [current.ping(&to_port, in_list(), Priority::Immediate), current.add_exit_listener(&to_port, in_list())];
    report.send(format!("responses: {asked:?}"))?;

    let errors = ReceivePort::<RemoteError>::new();
    Isolate::build().on_error(&errors.send_port()).spawn(exits, to_port.clone())?;
    report.send(format!("the port still works: {}", port.recv()?.jobs[0].callback))?;
    report.send(format!("exit: {}", errors.recv()?.message))?;
    report.send(format!("nothing else came: {}", port.try_recv().is_err()))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
