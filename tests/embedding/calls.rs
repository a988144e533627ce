//! Calls: answers with their types, streams, and every way in which there is no answer. In each of these tests it is the
//! event that ends a wait; where a time has to pass, none of the patience does.

use std::time::Duration;

use insula::{Blob, CallError, Exit, Host, Killer, Limits, Priority, SendPort, Service, Spawn, Status};

use super::questions::Question;
use crate::harness;

type Plugin = Service<Question, Vec<u64>>;

const PATIENCE: Duration = Duration::from_secs(600);
const KILLED: CallError = CallError::Ended(Exit::Killed { by: Killer::Embedder });

fn host() -> Host {
    let builder = Host::builder().isolates(16).threads(2).cache_folder(harness::cache());
    builder.on_uncaught(|_| ()).build().expect("there is room for a small host")
}

fn opened(host: &Host, entry: &str, limits: Limits) -> Plugin {
    let module = host.load_file(harness::guest("serves_calls")).expect("the guest is a module");
    host.open(&module, Spawn::entry(entry).limits(limits)).expect("it has an entry")
}

fn plugin(host: &Host) -> Plugin {
    opened(host, "run", Limits::default())
}

/// Waits for a future on this thread.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("there are threads").block_on(future)
}

/// Asks what nobody answers, of a plugin that `kill` ends meanwhile.
fn in_hand(host: &Host, question: Question) -> CallError {
    let plugin = plugin(host);
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| plugin.call(&question, PATIENCE));
        // Behind that question: it is in hand or about to be.
        plugin.tell(&Question::Keep, PATIENCE).expect("it lives");
        plugin.isolate().kill(Priority::Immediate);
        asked.join().expect("no panic").expect_err("nobody answers")
    })
}

#[test]
fn calls_are_answered_by_one_isolate_that_keeps_its_state() {
    let host = host();
    let plugin = plugin(&host);
    let mut counted: Vec<u64> = std::thread::scope(|scope| {
        let ask = || (0..10).map(|_| plugin.call(&Question::Count(100), PATIENCE).expect("it counts")[0]).collect();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().flat_map(|thread| -> Vec<u64> { thread.join().expect("no panic") }).collect()
    });
    counted.sort_unstable();
    assert_eq!(counted, (101..=140).collect::<Vec<_>>(), "each call has its own answer");
    let both = block_on(async {
        let (one, other) = (Question::Count(0), Question::Count(0));
        let one = plugin.call_async(&one, PATIENCE);
        let other = plugin.call_async(&other, PATIENCE);
        (one.await, other.await)
    });
    assert_eq!(both, (Ok(vec![41]), Ok(vec![42])));
    plugin.tell(&Question::Count(0), PATIENCE).expect("it lives");
    block_on(plugin.tell_async(&Question::Count(0), PATIENCE)).expect("it lives");
    assert_eq!(plugin.call(&Question::Count(0), PATIENCE), Ok(vec![45]));
}

#[test]
fn a_service_is_given_its_message_and_ends_when_nobody_can_ask() {
    let host = host();
    let module = host.load_file(harness::guest("serves_calls")).expect("the guest is a module");
    let over = host.receive_port::<String>();
    let spawn = Spawn::entry("greets").message(&("hello", over.send_port()));
    let greeter = host.open::<String, String>(&module, spawn).expect("it has an entry");
    assert_eq!(greeter.call(&"Bob".to_owned(), PATIENCE).as_deref(), Ok("hello, Bob"));
    let isolate = greeter.isolate().clone();
    drop(greeter);
    assert_eq!((over.recv().as_deref(), isolate.join()), (Ok("nobody asks any more"), Exit::Returned));
    // One that is dropped before it serves.
    let spawn = Spawn::entry("greets").message(&("hello", over.send_port())).paused(true);
    let isolate = host.open::<String, String>(&module, spawn).expect("it has an entry").isolate().clone();
    isolate.resume_birth();
    assert_eq!((over.recv().as_deref(), isolate.join()), (Ok("nobody asks any more"), Exit::Returned));
}

#[test]
fn a_function_is_a_service_and_its_own_error_is_an_answer() {
    let host = host();
    let module = host.load_file(harness::guest("serves_calls")).expect("the guest is a module");
    let halved = host.open::<u64, Result<u64, String>>(&module, Spawn::entry("halved")).expect("it has an entry");
    assert_eq!(halved.call(&12, PATIENCE), Ok(Ok(6)));
    assert_eq!(halved.call(&7, PATIENCE), Ok(Err("7 is odd".to_owned())));
}

#[test]
fn what_cannot_be_sent_is_not_sent_and_no_more_than_that_happens() {
    let host = host();
    let module = host.load_file(harness::guest("serves_calls")).expect("the guest is a module");
    let spawn = Spawn::entry("halved").limits(Limits::default().message(1_000));
    let plugin = host.open::<Vec<u8>, Result<u64, String>>(&module, spawn.clone()).expect("it has an entry");
    let refused = plugin.call(&vec![0; 2_000], PATIENCE);
    assert_eq!(refused, Err(CallError::Unsent(Status::TooLarge.into())));
    let blob = Blob::new(vec![1]);
    let once = spawn.message(&blob);
    assert!(host.open::<u64, u64>(&module, once.clone()).is_ok(), "the end travels beside the blob of its message");
    assert!(host.open::<u64, u64>(&module, once).is_err(), "which is gone");
    let other = Host::builder().isolates(1).build().expect("there is room for a small host");
    let foreign = host.open::<SendPort<u8>, u64>(&module, Spawn::entry("halved")).expect("it has an entry");
    let refused = foreign.call(&other.receive_port::<u8>().send_port(), PATIENCE);
    assert!(matches!(&refused, Err(CallError::Unsent(error)) if error.status == Status::Unsendable), "{refused:?}");
}

#[test]
fn a_guest_that_is_behind_is_full_and_says_so() {
    let host = host();
    let plugin = opened(&host, "run", Limits::default().mailbox(8, 10_000));
    let looping = plugin.call(&Question::AnswerAndLoop, PATIENCE);
    assert_eq!(looping, Ok(Vec::new()), "its mailbox is empty now");
    let full = (0..100).find_map(|_| plugin.tell(&Question::Keep, PATIENCE).err());
    assert_eq!(full, Some(CallError::Unsent(Status::Full.into())));
    assert_eq!(plugin.call(&Question::Keep, PATIENCE), Err(CallError::Unsent(Status::Full.into())));
    assert!(plugin.stream(&Question::Keep, PATIENCE).is_err());
}

#[test]
fn why_there_is_no_answer_is_exact() {
    let host = host();
    let plugin = opened(&host, "run", Limits::default().memory(1 << 30));
    let call = |question| plugin.call(&question, PATIENCE);
    let failed = call(Question::Fail("not today".to_owned()));
    assert!(matches!(&failed, Err(CallError::Failed(error)) if error.message == "not today"), "{failed:?}");
    assert_eq!(call(Question::Drop), Err(CallError::Unanswered));
    assert_eq!(call(Question::Many(0, true)), Err(CallError::Unanswered), "an end is no answer");
    let large = call(Question::Large(7 << 20));
    assert!(
        matches!(&large, Err(CallError::Failed(error)) if error.message.contains("larger than the limit")),
        "{large:?}"
    );
    assert_eq!(call(Question::PassOn), Err(CallError::Unanswered), "who should answer is dead, and it lives");
    assert_eq!(plugin.call(&Question::Keep, Duration::ZERO), Err(CallError::TimedOut));
    let kept = plugin.call_async(&Question::Keep, Duration::from_millis(1));
    assert_eq!(block_on(kept), Err(CallError::TimedOut));
    assert_eq!(call(Question::Count(0)), Ok(vec![1]), "it is none the worse for any of it");
    let panicked = call(Question::Panic("oh no".to_owned()));
    let Err(CallError::Ended(Exit::Panicked { message, .. })) = panicked else { panic!("{panicked:?}") };
    assert_eq!(message, "oh no");
}

#[test]
fn an_answer_of_another_type_is_undecodable() {
    let host = host();
    let module = host.load_file(harness::guest("serves_calls")).expect("the guest is a module");
    let halved = host.open::<u64, String>(&module, Spawn::entry("halved")).expect("it has an entry");
    let answer = halved.call(&200, PATIENCE);
    assert!(matches!(answer, Err(CallError::Undecodable(_))), "{answer:?}");
}

#[test]
fn no_call_hangs_when_the_isolate_dies_with_the_request_in_hand() {
    let host = host();
    assert_eq!(in_hand(&host, Question::Keep), KILLED, "it waits for the next one");
    assert_eq!(in_hand(&host, Question::Loop), KILLED, "it is in the middle of it");
    let returned = plugin(&host).call(&Question::Return, PATIENCE);
    assert_eq!(returned, Err(CallError::Ended(Exit::Returned)));
}

#[test]
fn no_call_hangs_when_the_isolate_dies_with_the_request_in_its_mailbox() {
    let host = host();
    let plugin = plugin(&host);
    plugin.tell(&Question::Loop, PATIENCE).expect("it serves");
    let question = Question::Count(0);
    let told = block_on(async {
        let mut call = Box::pin(plugin.call_async(&question, PATIENCE));
        let mut answers = plugin.stream_async(&question, PATIENCE).await.expect("it lives");
        let pending = std::future::poll_fn(|cx| std::task::Poll::Ready(call.as_mut().poll(cx).is_pending())).await;
        assert!(pending, "it loops");
        plugin.isolate().kill(Priority::Immediate);
        (call.await, answers.next_async().await, answers.next_async().await)
    });
    assert_eq!(told, (Err(KILLED), Some(Err(KILLED)), None));
}

#[test]
fn no_call_hangs_when_the_isolate_dies_before_it_serves() {
    let host = host();
    let plugin = opened(&host, "loops", Limits::default());
    std::thread::scope(|scope| {
        let call = scope.spawn(|| plugin.call(&Question::Keep, PATIENCE));
        let told = scope.spawn(|| plugin.tell(&Question::Keep, PATIENCE));
        let stream = scope.spawn(|| plugin.stream(&Question::Keep, PATIENCE).map(|_| ()));
        let futures = scope.spawn(|| {
            block_on(async {
                let call = plugin.call_async(&Question::Keep, PATIENCE).await.map(|_| ());
                (call, plugin.tell_async(&Question::Keep, PATIENCE).await)
            })
        });
        assert_eq!(plugin.call(&Question::Keep, Duration::from_millis(1)), Err(CallError::TimedOut));
        plugin.isolate().kill(Priority::Immediate);
        assert_eq!(call.join().expect("no panic"), Err(KILLED));
        assert_eq!(told.join().expect("no panic"), Err(KILLED));
        assert_eq!(stream.join().expect("no panic"), Err(KILLED));
        assert_eq!(futures.join().expect("no panic"), (Err(KILLED), Err(KILLED)));
    });
    let starved = opened(&host, "loops", Limits::default().deadline(Duration::from_millis(20)));
    let exit = starved.call(&Question::Keep, PATIENCE);
    assert!(matches!(exit, Err(CallError::Ended(Exit::Deadline { .. }))), "{exit:?}");
}

#[test]
fn no_call_hangs_when_the_isolate_is_dead_or_will_not_serve() {
    let host = host();
    let dead = plugin(&host);
    assert_eq!(dead.call(&Question::Count(0), PATIENCE), Ok(vec![1]));
    dead.isolate().kill(Priority::Immediate);
    let _ = dead.isolate().join();
    assert_eq!(dead.call(&Question::Keep, PATIENCE), Err(KILLED));
    assert_eq!(dead.tell(&Question::Keep, PATIENCE), Err(KILLED));
    assert_eq!(dead.stream(&Question::Keep, PATIENCE).map(|_| ()), Err(KILLED));
    let refuses = opened(&host, "refuses", Limits::default());
    assert_eq!(refuses.call(&Question::Keep, PATIENCE), Err(CallError::Unanswered));
    let closes = opened(&host, "closes", Limits::default());
    assert_eq!(closes.call(&Question::Keep, PATIENCE), Ok(vec![0]));
    let unsent = closes.call(&Question::Keep, PATIENCE);
    assert_eq!(unsent, Err(CallError::Unsent(Status::Closed.into())));
}

#[test]
fn no_call_hangs_when_the_host_is_shut_down() {
    let host = host();
    let plugin = plugin(&host);
    std::thread::scope(|scope| {
        let call = scope.spawn(|| plugin.call(&Question::Keep, PATIENCE));
        plugin.tell(&Question::Loop, PATIENCE).expect("it serves");
        host.shutdown(Duration::ZERO);
        assert_eq!(call.join().expect("no panic"), Err(CallError::Ended(Exit::HostClosed)));
    });
}

#[test]
fn a_stream_has_its_answers_in_order_and_then_its_end() {
    let host = host();
    let plugin = plugin(&host);
    let numbers = plugin.stream(&Question::Many(1_000, true), PATIENCE).expect("it lives");
    let numbers: Result<Vec<_>, _> = numbers.collect();
    assert_eq!(numbers, Ok((0..1_000).map(|number| vec![number]).collect()));
    let mut without_end = plugin.stream(&Question::Many(1, false), PATIENCE).expect("it lives");
    assert!(without_end.time_left() > Duration::ZERO);
    assert_eq!(without_end.next(), Some(Ok(vec![0])));
    assert_eq!((without_end.next(), without_end.next()), (Some(Err(CallError::Unanswered)), None));
    let mut late = plugin.stream(&Question::Keep, Duration::from_millis(500)).expect("it lives");
    assert_eq!((late.next(), late.next()), (Some(Err(CallError::TimedOut)), None));
    let mut none = plugin.stream(&Question::Many(0, true), PATIENCE).expect("it lives");
    assert_eq!(block_on(none.next_async()), None);
}

#[test]
fn a_stream_ends_with_whoever_dies() {
    let host = host();
    let plugin = plugin(&host);
    let mut dropped = plugin.stream(&Question::Endless, PATIENCE).expect("it lives");
    assert!(dropped.next().is_some_and(|answer| answer.is_ok()));
    drop(dropped);
    let sent = plugin.call(&Question::Count(0), PATIENCE).expect("it is out of its loop");
    assert!(sent[0] > 0, "{sent:?}");
    let mut answers = plugin.stream(&Question::ManyAndPanic(2), PATIENCE).expect("it lives");
    assert_eq!((answers.next(), answers.next()), (Some(Ok(vec![0])), Some(Ok(vec![1]))));
    let last = answers.next();
    assert!(matches!(last, Some(Err(CallError::Ended(Exit::Panicked { .. })))), "{last:?}");
    assert_eq!(answers.next(), None);
}
