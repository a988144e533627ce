//! A value of 500 levels travels; what is deeper is an error at encode, and at decode where somebody made it by hand.

use std::error::Error;

use insula_guest::{Isolate, ReceivePort, RecvError, RemoteError, SendError, SendPort, Value};
use serde::ser::{SerializeTuple as _, Serializer};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Branch(Box<Tree>),
    Pair { left: Vec<Tree>, right: Option<Box<Tree>> },
}

/// Bytes that stand in the message as they are: what a guest in another language may send.
struct Crafted(Vec<u8>);

impl Serialize for Crafted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        self.0.iter().try_for_each(|byte| tuple.serialize_element(byte))?;
        tuple.end()
    }
}

fn list(levels: usize) -> Value {
    (0..levels).fold(Value::list([""; 0]), |inner, _| Value::List(vec![inner]))
}

fn map(levels: usize) -> Value {
    (0..levels).fold(Value::list([""; 0]), |inner, _| Value::map([(1, inner)]))
}

fn branches(levels: usize) -> Tree {
    (0..levels).fold(Tree::Leaf, |inner, _| Tree::Branch(Box::new(inner)))
}

fn pairs(levels: usize) -> Tree {
    (0..levels).fold(Tree::Leaf, |inner, level| match level % 2 {
        0 => Tree::Pair { left: vec![], right: Some(Box::new(inner)) },
        _ => Tree::Pair { left: vec![Tree::Leaf, inner], right: None },
    })
}

fn travels<T>(deep: T, too_deep: &T) -> Result<String, Box<dyn Error>>
where
    T: Clone + PartialEq + Serialize + for<'a> Deserialize<'a>,
{
    let port = ReceivePort::<T>::new();
    port.send_port().send_ref(&deep)?;
    let refused = port.send_port().send_ref(too_deep) == Err(SendError::TooDeep);
    let same = port.recv()? == deep;
    Ok(format!(
        "comes back the same: {same}, deeper is refused: {refused}, nothing of it came: {}",
        port.try_recv().is_err()
    ))
}

fn begins(_: Tree) {}

insula_guest::export!(begins as "begins");

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    report.send(format!("list {}", travels(list(500), &list(512))?))?;
    report.send(format!("map {}", travels(map(500), &map(512))?))?;
    report.send(format!("branches {}", travels(branches(500), &branches(513))?))?;
    // A pair in a list is two levels, one in an option is one: 750.
    report.send(format!("pairs {}", travels(pairs(300), &pairs(500))?))?;

    let port = ReceivePort::<Value>::new();
    let bytes = [6, 1].repeat(500_000);
    port.send_port().typed::<Crafted>().send(Crafted(bytes))?;
    port.send_port().send("next".into())?;
    let Err(RecvError::Undecodable(error)) = port.recv() else { return Err("it decoded".into()) };
    report.send(format!("crafted: {}, then: {}", error.too_deep, port.recv()?))?;

    // As an initial message, which the spawner encodes as one type and the entry decodes as another.
    let errors = ReceivePort::<RemoteError>::new();
    let entry = Isolate::build().on_error(&errors.send_port());
    entry.spawn_export("begins", Crafted([1].repeat(500_000)))?;
    report.send(errors.recv()?.message)?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
