//! The port of a plugin: it is the same over all of its isolates, for guests and for the embedder.

use insula::{CallError, Exit, Host, Limits, Plugin, Request, SendPort, Service, Spawn, Status};
use serde::Serialize;

use super::*;

/// A guest that asks by the port what it is asked.
fn asker(host: &Host, port: &SendPort<Request<Question, Vec<u64>>>) -> Service<Question, Result<Vec<u64>, String>> {
    let module = host.load_file(harness::guest("asks_plugin")).expect("the guest is a module");
    host.open(&module, Spawn::entry("asks").message(port)).expect("it has an entry")
}

fn notes(host: &Host, limits: Limits, restart: Restart) -> Plugin<u64, Vec<u64>> {
    let module = host.load_file(harness::guest("asks_plugin")).expect("the guest is a module");
    host.supervise(&module, Spawn::entry("notes").limits(limits), restart).expect("it has an entry")
}

#[test]
fn whoever_holds_its_port_need_not_learn_of_a_restart() {
    let host = host();
    let plugin = counts(&host, at_once());
    let asker = asker(&host, &plugin.send_port());
    for lives in 1..=20 {
        assert_eq!(asker.call(&COUNT, PATIENCE), Ok(Ok(vec![1])), "life {lives}");
        assert_eq!(plugin.call(&COUNT, PATIENCE), Ok(vec![2]), "it is the same isolate for both");
        kill(&plugin);
    }
    assert_eq!(asker.call(&COUNT, PATIENCE), Ok(Ok(vec![1])));
    assert_eq!((plugin.restarts(), asker.isolate().exit()), (20, None));
}

#[test]
fn what_an_isolate_had_by_the_port_is_over_with_it_and_no_wait_of_a_guest_outlasts_it() {
    let host = host();
    let plugin = counts(&host, at_once());
    let asker = asker(&host, &plugin.send_port());
    let unanswered = "nobody can answer any more";
    let panicked = asker.call(&Question::Panic("oh no".to_owned()), PATIENCE).expect("the asker lives");
    assert!(panicked.is_err(), "{unanswered}: {panicked:?}");
    assert_eq!(asker.call(&COUNT, PATIENCE), Ok(Ok(vec![1])));
    assert_eq!(plugin.stop(PATIENCE), Exit::Returned);
    let closed = asker.call(&COUNT, PATIENCE).expect("the asker lives");
    assert!(closed.is_err(), "{closed:?}");
    assert_eq!(plugin.send_port().send(Request::new(COUNT)).map_err(|error| error.status), Err(Status::Closed));
}

#[test]
fn a_question_that_waits_at_the_port_of_a_plugin_that_gives_up_is_over() {
    let host = host();
    let plugin = counts(&host, late());
    let asker = asker(&host, &plugin.send_port());
    assert_eq!(asker.call(&COUNT, PATIENCE), Ok(Ok(vec![1])));
    kill(&plugin);
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| asker.call(&COUNT, PATIENCE));
        assert_eq!(asker.call(&COUNT, Duration::from_millis(5)), Err(CallError::TimedOut));
        assert_eq!(plugin.stop(PATIENCE), KILLED);
        assert!(waits.join().expect("no panic").expect("the asker lives").is_err());
    });
}

#[test]
fn messages_wait_at_the_port_within_its_bounds_and_their_senders_learn_that_it_is_full() {
    let host = host();
    let plugin = notes(&host, Limits::default().mailbox(8, 10_000), late());
    let module = host.load_file(harness::guest("asks_plugin")).expect("the guest is a module");
    assert_eq!(plugin.call(&0, PATIENCE), Ok(vec![]));
    let events = events(&plugin);
    kill(&plugin);
    assert_eq!(next(&events), "died");
    let port = plugin.send_port();
    let refused = (1..100).find_map(|number| Some((number, port.try_send(&Request::new(number)).err()?.status)));
    assert_eq!(refused, Some((9, Status::Full)), "eight wait there");
    let large = notes(&host, Limits::default().message(1_000), late()).send_port();
    let large = large.untyped().typed::<Vec<u8>>().send(vec![0; 2_000]);
    assert_eq!(large.map_err(|error| error.status), Err(Status::TooLarge));
    // The next isolate has what waited, in its order.
    assert_eq!(plugin.upgrade(&module, Spawn::entry("notes"), PATIENCE), Ok(KILLED));
    let mut noted = Vec::new();
    while noted.len() < 8 {
        noted.extend(plugin.call(&0, PATIENCE).expect("it lives"));
    }
    assert_eq!(noted, (1..=8).collect::<Vec<_>>());
}

#[test]
fn nothing_is_lost_and_order_is_kept_where_the_isolate_is_slower_than_its_senders() {
    const MANY: u64 = 5_000;
    let host = host();
    let plugin = notes(&host, Limits::default().mailbox(4, 10_000), late());
    let full = CallError::Unsent(Status::Full.into());
    let mut noted = Vec::new();
    let (sent, failed) = std::thread::scope(|scope| {
        let port = plugin.send_port();
        let sends = scope.spawn(move || {
            (1..=MANY).find_map(|number| {
                loop {
                    match port.try_send(&Request::new(number)) {
                        Ok(()) => break None,
                        Err(error) if error.status == Status::Full => std::thread::yield_now(),
                        Err(error) => break Some(error),
                    }
                }
            })
        });
        let mut failed = None;
        while noted.len() < MANY as usize && failed.is_none() {
            match plugin.call(&0, PATIENCE) {
                Ok(more) => noted.extend(more),
                Err(error) if error == full => {} // what was handed on had the last place
                Err(error) => failed = Some(error),
            }
        }
        plugin.stop(Duration::ZERO); // or a sender could wait for good
        (sends.join().expect("no panic"), failed)
    });
    assert_eq!((sent, failed), (None, None));
    assert!(noted.iter().copied().eq(1..=MANY), "{noted:?}");
}

#[test]
fn a_message_of_another_type_by_the_port_ends_nobody() {
    let host = host();
    let plugin = counts(&host, late());
    assert_eq!(plugin.call(&COUNT, PATIENCE), Ok(vec![1]));
    let port = plugin.send_port().untyped();
    port.clone().typed::<String>().send("no request".to_owned()).expect("it is open");
    port.typed::<(u8, u8, u8)>().send((1, 0, 99)).expect("it is open");
    let mut counted = 0;
    while counted < 10 {
        counted = plugin.call(&COUNT, PATIENCE).expect("it lives")[0];
    }
    assert_eq!(plugin.restarts(), 0);
}

#[test]
fn a_question_that_holds_more_than_the_isolate_has_room_for_ends_nobody() {
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Odd {
        Number(u64),
        Ports(Vec<SendPort<u64>>),
    }
    let host = host();
    let module = host.load_file(harness::guest("asks_plugin")).expect("the guest is a module");
    for entry in ["notes", "listens"] {
        let spawn = Spawn::entry(entry).limits(Limits::default().table(10, 20));
        let plugin = host.supervise::<Odd, Vec<u64>>(&module, spawn, late()).expect("it has an entry");
        assert_eq!(plugin.call(&Odd::Number(7), PATIENCE), Ok(vec![]));
        let port = host.receive_port();
        let ports = Odd::Ports(vec![port.send_port(); 100]);
        assert_eq!(plugin.call(&ports, PATIENCE), Err(CallError::Unanswered), "{entry}");
        assert_eq!((plugin.call(&Odd::Number(0), PATIENCE), plugin.restarts()), (Ok(vec![7]), 0), "{entry}");
    }
}
