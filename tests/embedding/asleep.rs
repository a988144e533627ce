//! Semantics 5.5: when a run ends because nothing can wake anybody, and what an embedder has to do with that.

use insula::{Exit, Host, Limits, MailboxPolicy, SendPort, Spawn};

use crate::harness;

fn host() -> Host {
    Host::builder().isolates(8).threads(2).cache_folder(harness::cache()).build().expect("there is room")
}

#[test]
fn beyond_all_asleep_also_where_one_is_paused_in_a_sleep() {
    let host = host();
    let module = host.load_file(harness::guest("falls_asleep")).expect("the guest is a module");
    // By a port of its own the embedder wakes nobody.
    let mine = host.receive_port::<u32>();
    let to_me = mine.send_port();
    let ended = host.run(&module, Spawn::main()).expect("there is room");
    let sleepers = ended.asleep.expect("nobody can wake anybody");
    assert_eq!(sleepers.iter().map(|sleeper| sleeper.paused).collect::<Vec<_>>(), [false, true]);
    assert_eq!((sleepers[0].ports.len(), ended.main), (1, Exit::HostClosed));
    drop(to_me);
}

#[test]
fn s5_5_a_port_in_a_message_to_the_embedder_can_wake_its_owner() {
    let host = host();
    let module = host.load_file(harness::guest("falls_asleep")).expect("the guest is a module");
    let ports = host.receive_port::<SendPort<u32>>();
    let spawn = Spawn::main().message(&ports.send_port());
    let ended = std::thread::scope(|scope| {
        let run = scope.spawn(|| host.run(&module, spawn).expect("there is room"));
        while ports.load().0 == 0 {
            std::thread::yield_now();
        }
        // The message waits for a while, in which the run has every reason to end but this one.
        for _ in 0..1_000 {
            std::thread::yield_now();
        }
        ports.recv().expect("it was sent").send(7).expect("its owner waits for it");
        run.join().expect("a run does not panic")
    });
    assert_eq!((ended.asleep, ended.main), (None, Exit::Returned));
}

#[test]
fn s5_5_who_waits_for_room_at_the_embedder_s_port_is_not_asleep() {
    let host = host();
    let module = host.load_file(harness::guest("fills_a_port")).expect("the guest is a module");
    let port = host.receive_port_with::<u32>(&Limits::default().mailbox(10, 10_000), MailboxPolicy::Wait);
    let spawn = Spawn::main().message(&port.send_port());
    let ended = std::thread::scope(|scope| {
        let run = scope.spawn(|| host.run(&module, spawn).expect("there is room"));
        // Until its share is full, and main waits for room; then for as long as a wrong run needs to end.
        while port.load().0 < 2 {
            std::thread::yield_now();
        }
        for _ in 0..1_000 {
            std::thread::yield_now();
        }
        let received: Vec<_> = port.messages().collect();
        assert_eq!(received, (0..100).map(Ok).collect::<Vec<_>>());
        run.join().expect("a run does not panic")
    });
    assert_eq!((ended.asleep, ended.main), (None, Exit::Returned));
}
