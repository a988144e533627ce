//! How an embedder learns of an end, and how it brings it about.

use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use insula::{Exit, Host, Isolate, Killer, Module, Priority, Spawn};

use super::ends::loaded;
use crate::harness;

const KILLED: Exit = Exit::Killed { by: Killer::Embedder };

/// Long enough for whatever a test waits for.
const LONG: Duration = Duration::from_secs(600);

const LOOPS: &str =
    "(module (func (export \"run\") (loop (br 0))) (func (export \"done\")) (func (export \"traps\") unreachable))";

fn spawn(host: &Host, module: &Module, entry: &str) -> Isolate {
    host.spawn(module, Spawn::entry(entry)).expect("there is room")
}

#[test]
fn a_join_has_a_timeout() {
    let (host, module) = loaded(LOOPS);
    let isolate = spawn(&host, &module, "run");
    assert_eq!(isolate.join_timeout(Duration::ZERO), None);
    assert_eq!(isolate.join_timeout(Duration::from_millis(5)), None);
    isolate.kill(Priority::Immediate);
    assert_eq!((isolate.join_timeout(LONG), isolate.join_timeout(Duration::ZERO)), (Some(KILLED), Some(KILLED)));
}

#[test]
fn a_join_with_a_timeout_ends_when_its_isolate_does() {
    let (host, module) = loaded(LOOPS);
    let isolate = spawn(&host, &module, "run");
    std::thread::scope(|scope| {
        let joined = [(); 3].map(|()| scope.spawn(|| isolate.join_timeout(LONG)));
        isolate.kill(Priority::Immediate);
        for thread in joined {
            assert_eq!(thread.join().expect("a join does not panic"), Some(KILLED));
        }
    });
    let isolate = spawn(&host, &module, "run");
    std::thread::scope(|scope| {
        let joined = scope.spawn(|| isolate.join_timeout(LONG));
        host.shutdown(Duration::ZERO);
        assert_eq!(joined.join().expect("a join does not panic"), Some(Exit::HostClosed));
    });
}

#[test]
fn a_wait_that_is_given_up_loses_nothing() {
    let (host, module) = loaded(LOOPS);
    let isolate = spawn(&host, &module, "run");
    let mut cx = Context::from_waker(Waker::noop());
    let mut given_up = (Box::pin(isolate.ended_within(LONG)), Box::pin(isolate.stop_async(LONG)));
    assert!(given_up.0.as_mut().poll(&mut cx).is_pending());
    assert!(given_up.1.as_mut().poll(&mut cx).is_pending());
    drop(given_up);
    assert_eq!(isolate.exit(), None, "it was asked, and not killed");
    let mut stopped = Box::pin(isolate.stop_tree_async(LONG));
    let mut ended = Box::pin(isolate.ended_within(LONG));
    assert!(stopped.as_mut().poll(&mut cx).is_pending() && ended.as_mut().poll(&mut cx).is_pending());
    isolate.kill(Priority::Immediate);
    assert_eq!(isolate.join(), KILLED);
    assert_eq!(ended.as_mut().poll(&mut cx), Poll::Ready(Some(KILLED)));
    assert_eq!(stopped.as_mut().poll(&mut cx), Poll::Ready(vec![(isolate.id(), KILLED)]));
}

#[test]
fn whoever_wants_to_is_called_with_the_exit_once() {
    let (host, module) = loaded(LOOPS);
    let (told, ends) = mpsc::channel();
    let tells = |name: &'static str, isolate: &Isolate| {
        let (told, seen) = (told.clone(), isolate.clone());
        isolate.on_end(move |exit| told.send((name, exit.clone(), seen.exit())).expect("the test listens"));
    };
    let isolate = spawn(&host, &module, "run");
    tells("first", &isolate);
    tells("second", &isolate);
    isolate.on_end(|_| panic!("whoever is called may panic"));
    isolate.kill(Priority::Immediate);
    isolate.kill(Priority::Immediate);
    let told_of = |name| (name, KILLED, Some(KILLED));
    assert_eq!([ends.recv(), ends.recv()], [Ok(told_of("first")), Ok(told_of("second"))]);
    tells("of the dead", &isolate);
    assert_eq!(ends.recv(), Ok(told_of("of the dead")));
    drop(host);
    tells("of a host that is gone", &isolate);
    assert_eq!(ends.recv(), Ok(told_of("of a host that is gone")));
    assert_eq!(ends.try_recv(), Err(mpsc::TryRecvError::Empty), "and nobody twice");
}

#[test]
fn whoever_is_called_at_an_end_is_told_of_the_error_first_and_may_close_the_host() {
    let (told, order) = mpsc::channel();
    let told_too = told.clone();
    let builder = Host::builder().isolates(4).threads(2).on_uncaught(move |uncaught| {
        told_too.send(uncaught.error.message.clone()).expect("the test listens");
    });
    let host = builder.build().expect("there is room for a small host");
    let module = host.load("traps", LOOPS.as_bytes()).expect("the text is a module");
    let (isolate, loops) = (spawn(&host, &module, "traps"), spawn(&host, &module, "run"));
    let at_the_end = host.clone();
    isolate.on_end(move |exit| {
        assert_eq!(at_the_end.shutdown(Duration::ZERO).len(), 1);
        told.send(exit.to_string()).expect("the test listens");
    });
    assert_eq!([order.recv(), order.recv()], [Ok("unreachable".to_owned()), Ok("trapped: unreachable".to_owned())]);
    assert_eq!(loops.join(), Exit::HostClosed);
}

#[test]
fn when_a_host_is_shut_down_everybody_was_called() {
    let (host, module) = loaded(LOOPS);
    let (told, ends) = mpsc::channel();
    for isolate in [(); 8].map(|()| spawn(&host, &module, "run")) {
        let told = told.clone();
        isolate.on_end(move |exit| told.send(exit.clone()).expect("the test listens"));
    }
    host.shutdown(Duration::ZERO);
    assert_eq!(ends.try_iter().collect::<Vec<_>>(), vec![Exit::HostClosed; 8]);
}

#[test]
fn whoever_is_asked_to_stop_has_a_grace_period() {
    let host = Host::builder().isolates(4).threads(2).cache_folder(harness::cache()).build().expect("there is room");
    let module = host.load_file(harness::guest("stops_when_asked")).expect("the guest is a module");
    let port = host.receive_port::<String>();
    let spawn = |entry| host.spawn(&module, Spawn::entry(entry).message(&port.send_port())).expect("it has the entry");
    let heeds = spawn("heeds");
    assert_eq!(port.recv().as_deref(), Ok("ready"));
    assert_eq!(heeds.stop(LONG), Some(Exit::Returned));
    assert_eq!(port.recv().as_deref(), Ok("asked to stop"));
    let ignores = spawn("ignores");
    assert_eq!(port.recv().as_deref(), Ok("ready"));
    assert_eq!(ignores.clone().without_terminate().stop(LONG), None, "who may not kill does not wait either");
    assert_eq!(ignores.stop(Duration::from_millis(5)), Some(KILLED));
    assert_eq!(ignores.stop(LONG), Some(KILLED), "the dead have stopped");
}

#[test]
fn whoever_is_paused_or_not_yet_born_is_stopped_too() {
    let (host, module) = loaded(LOOPS);
    let unborn = host.spawn(&module, Spawn::entry("done").paused(true)).expect("there is room");
    assert_eq!(unborn.stop(Duration::from_millis(1)), Some(KILLED));
    let paused = spawn(&host, &module, "run");
    let _token = paused.pause();
    assert_eq!(paused.stop(Duration::ZERO), Some(KILLED));
}

#[test]
fn a_stop_ends_when_somebody_else_kills() {
    let (host, module) = loaded(LOOPS);
    let isolate = spawn(&host, &module, "run");
    std::thread::scope(|scope| {
        let stopped = scope.spawn(|| isolate.stop(LONG));
        isolate.kill(Priority::Immediate);
        assert_eq!(stopped.join().expect("a stop does not panic"), Some(KILLED));
        let again = spawn(&host, &module, "run");
        let stopped = scope.spawn(move || again.stop_tree(LONG));
        host.shutdown(Duration::ZERO);
        let ended: Vec<_> = stopped.join().expect("a stop does not panic").into_iter().map(|(_, exit)| exit).collect();
        assert!(ended.is_empty() || ended == [Exit::HostClosed], "{ended:?}");
    });
}

#[test]
fn a_tree_is_stopped_with_grace_and_then_without() {
    let host = Host::builder().isolates(16).threads(2).cache_folder(harness::cache()).build().expect("there is room");
    let module = host.load_file(harness::guest("stops_when_asked")).expect("the guest is a module");
    let spawn = |entry| {
        let port = host.receive_port::<String>();
        let spawn = Spawn::entry(entry).message(&port.send_port());
        let root = host.spawn(&module, spawn).expect("it has the entry");
        let ready = port.messages().take(3).collect::<Result<Vec<_>, _>>().expect("they send");
        assert_eq!(ready, ["ready"; 3], "it has two children");
        (root, port)
    };
    let (heeds, port) = spawn("family_heeds");
    assert!(heeds.clone().without_terminate().stop_tree(LONG).is_empty());
    let ended = heeds.stop_tree(LONG);
    assert_eq!((ended.len(), ended[0].0), (3, heeds.id()));
    assert!(ended.iter().all(|(_, exit)| *exit == Exit::Returned), "{ended:?}");
    assert_eq!(port.messages().take(3).collect::<Vec<_>>(), [(); 3].map(|()| Ok("asked to stop".to_owned())));

    let (mixed, _port) = spawn("family_mixed");
    let ended = mixed.stop_tree(Duration::from_millis(50));
    let killed = ended.iter().filter(|(_, exit)| *exit == KILLED).count();
    assert!(ended.len() == 3 && killed >= 1, "{ended:?}");
    assert!(mixed.stop_tree(Duration::ZERO).is_empty(), "nobody is left");

    // The root is gone before.
    let (root, _port) = spawn("family_left");
    assert_eq!(root.join(), Exit::Returned);
    let ended: Vec<_> = root.stop_tree(Duration::ZERO).into_iter().map(|(_, exit)| exit).collect();
    assert_eq!(ended, [KILLED, KILLED]);
    assert_eq!(host.live(), 0);
}
