//! What an embedder and a guest hand each other: isolates, capabilities, blobs, names.

use insula::{
    AskError, Blob, Capability, Either, Exit, Grant, Host, Isolate, Killer, Limits, MailboxPolicy, NameError, Priority,
    RecvError, SendPort, Spawn, Status, recv_either,
};
use serde::{Deserialize, Serialize};

use crate::harness::{self, Folder};

#[derive(Serialize, Deserialize)]
struct Shown {
    all: Isolate,
    bare: Isolate,
    key: Capability,
    port: SendPort<(Capability, Blob, Isolate)>,
}

fn host() -> Host {
    Host::builder().isolates(8).threads(2).cache_folder(harness::cache()).build().expect("there is room")
}

#[test]
fn s3_3_handles_travel_between_embedder_and_guest_with_their_authority() {
    let host = host();
    let module = host.load_file(harness::guest("shows_itself")).expect("the guest is a module");
    let (shown, told) = (host.receive_port::<Shown>(), host.receive_port::<String>());
    let message = (shown.send_port(), told.send_port());
    let spawned = host.spawn(&module, Spawn::entry("run").message(&message)).expect("it has an entry");
    drop(message);
    let Shown { all, bare, key, port } = shown.recv().expect("it shows itself");
    assert_eq!((all.id(), &all), (spawned.id(), &spawned));
    assert!(bare != all && bare.pause_capability().is_none() && bare.terminate_capability().is_none());
    port.send((key, Blob::from_parts(&[b"moved ", b"bytes"]), all.clone())).expect("it lives");
    assert_eq!(told.recv().as_deref(), Ok("true, moved bytes"));

    bare.kill(Priority::Immediate);
    bare.pause_with(&key);
    bare.clone().with_terminate(host.capability()).kill(Priority::Immediate);
    let pong = host.receive_port::<u8>();
    bare.ping(&pong.send_port(), 1, Priority::Immediate).expect("anybody may ping");
    assert_eq!((pong.recv(), bare.exit()), (Ok(1), None), "without authority nothing else happened");
    all.kill(Priority::Immediate);
    assert_eq!(bare.join(), Exit::Killed { by: Killer::Embedder });
    bare.add_exit_listener(&pong.send_port(), 2).expect("the dead answer at once");
    assert_eq!(pong.recv(), Ok(2));
}

#[test]
fn s6_6_a_failed_send_leaves_the_blob_with_the_embedder() {
    let host = host();
    let blob = Blob::new(b"mine".to_vec());
    let port = host.receive_port::<Blob>();
    let to_port = port.send_port();
    port.close();
    assert_eq!(to_port.send_ref(&blob), Err(Status::Closed.into()));
    assert_eq!(blob.length(), Ok(4));
    let module = host.load("empty", b"(module)").expect("the text is a module");
    assert!(host.spawn(&module, Spawn::entry("none").message(&blob)).is_err());
    let small = host.receive_port_with::<Blob>(&Limits::default().mailbox(1, 66), MailboxPolicy::Error);
    assert_eq!(small.send_port().send_ref(&blob), Err(Status::TooLarge.into()));
    let port = host.receive_port::<(Blob, u8)>();
    assert_eq!(port.send_port().send((blob, 1)), Ok(()));
    let (blob, _) = port.recv().expect("it was sent");
    assert_eq!(blob.into_bytes(), Ok(b"mine".to_vec()));
}

#[test]
fn s6_6_a_spawn_that_is_used_twice_has_its_blob_once() {
    let host = host();
    let module = host.load("waits", b"(module (func (export \"run\") (loop (br 0))))").expect("it is a module");
    let blob = Blob::new(vec![1]);
    let spawn = Spawn::entry("run").message(&blob);
    let first = host.spawn(&module, spawn.clone()).expect("there is room");
    assert!(host.spawn(&module, spawn).is_err(), "its blob is gone");
    assert!(blob.length().is_err());
    first.kill(Priority::Immediate);
}

#[test]
fn s6_5_the_embedder_and_its_guests_share_a_namespace() {
    let host = host();
    let module = host.load_file(harness::guest("names")).expect("the guest is a module");
    let (names, port) = (host.names("shared"), host.receive_port::<String>());
    names.register("log", &port.send_port()).expect("the name is free");
    assert_eq!(names.register("log", &port.send_port()), Err(NameError::Taken("log".to_owned())));
    let report = host.receive_port::<String>();
    let spawn = Spawn::entry("run").message(&report.send_port()).grant(Grant::names("shared"));
    host.spawn(&module, spawn).expect("it has an entry");
    assert_eq!(report.recv().as_deref(), Ok("nobody yet: Ok(())"));
    assert!(names.remove("log") && !names.remove("log"));
    assert!(host.names("another").lookup::<String>("log").is_none());
}

#[test]
fn s2_3_two_namespaces_contradict_each_other() {
    let host = host();
    let module = host.load("empty", b"(module (func (export \"run\")))").expect("the text is a module");
    let spawn = |other| Spawn::entry("run").grant(Grant::names("one")).grant(Grant::names(other));
    let refused = host.spawn(&module, spawn("two")).expect_err("which of them?").to_string();
    assert_eq!(refused, "an isolate has one namespace: not namespace one and namespace two");
    assert!(host.spawn(&module, spawn("one")).is_ok());
}

#[test]
fn s6_1_a_port_of_the_embedder_s_closes_once_and_gives_one_message() {
    let host = host();
    let port = host.receive_port::<u8>();
    port.send_port().send(1).expect("it is open");
    assert_eq!(port.messages().collect::<Vec<_>>(), [Ok(1)], "and then nobody can send");
    let to_port = port.send_port();
    to_port.send(2).expect("it is open");
    assert!(port.discard() && !port.discard());
    port.close();
    port.close();
    assert_eq!((port.recv(), to_port.send(3)), (Err(RecvError::Closed), Err(Status::Closed.into())));
    let port = host.receive_port::<u8>();
    port.send_port().send(4).expect("it is open");
    assert_eq!(port.single(), Ok(4));
    let port = host.receive_port::<u8>();
    for n in [5, 6] {
        port.send_port().send(n).expect("it is open");
    }
    assert!(matches!(port.single(), Err(RecvError::MoreThanOne { .. })));
    assert_eq!(host.receive_port::<u8>().first(), Err(RecvError::Unreachable));
}

#[test]
fn s1_4_a_send_waits_where_the_port_s_policy_says_so() {
    let host = host();
    let port = host.receive_port_with::<u32>(&Limits::default().mailbox(1, 1_000), MailboxPolicy::Wait);
    let to_port = port.send_port();
    to_port.send(1).expect("there is room");
    assert_eq!(to_port.try_send(&2), Err(Status::Full.into()));
    assert_eq!(to_port.send_timeout(&2, std::time::Duration::ZERO), Err(Status::TimedOut.into()));
    std::thread::scope(|scope| {
        let sent = scope.spawn(|| to_port.send(2));
        assert_eq!((port.recv(), port.recv()), (Ok(1), Ok(2)));
        assert_eq!(sent.join().expect("a send does not panic"), Ok(()));
    });
}

#[test]
fn the_earliest_of_two_ports_is_received() {
    let host = host();
    let (numbers, words) = (host.receive_port::<u32>(), host.receive_port::<String>());
    let (to_numbers, to_words) = (numbers.send_port(), words.send_port());
    to_words.send("two".to_owned()).expect("it is open");
    assert_eq!(recv_either(&numbers, &words), Ok(Either::Second("two".to_owned())));
    drop(to_words);
    to_numbers.send(3).expect("it is open");
    assert_eq!(recv_either(&numbers, &words), Ok(Either::First(3)));
    drop(to_numbers);
    assert_eq!(recv_either(&numbers, &words), Err(RecvError::Unreachable));
}

#[test]
fn s2_6_a_tree_keeps_the_modules_that_it_started_with() {
    let (host, folder) = (host(), Folder::new("kept"));
    let bytes = std::fs::read(harness::guest("other_module")).expect("the guest is there");
    let file = folder.file("other_module.wasm", bytes);
    host.offer_file("other_module", &file);
    let module = host.load_file(harness::guest("spawns_module")).expect("the guest is a module");
    let told = || {
        let report = host.receive_port::<String>();
        let spawn = Spawn::entry("run").message(&report.send_port()).grant(Grant::modules());
        host.spawn(&module, spawn).expect("it has an entry");
        report.messages().collect::<Result<Vec<_>, _>>().expect("it tells lines")
    };
    let before = told();
    assert!(before.contains(&"other_module an argument, a message".to_owned()), "{before:?}");
    std::fs::write(&file, "no module any more").expect("the folder is ours");
    assert_eq!(told(), before);
}

#[test]
fn s4_5_the_errors_of_an_isolate_are_a_port_that_ends_with_it() {
    let host = host();
    let module = host.load("traps", b"(module (func (export \"run\") unreachable))").expect("the text is a module");
    let isolate = host.spawn(&module, Spawn::entry("run").paused(true)).expect("it has an entry");
    let errors = isolate.errors().expect("there is room");
    isolate.resume_birth();
    let told: Vec<_> = errors.messages().collect();
    assert!(matches!(&told[..], [Ok(error)] if error.message == "unreachable"), "{told:?}");
}

#[test]
fn s2_3_a_message_that_an_export_cannot_decode_is_a_failed_start() {
    let host = host();
    let module = host.load_file(harness::guest("names")).expect("the guest is a module");
    let isolate = host.spawn(&module, Spawn::entry("run").message(&"no port")).expect("it has an entry");
    let exit = isolate.join();
    assert!(matches!(&exit, Exit::StartFailed { error } if error.message.contains("initial message")), "{exit:?}");
}

#[test]
fn a_link_and_questions_of_an_embedder_end_with_the_other_side() {
    let host = host();
    let module = host.load_file(harness::guest("serves_link")).expect("the guest is a module");
    let (link, end) = host.duplex::<usize, String>();
    let ports = host.receive_port::<SendPort<(u64, SendPort<u64>)>>();
    let spawn = Spawn::entry("run").message(&(&end, ports.send_port()));
    let isolate = host.spawn(&module, spawn).expect("it has an entry");
    drop(end);
    let squares = ports.recv().expect("it takes questions");
    let patience = std::time::Duration::from_secs(60);
    link.send("four".to_owned()).expect("it serves");
    assert_eq!(link.recv(), Ok(4));
    assert_eq!(squares.ask(|reply| (12, reply), patience), Ok(144_u64));
    assert_eq!(squares.ask::<u64, _>(|reply| (0, reply), patience), Err(AskError::Unreachable));
    link.send("end".to_owned()).expect("it serves");
    assert_eq!((isolate.join(), link.recv()), (Exit::Returned, Err(RecvError::Unreachable)));
    assert_eq!(link.send("late".to_owned()), Err(Status::Closed.into()));
    let late = squares.ask::<u64, _>(|reply| (1, reply), patience);
    assert_eq!(late, Err(AskError::Unasked(Status::Closed.into())));
}
