//! One untyped port as exit and error listener tells an error, a null response and data apart.

use std::error::Error;

use insula_guest::{Isolate, Priority, ReceivePort, SendPort, Value};

fn fails(port: SendPort<Value>) -> Result<(), String> {
    port.send(Value::Null).map_err(|error| error.to_string())?;
    Err("not today".to_owned())
}

fn waits(_: ()) {
    let port = ReceivePort::<u32>::new();
    let _keep = port.send_port();
    insula_guest::sleep(std::time::Duration::from_secs(600));
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let port = ReceivePort::<Value>::new();
    let to_port = port.send_port();
    let build = Isolate::build().on_exit(&to_port, Value::Null).on_error(&to_port);
    build.spawn(fails, to_port.clone())?;
    for _ in 0..3 {
        let message = port.recv_message()?;
        let two_strings = message.value.as_list().is_some_and(|list| list.len() == 2 && list[1].as_str().is_some());
        let said = if two_strings { &message.value[0] } else { &message.value };
        report.send(format!("{:?}: {said}, two strings: {two_strings}", message.kind))?;
    }
    let isolate = Isolate::spawn(waits, ())?;
    isolate.add_error_listener(&to_port)?;
    isolate.remove_error_listener(&to_port);
    isolate.add_exit_listener(&to_port, "response".into())?;
    isolate.ping(&to_port, 5.into(), Priority::Immediate)?;
    let pong = port.recv_message()?;
    isolate.kill(Priority::Immediate);
    let exit = port.recv_message()?;
    report.send(format!("{:?} {}, {:?} {}", pong.kind, pong.value, exit.kind, exit.value))?;

    let typed = ReceivePort::<u32>::new();
    let refused = Isolate::current().add_exit_listener(&typed.send_port().untyped(), Value::Null);
    report.send(format!("a port of another type is refused: {}", refused.is_err()))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
