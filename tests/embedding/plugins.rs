//! Plugins: what callers have of a service that is started again, and what there is in the end. Deaths come by order of
//! the test; where a time has to pass none of the patience does.

mod groups;
mod lies;
mod ports;
mod upgrades;

use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use insula::{
    Blob, CallError, Exit, Host, Isolate, IsolateId, Killer, Module, Plugin, PluginEvent, Priority, Restart, Spawn,
    SpawnError, Status,
};

use super::questions::Question;
use crate::harness;

type Counts = Plugin<Question, Vec<u64>>;

const PATIENCE: Duration = Duration::from_secs(600);
const KILLED: Exit = Exit::Killed { by: Killer::Embedder };
const COUNT: Question = Question::Count(0);

fn host() -> Host {
    host_of(32)
}

fn host_of(isolates: u32) -> Host {
    let builder = Host::builder().isolates(isolates).threads(2).cache_folder(harness::cache());
    builder.on_uncaught(|_| ()).build().expect("there is room for a small host")
}

fn served(host: &Host) -> Module {
    host.load_file(harness::guest("serves_calls")).expect("the guest is a module")
}

fn counts(host: &Host, restart: Restart) -> Counts {
    host.supervise(&served(host), Spawn::entry("run"), restart).expect("it has an entry")
}

/// Restarts at once, and as often as it takes.
fn at_once() -> Restart {
    Restart::on_failure().at_most(10_000, PATIENCE).back_off(Duration::ZERO, Duration::ZERO)
}

/// Restarts so late that nobody here sees it.
fn late() -> Restart {
    at_once().back_off(PATIENCE, PATIENCE)
}

fn text(host: &Host, text: &str) -> Module {
    host.load("text", text.as_bytes()).expect("the text is a module")
}

fn deaf(host: &Host) -> Module {
    text(host, "(module (func (export \"run\") (loop (br 0))))")
}

fn traps(host: &Host) -> Module {
    text(host, "(module (func (export \"run\") unreachable))")
}

fn kill<Q, A>(plugin: &Plugin<Q, A>) -> IsolateId {
    let isolate = plugin.isolate().expect("it has one");
    isolate.kill(Priority::Immediate);
    assert_eq!(isolate.join(), KILLED);
    isolate.id()
}

fn events<Q, A>(plugin: &Plugin<Q, A>) -> Receiver<PluginEvent> {
    let (sender, events) = mpsc::channel();
    plugin.on_event(move |event| drop(sender.send(event.clone())));
    events
}

/// The next event, by its name.
fn next(events: &Receiver<PluginEvent>) -> &'static str {
    match events.recv().expect("there is one") {
        PluginEvent::Died { .. } => "died",
        PluginEvent::Restarted { .. } => "restarted",
        PluginEvent::Refused { .. } => "refused",
        PluginEvent::Upgraded { .. } => "upgraded",
        PluginEvent::Over { .. } => "over",
        other => panic!("{other:?}"),
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("there are threads").block_on(future)
}

async fn poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) {
    let pending = std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_pending())).await;
    assert!(pending, "it waits");
}

#[test]
fn a_plugin_that_trapped_starts_from_fresh_memory_and_its_old_instance_is_never_entered() {
    let host = host();
    let plugin = counts(&host, at_once());
    let old = plugin.isolate().expect("it has one");
    assert_eq!([plugin.call(&COUNT, PATIENCE), plugin.call(&COUNT, PATIENCE)], [Ok(vec![1]), Ok(vec![2])]);
    let panicked = plugin.call(&Question::Panic("oh no".to_owned()), PATIENCE);
    assert!(matches!(&panicked, Err(CallError::Ended(Exit::Panicked { message, .. })) if message == "oh no"));
    let used = |isolate: &Isolate| (isolate.usage().received_messages, isolate.cpu_time());
    let before = used(&old);
    for count in 1..=100 {
        assert_eq!(plugin.call(&COUNT, PATIENCE), Ok(vec![count]), "its memory is new, and then its own");
    }
    let new = plugin.isolate().expect("it has one");
    assert!(old.id() != new.id() && old.exit().is_some());
    assert_eq!((used(&old), plugin.restarts()), (before, 1), "nothing ran there, and nothing came");
}

#[test]
fn what_is_in_flight_at_a_death_is_over_and_never_sent_again() {
    let host = host();
    let plugin = counts(&host, at_once());
    let mut answers = plugin.stream(&Question::Keep, PATIENCE).expect("it lives");
    let ended = block_on(async {
        let (keep, count) = (Question::Keep, COUNT);
        let mut kept = Box::pin(plugin.call_async(&keep, PATIENCE));
        // It serves, so what is polled once is sent.
        poll_once(kept.as_mut()).await;
        plugin.tell_async(&Question::Loop, PATIENCE).await.expect("it lives");
        let mut queued = Box::pin(plugin.call_async(&count, PATIENCE));
        poll_once(queued.as_mut()).await;
        kill(&plugin);
        (kept.await, queued.await)
    });
    assert_eq!(ended, (Err(CallError::Ended(KILLED)), Err(CallError::Ended(KILLED))), "in its hands, or behind that");
    assert_eq!(answers.next(), Some(Err(CallError::Ended(KILLED))));
    assert_eq!(plugin.call(&COUNT, PATIENCE), Ok(vec![1]), "the next one was asked nothing before");
}

#[test]
fn what_is_asked_between_two_isolates_waits_within_its_own_time() {
    let host = host();
    let plugin = counts(&host, late());
    kill(&plugin);
    assert_eq!(plugin.call(&COUNT, Duration::from_millis(1)), Err(CallError::TimedOut));
    assert_eq!(plugin.tell(&COUNT, Duration::ZERO), Err(CallError::TimedOut));
    assert_eq!(block_on(plugin.stream_async(&COUNT, Duration::from_millis(1))).map(|_| ()), Err(CallError::TimedOut));
    assert_eq!((plugin.join_timeout(Duration::from_millis(1)), plugin.exit()), (None, None));
    let over = Err(CallError::Ended(KILLED));
    std::thread::scope(|scope| {
        let call = scope.spawn(|| plugin.call(&COUNT, PATIENCE).map(drop));
        let told = scope.spawn(|| plugin.tell(&COUNT, PATIENCE));
        let stream = scope.spawn(|| plugin.stream(&COUNT, PATIENCE).map(drop));
        let joined = scope.spawn(|| plugin.join());
        let futures = scope.spawn(|| {
            block_on(async {
                (plugin.call_async(&COUNT, PATIENCE).await.map(drop), plugin.tell_async(&COUNT, PATIENCE).await)
            })
        });
        assert_eq!(plugin.stop(PATIENCE), KILLED, "in its back-off there is nobody to wait for");
        assert_eq!(joined.join().expect("no panic"), KILLED);
        assert_eq!(
            [call, told, stream].map(|thread| thread.join().expect("no panic")),
            [over.clone(), over.clone(), over.clone()]
        );
        assert_eq!(futures.join().expect("no panic"), (over.clone(), over.clone()));
    });
    assert_eq!((plugin.exit(), plugin.isolate().map(|_| ()), plugin.restarts()), (Some(KILLED), None, 0));
    assert_eq!(plugin.call(&COUNT, PATIENCE).map(drop), over);
}

#[test]
fn what_is_asked_of_an_isolate_that_dies_before_it_serves_goes_to_the_next() {
    let host = host();
    let plugin = host.supervise::<u64, u64>(&deaf(&host), Spawn::entry("run"), at_once()).expect("it has an entry");
    let events = events(&plugin);
    std::thread::scope(|scope| {
        let call = scope.spawn(|| plugin.call(&1, PATIENCE));
        for _ in 0..3 {
            kill(&plugin);
            assert_eq!([next(&events), next(&events)], ["died", "restarted"]);
        }
        assert!(!call.is_finished(), "it has patience");
        assert_eq!(plugin.stop(Duration::ZERO), KILLED);
        assert_eq!(call.join().expect("no panic"), Err(CallError::Ended(KILLED)));
    });
    assert_eq!(next(&events), "over");
}

#[test]
fn it_gives_up_after_as_many_restarts_as_it_may_have() {
    let host = host();
    let restart = at_once().at_most(2, PATIENCE);
    let plugin = host.supervise::<u64, u64>(&traps(&host), Spawn::entry("run").paused(true), restart);
    let plugin = plugin.expect("it has an entry");
    let events = events(&plugin);
    let mut isolates = Vec::new();
    for _ in 0..3 {
        // Born paused, so that nothing of it is missed.
        let isolate = plugin.isolate().expect("it has one");
        isolate.resume_birth();
        isolates.push((isolate.id(), isolate.join()));
        if isolates.len() < 3 {
            assert_eq!([next(&events), next(&events)], ["died", "restarted"]);
        }
    }
    let last = plugin.join();
    assert!(matches!(&last, Exit::Trapped { kind, .. } if kind == "unreachable"), "{last}");
    assert_eq!(events.recv(), Ok(PluginEvent::Over { exit: last.clone(), refused: None }));
    assert!(isolates.iter().all(|(_, exit)| *exit == last), "{isolates:?}");
    assert_eq!((plugin.restarts(), plugin.call(&1, PATIENCE)), (2, Err(CallError::Ended(last.clone()))));
    let late = self::events(&plugin);
    assert_eq!(late.recv(), Ok(PluginEvent::Over { exit: last, refused: None }), "who comes late is told of the end");
}

#[test]
fn the_kind_of_end_decides_whether_there_is_a_restart() {
    let host = host();
    let plugin = counts(&host, Restart::never());
    kill(&plugin);
    assert_eq!((plugin.join(), plugin.restarts()), (KILLED, 0));
    let plugin = counts(&host, at_once());
    assert_eq!(plugin.call(&Question::Return, PATIENCE), Err(CallError::Ended(Exit::Returned)));
    assert_eq!((plugin.join(), plugin.restarts()), (Exit::Returned, 0), "it ended as it meant to");
    let always = Restart::always().at_most(10, PATIENCE).back_off(Duration::ZERO, Duration::ZERO);
    let plugin = counts(&host, always);
    assert_eq!(plugin.call(&Question::Return, PATIENCE), Err(CallError::Ended(Exit::Returned)));
    assert_eq!((plugin.call(&COUNT, PATIENCE), plugin.restarts()), (Ok(vec![1]), 1));
}

#[test]
fn a_callers_mistake_is_not_the_plugins() {
    let host = host();
    let module = served(&host);
    let wrong = host.supervise::<u32, Vec<u64>>(&module, Spawn::entry("run"), late()).expect("it has an entry");
    let first = wrong.isolate().expect("it has one").id();
    let refused = wrong.call(&99, PATIENCE);
    assert!(
        matches!(&refused, Err(CallError::Failed(error)) if error.message.starts_with("the question is no ")),
        "{refused:?}"
    );
    assert_eq!(wrong.tell(&99, PATIENCE), Ok(()));
    let other = host.supervise::<String, u64>(&module, Spawn::entry("halved"), late()).expect("it has an entry");
    assert_eq!(other.call(&"seven".to_owned(), PATIENCE), Err(CallError::Unanswered), "a number, and more after it");
    // Questions that nobody waits for any more.
    let right = counts(&host, late());
    assert_eq!(right.call(&Question::Keep, Duration::ZERO), Err(CallError::TimedOut));
    assert_eq!(block_on(right.call_async(&Question::Keep, Duration::from_millis(1))), Err(CallError::TimedOut));
    let asker = host.load_file(harness::guest("asks_plugin")).expect("the guest is a module");
    let waits = host.spawn(&asker, Spawn::entry("waits").message(&right.send_port())).expect("it has an entry");
    waits.kill(Priority::Immediate);
    assert_eq!(waits.join(), KILLED);
    assert_eq!(right.call(&COUNT, PATIENCE), Ok(vec![1]));
    assert_eq!(wrong.call(&99, PATIENCE), refused);
    assert_eq!(wrong.isolate().map(|isolate| isolate.id()), Some(first));
    assert_eq!((wrong.restarts(), other.restarts(), right.restarts()), (0, 0, 0));
}

#[test]
fn restarts_that_are_refused_count_and_the_reason_is_told() {
    let host = host();
    let spawn = Spawn::entry("run").message(&Blob::new(vec![1]));
    let plugin = host.supervise::<u64, u64>(&traps(&host), spawn.clone().paused(true), at_once().at_most(3, PATIENCE));
    let plugin = plugin.expect("it has an entry");
    let events = events(&plugin);
    kill(&plugin);
    assert_eq!(std::array::from_fn(|_| next(&events)), ["died", "refused", "refused", "over"]);
    let refused = plugin.call(&1, PATIENCE);
    let Err(CallError::Unborn(SpawnError::Message(error))) = &refused else { panic!("{refused:?}") };
    assert_eq!(error.status, Status::Unsendable, "its blob went to the first isolate");
    assert_eq!((plugin.join(), plugin.restarts(), plugin.tell(&1, PATIENCE)), (KILLED, 0, refused.map(drop)));
    let unborn = host.supervise::<u64, u64>(&traps(&host), spawn, at_once()).map(|_| ());
    assert!(matches!(unborn, Err(SpawnError::Message(_))), "{unborn:?}");
}

#[test]
fn a_plugin_that_is_stopped_is_asked_first_and_not_started_again() {
    let host = host();
    let plugin = counts(&host, at_once());
    assert_eq!(plugin.call(&COUNT, PATIENCE), Ok(vec![1]));
    assert_eq!(plugin.stop(PATIENCE), Exit::Returned, "nobody can ask it any more, so it returned");
    assert_eq!(block_on(plugin.stop_async(PATIENCE)), Exit::Returned);
    let plugin = host.supervise::<u64, u64>(&deaf(&host), Spawn::entry("run"), at_once()).expect("it has an entry");
    std::thread::scope(|scope| {
        let patient = scope.spawn(|| plugin.stop(PATIENCE));
        assert_eq!(plugin.stop(Duration::from_millis(1)), KILLED, "the shorter grace holds");
        assert_eq!(patient.join().expect("no panic"), KILLED);
    });
    assert_eq!((plugin.restarts(), host.live()), (0, 0));
}

#[test]
fn it_ends_when_nobody_can_reach_it_also_between_two_isolates() {
    let host = host();
    let plugin = counts(&host, Restart::always());
    assert_eq!(plugin.clone().call(&COUNT, PATIENCE), Ok(vec![1]));
    let (isolate, events) = (plugin.isolate().expect("it has one"), events(&plugin));
    let port = plugin.send_port();
    drop(plugin);
    assert_eq!(isolate.join_timeout(Duration::from_millis(5)), None, "its port is there");
    drop(port);
    assert_eq!((isolate.join(), next(&events)), (Exit::Returned, "over"));
    let plugin = counts(&host, late());
    let events = self::events(&plugin);
    kill(&plugin);
    assert_eq!(next(&events), "died");
    drop(plugin);
    assert_eq!(events.recv(), Ok(PluginEvent::Over { exit: KILLED, refused: None }));
    assert_eq!(host.live(), 0);
}

#[test]
fn no_call_hangs_when_the_host_closes() {
    for restart in [at_once(), late()] {
        let host = host();
        let (serves, between) = (counts(&host, restart.clone()), counts(&host, late()));
        let events = events(&between);
        kill(&between);
        assert_eq!(next(&events), "died");
        let closed = CallError::Ended(Exit::HostClosed);
        std::thread::scope(|scope| {
            let kept = scope.spawn(|| serves.call(&Question::Keep, PATIENCE));
            let waits = scope.spawn(|| between.call(&COUNT, PATIENCE));
            let joined = scope.spawn(|| between.join());
            serves.tell(&Question::Loop, PATIENCE).expect("it serves");
            if restart == late() {
                drop(host)
            } else {
                drop(host.shutdown(Duration::ZERO))
            }
            assert_eq!(waits.join().expect("no panic"), Err(closed.clone()));
            assert_eq!(joined.join().expect("no panic"), Exit::HostClosed);
            assert_eq!(kept.join().expect("no panic"), Err(closed.clone()));
        });
        assert_eq!((serves.join(), serves.stop(PATIENCE)), (Exit::HostClosed, Exit::HostClosed));
        assert_eq!((serves.call(&COUNT, PATIENCE), serves.restarts()), (Err(closed), 0));
    }
}

#[test]
fn no_stop_and_no_join_hangs_when_the_host_closes() {
    let host = host();
    let plugin = host.supervise::<u64, u64>(&deaf(&host), Spawn::entry("run"), at_once()).expect("it has an entry");
    std::thread::scope(|scope| {
        let stopped = scope.spawn(|| plugin.stop(PATIENCE));
        let joined = scope.spawn(|| plugin.join_timeout(PATIENCE));
        let stream = scope.spawn(|| block_on(plugin.stream_async(&1, PATIENCE)).map(|_| ()));
        while plugin.isolate().is_some() {
            std::thread::yield_now(); // until it is asked to end, and loops on
        }
        assert_eq!(plugin.call(&1, Duration::from_millis(1)), Err(CallError::TimedOut));
        drop(host.shutdown(Duration::ZERO));
        assert_eq!(stopped.join().expect("no panic"), Exit::HostClosed);
        assert_eq!(joined.join().expect("no panic"), Some(Exit::HostClosed));
        assert_eq!(stream.join().expect("no panic"), Err(CallError::Ended(Exit::HostClosed)));
    });
}

#[test]
fn a_plugin_that_dies_all_the_time_answers_in_between() {
    let host = host();
    let plugin = counts(&host, at_once());
    let is_answered = |_: &u32| match plugin.call(&COUNT, PATIENCE) {
        Ok(_) => true,
        Err(CallError::Ended(Exit::Panicked { .. })) => false,
        Err(error) => panic!("{error}"),
    };
    std::thread::scope(|scope| {
        let asking = [(); 2].map(|()| scope.spawn(|| (0..50).filter(is_answered).count()));
        for _ in 0..20 {
            let panicked = plugin.call(&Question::Panic("again".to_owned()), PATIENCE);
            assert!(matches!(panicked, Err(CallError::Ended(_))), "{panicked:?}");
        }
        let answered = asking.map(|thread| thread.join().expect("no panic"));
        assert!(answered.iter().sum::<usize>() > 0, "{answered:?}");
    });
    assert_eq!((plugin.call(&COUNT, PATIENCE).is_ok(), plugin.restarts()), (true, 20));
}

#[test]
fn many_plugins_are_started_again_by_one_task_each() {
    let host = host_of(1_100);
    let module = text(&host, "(module (func (export \"run\") unreachable))");
    let restart = at_once().at_most(1, PATIENCE);
    let plugins: Vec<_> = (0..1_000)
        .map(|_| host.supervise::<u64, u64>(&module, Spawn::entry("run"), restart.clone()).expect("there is room"))
        .collect();
    for plugin in &plugins {
        assert!(matches!(plugin.join(), Exit::Trapped { .. }));
        assert_eq!(plugin.restarts(), 1);
    }
    assert_eq!(host.live(), 0);
}
