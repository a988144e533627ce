//! Plugins that keep to none of the rules: they hurt nobody else by that.

use insula::{Caller, Function, Limits, Service, UpgradeError};
use serde::Serialize;

use super::*;
use crate::embedding::functions::{Order, opened};

/// Says who calls, and tells the test.
fn whoami(host: &Host) -> (Function<(), String>, Receiver<String>) {
    let (tell, called) = mpsc::channel();
    let whoami = host.function_async("whoami", move |caller: Caller, (): ()| {
        tell.send(caller.debug_name()).ok();
        async move { caller.debug_name() }
    });
    (whoami.expect("there are threads"), called)
}

fn lies(host: &Host) -> Module {
    host.load_file(harness::guest("lies")).expect("the guest is a module")
}

/// An honest guest that calls the function, or the port of a plugin in its place.
fn asks<T: Serialize>(host: &Host, function: &T) -> Service<(), Result<String, String>> {
    let spawn = Spawn::entry("asks").debug_name("honest").message(function);
    host.open(&lies(host), spawn).expect("it has an entry")
}

#[test]
fn a_plugin_cannot_have_its_callers_call_a_host_function_in_their_name() {
    let host = host();
    let (whoami, called) = whoami(&host);
    let behind = || Spawn::entry("behind").function(&whoami);
    let plugin = host.supervise::<(), String>(&lies(&host), behind(), at_once()).expect("it has an entry");
    let honest = asks(&host, &plugin.send_port());
    let answer = honest.call(&(), PATIENCE).expect("it serves");
    assert!(answer.is_err(), "{answer:?}");
    assert_eq!(called.try_recv(), Err(mpsc::TryRecvError::Empty), "nobody called it");
    assert!(plugin.call(&(), PATIENCE).is_err());
    assert_eq!(plugin.restarts(), 0, "it lives on, and has no answers");

    let deaf = host.supervise::<(), String>(&deaf(&host), Spawn::entry("run"), at_once()).expect("it has an entry");
    let refused = deaf.upgrade(&lies(&host), behind(), PATIENCE);
    assert_eq!(refused, Err(UpgradeError::NotReady), "it is none that serves");
}

#[test]
fn a_caller_that_takes_no_answers_holds_up_no_other_call() {
    let host = host();
    let (whoami, called) = whoami(&host);
    let limits = Limits::default().mailbox(4, 10_000);
    let spawn = Spawn::entry("nothing").debug_name("liar").limits(limits).function(&whoami);
    let liar = host.spawn(&lies(&host), spawn).expect("it has an entry");
    for call in 1..=20 {
        let came = called.recv_timeout(Duration::from_secs(20));
        assert_eq!(came.as_deref(), Ok("liar"), "call {call}");
    }
    assert_eq!(liar.exit(), None);
}

#[test]
fn a_caller_that_calls_without_end_holds_up_no_function_that_waits() {
    let host = host();
    let never = host.function_async("whoami", |_: Caller, (): ()| std::future::pending::<String>());
    let never = never.expect("there are threads");
    let double = host.function_async("double", |_: Caller, number: u64| async move { Ok::<u64, String>(number * 2) });
    let honest = opened(&host, Spawn::entry("run").function(&double.expect("there are threads")));
    let flood = host.spawn(&lies(&host), Spawn::entry("floods").function(&never)).expect("it has an entry");
    while flood.usage().sent_messages < 10_000 {
        std::thread::yield_now(); // of them a thousand wait, and what comes now is refused
    }
    for _ in 0..10 {
        let doubled = honest.call(&Order::Double(12), Duration::from_secs(30));
        assert_eq!(doubled.as_deref(), Ok("Ok(24)"));
    }
    assert_eq!(flood.exit(), None);
}
