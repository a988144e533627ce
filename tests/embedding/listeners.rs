//! An embedder's handlers, several at one port, and what isolates compute for it.

use std::ops::ControlFlow;
use std::sync::mpsc;
use std::time::Duration;

use insula::{Exit, Host, Killer, Priority, Received, RecvError, RunError, SendPort, Spawn};

use crate::harness;

fn host() -> Host {
    Host::builder().isolates(8).threads(2).cache_folder(harness::cache()).build().expect("there is room")
}

#[test]
fn a_listener_hears_all_until_nobody_can_send_or_it_breaks_off() {
    let host = host();
    let port = host.receive_port::<u32>();
    let (to_port, (told, heard)) = (port.send_port(), mpsc::channel());
    let all = told.clone();
    let listener = port.listen(move |number| {
        all.send(number).ok();
        ControlFlow::Continue(())
    });
    (0..3).try_for_each(|n| to_port.send(n)).expect("it is open");
    drop(to_port);
    listener.expect("there is a thread").join().expect("the handler does not panic");
    assert_eq!(heard.try_iter().collect::<Vec<_>>(), [Ok(0), Ok(1), Ok(2)]);

    let port = host.receive_port::<u32>();
    let to_port = port.send_port();
    let listener = port.listen(move |number| {
        told.send(number).ok();
        ControlFlow::Break(())
    });
    to_port.send(4).expect("it is open");
    listener.expect("there is a thread").join().expect("the handler does not panic");
    assert_eq!(heard.iter().collect::<Vec<_>>(), [Ok(4)]);
    assert!(to_port.send(5).is_err(), "breaking off closes it");
}

#[test]
fn s6_3_a_raw_port_of_the_embedder_s_has_one_handler_or_none() {
    let host = host();
    let port = host.raw_receive_port::<(u32, Option<SendPort<()>>)>().expect("there is a thread");
    let (to_port, (told, heard)) = (port.send_port(), mpsc::channel());
    let (own, later) = (port.clone(), told.clone());
    // The first swaps itself for another.
    port.set_handler(move |number| {
        later.send(("first", number)).ok();
        let second = later.clone();
        own.set_handler(move |number| {
            second.send(("second", number)).ok();
            ControlFlow::Continue(())
        });
        ControlFlow::Continue(())
    });
    to_port.send((1, None)).expect("it is open");
    to_port.send((2, None)).expect("it is open");
    assert_eq!(heard.recv(), Ok(("first", Ok(Received::Data((1, None))))));
    assert_eq!(heard.recv(), Ok(("second", Ok(Received::Data((2, None))))));
    port.clear_handler();
    let dropped = host.receive_port::<()>();
    to_port.send((3, Some(dropped.send_port()))).expect("it is open");
    assert_eq!(dropped.recv(), Err(RecvError::Unreachable), "it had no handler");
    port.set_handler(move |number| {
        told.send(("third", number)).ok();
        ControlFlow::Continue(())
    });
    to_port.send((4, None)).expect("it is open");
    assert_eq!(heard.recv(), Ok(("third", Ok(Received::Data((4, None))))));
    port.close();
    port.close();
    assert!(to_port.send((5, None)).is_err());
}

#[test]
fn s6_2_a_broadcast_of_the_embedder_s_tells_all_and_keeps_what_nobody_hears() {
    let host = host();
    let port = host.receive_port::<u32>().broadcast();
    let (to_port, (told, heard)) = (port.send_port(), mpsc::channel());
    let listen = |name: &'static str, last: u32| {
        let told = told.clone();
        let subscription = port.listen(move |number| {
            told.send((name, number.clone())).ok();
            if number == Ok(last) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        subscription.expect("there is a thread")
    };
    (0..2).try_for_each(|n| to_port.send(n)).expect("it is open");
    assert_eq!(port.recv(), Ok(0), "the handshake");
    let _one = listen("one", 2);
    assert_eq!(heard.recv(), Ok(("one", Ok(1))), "what came before it listened");
    let two = listen("two", u32::MAX);
    to_port.send(2).expect("it is open");
    assert_eq!([heard.recv(), heard.recv()], [Ok(("one", Ok(2))), Ok(("two", Ok(2)))]);
    to_port.send(3).expect("it is open");
    assert_eq!(heard.recv(), Ok(("two", Ok(3))), "the other one broke off");
    two.cancel();
    to_port.send(4).expect("it is open");
    let _three = listen("three", u32::MAX);
    assert_eq!(heard.recv(), Ok(("three", Ok(4))), "it waited while nobody listened");
    port.close();
    assert_eq!(port.recv(), Err(RecvError::Closed));
    drop(port);
    assert!(to_port.send(5).is_err());
}

#[test]
fn s2_5_an_embedder_computes_in_an_isolate() {
    let host = host();
    let module = host.load_file(harness::guest("computes")).expect("the guest is a module");
    let halved = |number: u64| {
        let computation = host.compute::<u64, Result<u64, String>>(&module, Spawn::entry("halved"), &number);
        computation.expect("it has an entry").join()
    };
    assert_eq!(halved(8), Ok(Ok(4)));
    assert_eq!(halved(7), Ok(Err("7 is odd".to_owned())), "an error keeps its type");
    let panics = host.compute::<str, u64>(&module, Spawn::entry("panics"), "on purpose").expect("it has an entry");
    assert!(matches!(panics.join(), Err(RunError::Remote(error)) if error.message.starts_with("on purpose, at ")));
    let leaves = host.compute::<(), u64>(&module, Spawn::entry("leaves"), &()).expect("it has an entry");
    assert!(matches!(leaves.join(), Err(RunError::Remote(error)) if error.message.contains("without a result")));
    let loops = || host.compute::<(), u64>(&module, Spawn::entry("loops"), &()).expect("it has an entry");
    let (late, given_up) = (loops(), loops());
    let ends = [late.isolate().clone(), given_up.isolate().clone()];
    assert_eq!(late.join_timeout(Duration::from_millis(1)), Err(RunError::TimedOut));
    given_up.cancel();
    assert_eq!(ends.map(|isolate| isolate.join()), [(); 2].map(|()| Exit::Killed { by: Killer::Embedder }));
    let killed = loops();
    killed.isolate().kill(Priority::Immediate);
    assert!(matches!(killed.join(), Err(RunError::Remote(_))));
}
