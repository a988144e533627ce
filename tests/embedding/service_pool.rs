//! A pool of isolates that are ready: each is called by one caller, and then gone.

use std::time::Duration;

use insula::{CallError, Host, PoolSize, Priority, ServicePool, Spawn, SpawnError};

use super::questions::Question;
use crate::harness;

type Pool = ServicePool<Question, Vec<u64>>;

const PATIENCE: Duration = Duration::from_secs(600);

fn host(isolates: u32) -> Host {
    let builder = Host::builder().isolates(isolates).threads(2).cache_folder(harness::cache());
    builder.on_uncaught(|_| ()).build().expect("there is room for a small host")
}

fn pool(host: &Host, ready: usize, max: usize) -> Pool {
    let module = host.load_file(harness::guest("serves_calls")).expect("the guest is a module");
    host.service_pool(&module, Spawn::entry("run"), PoolSize { ready, max }).expect("it has an entry")
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("there are threads").block_on(future)
}

#[test]
fn an_isolate_that_was_called_is_never_called_again() {
    let host = host(16);
    let pool = pool(&host, 2, 8);
    assert_eq!(pool.ready(), 2);
    for _ in 0..20 {
        assert_eq!(pool.call(&Question::Count(0), PATIENCE), Ok(vec![1]), "its count begins anew");
        assert_eq!(block_on(pool.call_async(&Question::Count(0), PATIENCE)), Ok(vec![1]));
    }
    let counted: Vec<_> = std::thread::scope(|scope| {
        let ask = || (0..10).map(|_| pool.call(&Question::Count(0), PATIENCE)).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    assert!(counted.iter().all(|count| *count == Ok(vec![1])), "{counted:?}");
}

#[test]
fn whoever_checks_an_isolate_out_has_it_alone_and_kills_it_in_the_end() {
    let host = host(16);
    let pool = pool(&host, 1, 4);
    let plugin = pool.check_out(PATIENCE).expect("there is one");
    let other = block_on(pool.check_out_async(PATIENCE)).expect("there is one");
    let counts = [1, 2, 3].map(|_| plugin.call(&Question::Count(0), PATIENCE));
    assert_eq!(counts, [Ok(vec![1]), Ok(vec![2]), Ok(vec![3])]);
    assert_eq!(other.call(&Question::Count(0), PATIENCE), Ok(vec![1]));
    let isolate = plugin.isolate().clone();
    assert_ne!(isolate.id(), other.isolate().id());
    drop(plugin);
    assert_eq!(isolate.join().to_string(), "killed by the embedder");
}

#[test]
fn what_is_done_to_one_is_the_end_of_that_one() {
    let host = host(16);
    let pool = pool(&host, 2, 4);
    for _ in 0..3 {
        let panicked = pool.call(&Question::Panic("oh no".to_owned()), PATIENCE);
        assert!(matches!(panicked, Err(CallError::Ended(_))), "{panicked:?}");
        assert_eq!(pool.call(&Question::Loop, Duration::from_millis(20)), Err(CallError::TimedOut));
        assert_eq!(pool.call(&Question::Drop, PATIENCE), Err(CallError::Unanswered));
        assert_eq!(pool.call(&Question::Count(0), PATIENCE), Ok(vec![1]));
    }
}

#[test]
fn where_as_many_live_as_may_a_check_out_waits_for_a_death() {
    let host = host(16);
    let pool = pool(&host, 1, 2);
    let one = pool.check_out(PATIENCE).expect("there is one");
    let other = pool.check_out(PATIENCE).expect("there is room for one");
    assert_eq!(pool.check_out(Duration::ZERO).map(|_| ()), Err(CallError::TimedOut));
    assert_eq!(pool.call(&Question::Count(0), Duration::ZERO), Err(CallError::TimedOut));
    let late = block_on(pool.call_async(&Question::Count(0), Duration::from_millis(1)));
    assert_eq!(late, Err(CallError::TimedOut));
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| pool.call(&Question::Count(0), PATIENCE));
        drop(one);
        assert_eq!(waits.join().expect("no panic"), Ok(vec![1]));
        let waits = scope.spawn(|| block_on(pool.check_out_async(PATIENCE)).map(|_| ()));
        let more = scope.spawn(|| pool.check_out(PATIENCE).map(|_| ()));
        other.isolate().kill(Priority::Immediate); // also where whoever has it knows nothing of that yet
        assert_eq!((waits.join().expect("no panic"), more.join().expect("no panic")), (Ok(()), Ok(())));
    });
}

#[test]
fn those_that_died_while_they_were_ready_are_given_to_nobody() {
    let host = host(16);
    let module = host.load("traps", b"(module (func (export \"run\") unreachable))").expect("the text is a module");
    let gone = host.receive_port::<()>();
    let spawn = Spawn::entry("run").on_exit(&gone.send_port(), ());
    let pool = host.service_pool::<(), ()>(&module, spawn, PoolSize { ready: 3, max: 3 }).expect("it has an entry");
    for _ in 0..3 {
        gone.recv().expect("each is told of");
    }
    for _ in 0..5 {
        let ended = pool.call(&(), PATIENCE);
        assert!(matches!(ended, Err(CallError::Ended(_))), "{ended:?}");
    }
}

#[test]
fn a_pool_without_room_says_so_and_lets_nobody_wait() {
    let host = host(2);
    let module = host.load("empty", b"(module)").expect("the text is a module");
    let refused = host.service_pool::<(), ()>(&module, Spawn::entry("run"), PoolSize::default()).map(|_| ());
    assert!(matches!(refused, Err(SpawnError::NoEntry { .. })), "{refused:?}");
    let pool = pool(&host, 2, 8);
    let held =
        [pool.check_out(PATIENCE), pool.check_out(PATIENCE)].map(|held| held.expect("the host has room for two"));
    let refused = pool.check_out(PATIENCE).map(|_| ());
    assert_eq!(refused, Err(CallError::Unborn(SpawnError::TooManyIsolates { max: 2 })));
    drop(held);
    drop(pool);

    let host = self::host(2);
    let pool = self::pool(&host, 1, 1);
    let held = pool.check_out(PATIENCE).expect("there is one");
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| pool.call(&Question::Count(0), PATIENCE));
        host.shutdown(Duration::ZERO);
        assert_eq!(waits.join().expect("no panic"), Err(CallError::Unborn(SpawnError::HostClosed)));
    });
    drop(held);
}
