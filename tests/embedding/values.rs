//! What an embedder sends and receives: untyped values, and what is refused.

use std::cell::RefCell;

use insula::{Exit, Host, Received, RecvError, Spawn, SpawnError, Status, Value};
use serde::Serialize;

use crate::harness;

fn host() -> Host {
    let builder = Host::builder().isolates(4).threads(1).cache_folder(harness::cache());
    builder.build().expect("there is room for a small host")
}

fn deep(levels: usize) -> Value {
    (0..levels).fold(Value::list([""; 0]), |inner, _| Value::List(vec![inner]))
}

#[test]
fn values_ports_and_capabilities_go_to_a_guest_and_come_back() {
    let host = host();
    let module = host.load_file(harness::guest("mirror")).expect("the guest is a module");
    let port = host.receive_port::<Value>();
    let to_port = port.send_port();
    let spawn = Spawn::entry("run").message(&to_port).on_error(&to_port).on_exit(&to_port, "over".into());
    let isolate = host.spawn(&module, spawn).expect("it has an entry `run`");
    let mirror = port.recv().expect("it sends its port");
    let mirror = mirror.as_send_port().expect("it is a port").clone();
    let values = [
        Value::Int(i128::MIN),
        Value::Double(f64::NAN),
        Value::map([(Value::from([1, 2]), Value::from(vec![0_u8, 1])), (Value::Null, "x".into())]),
        Value::from([Value::from(host.capability()), to_port.clone().into(), mirror.clone().into()]),
        deep(500),
    ];
    for value in values {
        mirror.send_ref(&value).expect("it is open");
        assert_eq!(port.recv(), Ok(value));
    }
    mirror.send([6, 1].repeat(500_000).into()).expect("it is open");
    let Err(RecvError::Undecodable { too_deep, .. }) = port.recv() else { panic!("it decoded") };
    assert!(too_deep);

    mirror.send(Value::Null).expect("it is open");
    let error = port.recv().expect("an error is a value here");
    assert_eq!(error[0].as_str(), Some("there is nothing in the mirror"));
    assert!(error[1].as_str().is_some() && error.as_list().is_some_and(|list| list.len() == 2), "{error}");
    assert_eq!(port.recv_message(), Ok(Received::Exit("over".into())));
    assert!(matches!(isolate.join(), Exit::Failed { .. }));

    let other = host.receive_port::<u8>().send_port().untyped();
    assert_eq!(isolate.add_error_listener(&other).map_err(|error| error.status), Err(Status::Invalid));
    assert_eq!(isolate.add_exit_listener(&other, Value::Null).map_err(|error| error.status), Err(Status::Invalid));
    let born = host.spawn(&module, Spawn::entry("run").on_error(&other)).map(|_| ());
    assert!(matches!(born, Err(SpawnError::Listener(_))), "{born:?}");
}

#[derive(Default, Serialize)]
struct Job {
    name: String,
    callback: RefCell<u8>,
}

#[test]
fn a_refusal_names_the_field() {
    let host = host();
    let port = host.receive_port::<Vec<u8>>();
    let to_port = port.send_port().untyped().typed::<Vec<Job>>();
    let jobs = vec![Job::default(), Job::default()];
    let guard = jobs[1].callback.borrow_mut();
    let error = to_port.send_ref(&jobs).expect_err("it is borrowed");
    assert_eq!(error.to_string(), "the message was not sent: [1].callback: already mutably borrowed");
    assert_eq!((error.status, error.unsendable.path()), (Status::Unsendable, Some("[1].callback")));
    let module = host.load("empty", b"(module (func (export \"run\")))").expect("it is a module");
    let born = host.spawn(&module, Spawn::entry("run").message(&jobs)).map(|_| ());
    let error = born.expect_err("it is borrowed").to_string();
    assert_eq!(error, "the initial message cannot be sent: [1].callback: already mutably borrowed");
    drop(guard);
    to_port.send(jobs).expect("now it can be sent");
}

#[test]
fn a_value_that_is_too_deep_is_refused_on_a_small_stack() {
    let run = || {
        let host = host();
        let port = host.receive_port::<Value>();
        let to_port = port.send_port();
        to_port.send(deep(511)).expect("512 levels are fine");
        assert_eq!(port.recv(), Ok(deep(511)));
        let error = to_port.send(deep(512)).expect_err("513 are not");
        assert_eq!(error.to_string(), "the message was not sent: the message is nested deeper than 512 levels");
        assert_eq!(port.try_recv(), Err(RecvError::Empty));
    };
    let small = std::thread::Builder::new().stack_size(2 << 20).spawn(run);
    small.expect("there is room for a thread").join().expect("it does not overflow");
}
