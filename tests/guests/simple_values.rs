//! Every kind of simple and nested value comes back as it was sent, in order; and a port as the message.

use std::error::Error;

use insula_guest::{Capability, Duplex, ReceivePort, SendPort, Value};

fn echo(link: Duplex<Value, Value>) -> Result<(), Box<dyn Error>> {
    for value in &link {
        match value {
            Value::SendPort(port) => port.typed::<String>().send("through the port".to_owned())?,
            value => link.send(value)?,
        }
    }
    Ok(())
}

fn simple() -> Vec<Value> {
    let numbers = [0, 1, -1, i8::MIN.into(), i64::MIN.into(), i64::MAX.into(), u64::MAX.into(), i128::MIN, i128::MAX];
    let doubles = [0.0, -0.0, 1.5, f64::MIN_POSITIVE, f64::MAX, f64::INFINITY, f64::NAN, -f64::NAN];
    let texts = ["", "four", "g\u{e9}nie \u{1f9de}", "\0"];
    let mut values = vec![Value::Null, true.into(), false.into(), Value::Bytes(vec![]), vec![0_u8, 255].into()];
    values.extend(numbers.map(Value::from));
    values.extend(doubles.map(Value::from));
    values.extend(texts.map(Value::from));
    values.push(vec![7_u8; 100_000].into());
    values
}

fn nested() -> Vec<Value> {
    let list = Value::from([1, 2, 3]);
    let by_number = Value::map([(1, Value::from("one")), (-2, list.clone()), (300, Value::Null)]);
    let set = Value::set([Value::from(1), "1".into(), 1.0.into(), list.clone()]);
    let by_anything = Value::map([(list.clone(), set.clone()), (by_number.clone(), Value::from(Capability::new()))]);
    vec![Value::list([""; 0]), Value::list([list, by_number]), set, by_anything]
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (link, _isolate) = Duplex::<Value, Value>::spawn(echo)?;
    let came_back = |name: &str, values: Vec<Value>| {
        for value in &values {
            link.send(value.clone())?;
        }
        let mut same = 0;
        for value in &values {
            let other = link.recv()?;
            match other == *value {
                true => same += 1,
                false => report.send(format!("{value} came back as {other}"))?,
            }
        }
        report.send(format!("{name}: {same} of {} are the same", values.len()))?;
        Ok::<(), Box<dyn Error>>(())
    };
    came_back("simple", simple())?;
    came_back("nested", nested())?;
    let six = vec![Value::from(1), "two".into(), 3.0.into(), Value::Null, [5].into(), true.into()];
    came_back("six in order", six)?;

    let port = ReceivePort::<String>::new();
    link.send(port.send_port().untyped().into())?;
    report.send(port.recv()?)?;
    let person = Value::map([("name", Value::from("Bob")), ("ages", [7, 9].into())]);
    let (name, age) = (person["name"].as_str(), person["ages"][1].as_int());
    report.send(format!("{person} {name:?} {age:?} {:?}", person.get("none")))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
