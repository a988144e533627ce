//! Functions of the embedder's that guests call: who calls is told by the host, a caller that dies is rid of its call, and
//! what goes wrong in one is its caller's end and nobody else's.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use insula::{CallError, Caller, Exit, Function, Grant, Host, Killer, Limits, Priority, Service, Spawn, SpawnError};
use serde::{Deserialize, Serialize};

use crate::harness;

/// As the guest has it.
#[derive(Serialize, Deserialize)]
pub(super) enum Order {
    Double(u64),
    Find(String),
    Misuse,
    Whoami,
    Children,
    Wait,
    WaitShortly,
    Many(u64),
    Bytes(u64),
    Register(String),
    Flood(u64),
}

pub(super) type Plugin = Service<Order, String>;

const PATIENCE: Duration = Duration::from_secs(600);

pub(super) fn host() -> Host {
    let builder = Host::builder().isolates(16).threads(2).cache_folder(harness::cache());
    builder.on_uncaught(|_| ()).build().expect("there is room for a small host")
}

pub(super) fn opened(host: &Host, spawn: Spawn) -> Plugin {
    let module = host.load_file(harness::guest("calls_host")).expect("the guest is a module");
    host.open(&module, spawn).expect("it has an entry")
}

pub(super) fn told(plugin: &Plugin, order: Order) -> String {
    plugin.call(&order, PATIENCE).expect("it serves")
}

fn double(host: &Host) -> Function<u64, Result<u64, String>> {
    let double = |_: &Caller, number: u64| number.checked_mul(2).ok_or_else(|| "too large".to_owned());
    host.function("double", double).expect("there are threads")
}

/// A function that blocks until the test opens it; says who came in, and who left.
struct Gate {
    function: Function<(), ()>,
    came: Receiver<Caller>,
    open: Sender<()>,
}

fn gate(host: &Host) -> Gate {
    let (tell, came) = channel();
    let (open, opened) = channel();
    let opened = Mutex::new(opened);
    let function = host.function("gate", move |caller: &Caller, (): ()| {
        tell.send(caller.clone()).expect("the test listens");
        opened.lock().expect("no panic").recv().ok();
    });
    Gate { function: function.expect("there are threads"), came, open }
}

/// Tells when it is dropped.
struct Dropped(Sender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.send(()).ok();
    }
}

/// A function that never is done; says who came in, and when its future was dropped.
fn never(host: &Host) -> (Function<(), ()>, Receiver<Caller>, Receiver<()>) {
    let (tell, came) = channel();
    let (drops, dropped) = channel();
    let function = host.function_async("gate", move |caller: Caller, (): ()| {
        let (tell, guard) = (tell.clone(), Dropped(drops.clone()));
        async move {
            let _guard = guard;
            tell.send(caller).expect("the test listens");
            std::future::pending().await
        }
    });
    (function.expect("there are threads"), came, dropped)
}

#[test]
fn a_guest_calls_a_function_with_its_types() {
    let host = host();
    let plugin = opened(&host, Spawn::entry("run").function(&double(&host)));
    assert_eq!(told(&plugin, Order::Double(12)), "Ok(24)");
    assert_eq!(told(&plugin, Order::Double(u64::MAX)), r#"Err("too large")"#, "its own error is a part of the answer");
    assert_eq!(told(&plugin, Order::Many(100)), "9900", "with many calls under way at once");
    let misused = told(&plugin, Order::Misuse);
    assert!(misused.starts_with("the question is no u64"), "{misused}");
    let later = host.function_async("double", |_: Caller, number: u64| async move {
        tokio::task::yield_now().await;
        Ok::<u64, String>(number * 2)
    });
    let plugin = opened(&host, Spawn::entry("run").function(&later.expect("there are threads")));
    assert_eq!(told(&plugin, Order::Double(12)), "Ok(24)");
    assert_eq!(told(&plugin, Order::Many(100)), "9900");
}

#[test]
fn s8_a_function_that_is_not_given_is_refused_by_name() {
    let host = host();
    let plugin = opened(&host, Spawn::entry("run").function(&double(&host)).grant(Grant::names("all")));
    let refused = told(&plugin, Order::Find("whoami".to_owned()));
    assert_eq!(refused, "the host function `whoami` is not given to this isolate: Spawn::function of an embedder");
    let refused = told(&plugin, Order::Register("function:whoami".to_owned()));
    assert_eq!(refused, "names that begin with `function:` are those of host functions");
}

#[test]
fn who_calls_is_told_by_the_host() {
    struct Tenant(&'static str);
    let host = host();
    let (tell, ids) = channel();
    let whoami = host.function("whoami", move |caller: &Caller, (): ()| {
        tell.send(caller.id()).expect("the test listens");
        let tenant = caller.data::<Tenant>().map_or("nobody", |tenant| tenant.0);
        assert!(caller.data::<u8>().is_none() && !caller.has_ended());
        format!("{} of {tenant}", caller.debug_name())
    });
    let whoami = whoami.expect("there are threads");
    let spawn = |name: &str| Spawn::entry("run").debug_name(name).function(&whoami);
    let one = opened(&host, spawn("one").data(Tenant("Alice")));
    let other = opened(&host, spawn("other").data(Tenant("Bob")));
    let none = opened(&host, spawn("third"));
    assert_eq!(told(&one, Order::Whoami), "one of Alice");
    assert_eq!(told(&other, Order::Whoami), "other of Bob");
    assert_eq!(told(&none, Order::Whoami), "third of nobody");
    let ids: Vec<_> = ids.try_iter().collect();
    assert_eq!(ids, [one.isolate().id(), other.isolate().id(), none.isolate().id()]);
    let refused = "the host function `whoami` is not given to this isolate: Spawn::function of an embedder";
    let children = format!(r#"Ok(Ok("heir of Alice")); Err({refused}); Ok("bare of Alice")"#);
    assert_eq!(told(&one, Order::Children), children);
}

#[test]
fn a_caller_is_killed_while_it_waits() {
    let host = host();
    let Gate { function, came, open } = gate(&host);
    let plugin = opened(&host, Spawn::entry("run").function(&function));
    plugin.tell(&Order::Wait, PATIENCE).expect("it serves");
    let caller = came.recv().expect("it calls");
    assert!(!caller.has_ended());
    plugin.isolate().kill(Priority::Immediate);
    assert_eq!(plugin.isolate().join(), Exit::Killed { by: Killer::Embedder });
    assert!(caller.has_ended(), "and the function, which runs on, can know it");
    let next = opened(&host, Spawn::entry("run").function(&function));
    open.send(()).expect("the first one runs on");
    open.send(()).expect("the next one comes");
    assert_eq!(told(&next, Order::Wait), "Ok(())");

    let (function, came, dropped) = never(&host);
    let plugin = opened(&host, Spawn::entry("run").function(&function));
    plugin.tell(&Order::Wait, PATIENCE).expect("it serves");
    assert_eq!(came.recv().map(|caller| caller.id()), Ok(plugin.isolate().id()));
    plugin.isolate().kill(Priority::Immediate);
    assert_eq!(dropped.recv(), Ok(()), "the future that it waited for is dropped");
    assert_eq!(plugin.isolate().join(), Exit::Killed { by: Killer::Embedder });
}

#[test]
fn a_deadline_ends_a_caller_that_waits() {
    let host = host();
    let (function, came, dropped) = never(&host);
    // On a slow machine it may not come so far in the shortest of these.
    let calls = [100, 1_000, 10_000, 100_000].into_iter().any(|deadline_ms| {
        let limits = Limits::default().deadline(Duration::from_millis(deadline_ms));
        let plugin = opened(&host, Spawn::entry("run").function(&function).limits(limits));
        let ended = plugin.call(&Order::Wait, PATIENCE);
        assert!(matches!(ended, Err(CallError::Ended(Exit::Deadline { .. }))), "{ended:?}");
        came.try_recv().is_ok()
    });
    assert!(calls);
    assert_eq!(dropped.recv(), Ok(()), "its call is gone with it");
}

#[test]
fn a_caller_gives_up_after_a_time_and_goes_on() {
    let host = host();
    let Gate { function, came, open } = gate(&host);
    let plugin = opened(&host, Spawn::entry("run").function(&function).function(&double(&host)));
    assert_eq!(told(&plugin, Order::WaitShortly), "Err(the deadline has passed)");
    assert_eq!(told(&plugin, Order::Double(1)), "Ok(2)");
    came.recv().expect("it came");
    open.send(()).expect("the answer finds nobody");
    open.send(()).expect("the next call comes");
    assert_eq!(told(&plugin, Order::Wait), "Ok(())");
}

#[test]
fn a_panic_in_a_function_ends_its_caller_and_nobody_else() {
    let host = host();
    let panics = |number: u64| {
        assert!(number != 13, "of all numbers {number}");
        Ok::<u64, String>(number)
    };
    let function = host.function("double", move |_: &Caller, number: u64| panics(number));
    let later = host.function_async("double", move |_: Caller, number: u64| async move {
        tokio::task::yield_now().await;
        panics(number)
    });
    let at_once = host.function_async("double", move |_: Caller, number: u64| std::future::ready(panics(number)));
    for function in [function, later, at_once] {
        let spawn = Spawn::entry("run").function(&function.expect("there are threads"));
        let (one, other) = (opened(&host, spawn.clone()), opened(&host, spawn));
        let ended = one.call(&Order::Double(13), PATIENCE);
        let message = "the host function `double` panicked: of all numbers 13".to_owned();
        assert_eq!(ended, Err(CallError::Ended(Exit::HostFault { message })));
        assert_eq!(told(&other, Order::Double(12)), "Ok(12)");
    }
}

#[test]
fn so_many_calls_are_under_way_at_once() {
    let host = host();
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let function = host.function("double", move |_: &Caller, number: u64| {
        seen.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::yield_now();
        now.fetch_sub(1, Ordering::SeqCst);
        Ok::<u64, String>(number * 2)
    });
    let function = function.expect("there are threads").at_once(2);
    assert_eq!(function.name(), "double");
    let plugins: Vec<_> = (0..4).map(|_| opened(&host, Spawn::entry("run").function(&function))).collect();
    std::thread::scope(|scope| {
        for plugin in &plugins {
            scope.spawn(|| assert_eq!(told(plugin, Order::Many(200)), "39800"));
        }
    });
    let most = most.load(Ordering::SeqCst);
    assert!((1..=2).contains(&most), "{most} at once");
}

#[test]
fn a_function_that_blocks_holds_up_no_other_function_and_no_guest() {
    let host = host();
    let Gate { function, came, open } = gate(&host);
    let spawn = Spawn::entry("run").function(&function).function(&double(&host));
    let plugins: Vec<_> = (0..8).map(|_| opened(&host, spawn.clone())).collect();
    for plugin in &plugins {
        plugin.tell(&Order::Wait, PATIENCE).expect("it serves");
        came.recv().expect("it calls");
    }
    let free = opened(&host, spawn);
    assert_eq!(told(&free, Order::Double(12)), "Ok(24)");
    assert_eq!(told(&free, Order::Many(50)), "2450");
    drop(open);
    let waited = plugins.iter().map(|plugin| told(plugin, Order::Double(1)));
    assert!(waited.into_iter().all(|answer| answer == "Ok(2)"));
}

#[test]
fn an_answer_that_has_no_room_is_a_failure_of_its_call() {
    let host = host();
    let bytes = host.function("bytes", |_: &Caller, bytes: u64| vec![0_u8; bytes as usize]);
    let limits = Limits::default().message(1_000);
    let spawn = Spawn::entry("run").function(&bytes.expect("there are threads")).limits(limits);
    let plugin = opened(&host, spawn);
    assert_eq!(told(&plugin, Order::Bytes(500)), "500");
    let refused = told(&plugin, Order::Bytes(5_000));
    assert_eq!(refused, "the answer was not sent: the message is larger than the limit");
}

#[test]
fn a_spawn_is_refused_two_functions_of_one_name_and_one_of_another_host() {
    let (host, elsewhere) = (host(), host());
    let module = host.load("empty", b"(module (func (export \"run\")))").expect("the text is a module");
    let refused = |spawn| match host.spawn(&module, spawn) {
        Err(SpawnError::Invalid(reason)) => reason,
        other => panic!("{other:?}"),
    };
    let twice = Spawn::entry("run").function(&double(&host)).function(&double(&host));
    assert_eq!(refused(twice), "an isolate has one function `double`, and was given two");
    let foreign = Spawn::entry("run").function(&double(&elsewhere));
    assert_eq!(refused(foreign), "the function `double` is one of another host");
    let none = Host::builder().isolates(1).function_threads(0).build();
    assert!(none.is_err_and(|error| error.to_string().contains("function_threads")));
}

#[test]
fn a_host_closes_while_its_functions_run() {
    let host = host();
    let Gate { function, came, open } = gate(&host);
    let (forever, entered, dropped) = never(&host);
    let blocked = opened(&host, Spawn::entry("run").function(&function));
    let waits = opened(&host, Spawn::entry("run").function(&forever));
    for plugin in [&blocked, &waits] {
        plugin.tell(&Order::Wait, PATIENCE).expect("it serves");
    }
    let (caller, _) = (came.recv().expect("it calls"), entered.recv().expect("it calls"));
    host.shutdown(Duration::ZERO);
    assert_eq!(blocked.isolate().join(), Exit::HostClosed);
    assert_eq!((waits.isolate().join(), dropped.recv()), (Exit::HostClosed, Ok(())));
    assert!(caller.has_ended());
    drop(host);
    drop(open);
}
