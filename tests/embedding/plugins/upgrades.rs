//! Another module in the place of the present one, while callers go on; and what may go wrong with either.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use insula::{CallError, Exit, Limits, Spawn, UpgradeError};

use super::*;

type Halves = Plugin<u64, Result<u64, String>>;

/// Waits until the guest's own loop holds its isolate.
fn loops(plugin: &Counts) {
    assert_eq!(plugin.call(&Question::AnswerAndLoop, PATIENCE), Ok(vec![]));
}

#[test]
fn callers_see_one_plugin_while_it_is_upgraded_again_and_again() {
    let host = host();
    let module = served(&host);
    let plugin: Halves = host.supervise(&module, Spawn::entry("halved"), late()).expect("it has an entry");
    let asker = host.load_file(harness::guest("asks_plugin")).expect("the guest is a module");
    let report = host.receive_port::<Result<u64, String>>();
    let message = (plugin.send_port(), 2_000_u64, report.send_port());
    host.spawn(&asker, Spawn::entry("hammers").message(&message)).expect("it has an entry");
    let (done, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let (plugin, done, answered) = (&plugin, &done, &answered);
            scope.spawn(move || {
                for number in (thread..).step_by(3) {
                    assert_eq!(plugin.call(&(2 * number), PATIENCE), Ok(Ok(number)));
                    answered.fetch_add(1, Ordering::SeqCst);
                    if done.load(Ordering::SeqCst) {
                        break;
                    }
                }
            });
        }
        for _ in 0..10 {
            let (before, old) = (answered.load(Ordering::SeqCst), plugin.isolate().map(|isolate| isolate.id()));
            assert_eq!(plugin.upgrade(&module, Spawn::entry("halved"), PATIENCE), Ok(Exit::Returned));
            assert_ne!(plugin.isolate().map(|isolate| isolate.id()), old);
            while answered.load(Ordering::SeqCst) < before + 20 {
                std::thread::yield_now();
            }
        }
        assert_eq!(report.recv(), Ok(Ok(2_000)), "a guest that has its port");
        done.store(true, Ordering::SeqCst);
    });
    assert_eq!(plugin.restarts(), 0, "an upgrade is no restart");
}

#[test]
fn the_old_isolate_finishes_what_it_has_and_restarts_start_the_new_module() {
    const MANY: u64 = 110_000;
    let host = host();
    let plugin = counts(&host, at_once());
    let events = events(&plugin);
    assert_eq!(plugin.call(&COUNT, PATIENCE), Ok(vec![1]));
    let mut answers = plugin.stream(&Question::Many(MANY, true), PATIENCE).expect("it lives");
    std::thread::scope(|scope| {
        // It waits for whoever takes the answers, more than a mailbox holds.
        let upgraded = scope.spawn(|| plugin.upgrade(&served(&host), Spawn::entry("halved"), PATIENCE));
        assert_eq!(next(&events), "upgraded");
        let answers: Result<Vec<_>, _> = answers.by_ref().collect();
        assert_eq!(
            answers.map(|answers| answers.len()),
            Ok(MANY as usize),
            "in flight when the other one took its place"
        );
        assert_eq!(upgraded.join().expect("no panic"), Ok(Exit::Returned));
    });
    kill(&plugin);
    assert_eq!([next(&events), next(&events)], ["died", "restarted"]);
    let other = plugin.call(&COUNT, PATIENCE);
    assert!(!matches!(&other, Ok(counted) if counted[0] == 1), "the new module answers otherwise: {other:?}");
}

#[test]
fn the_old_isolate_is_killed_when_its_grace_is_over() {
    let host = host();
    let plugin = counts(&host, at_once());
    loops(&plugin);
    std::thread::scope(|scope| {
        let stuck = scope.spawn(|| plugin.call(&COUNT, PATIENCE));
        while plugin.isolate().is_some_and(|isolate| isolate.mailbox_load().0 == 0) {
            std::thread::yield_now();
        }
        assert_eq!(plugin.upgrade(&served(&host), Spawn::entry("run"), Duration::from_millis(1)), Ok(KILLED));
        assert_eq!(stuck.join().expect("no panic"), Err(CallError::Ended(KILLED)));
    });
    assert_eq!((plugin.call(&COUNT, PATIENCE), plugin.restarts()), (Ok(vec![1]), 0));
}

#[test]
fn the_old_isolate_may_die_while_it_finishes_and_nobody_is_restarted_for_that() {
    let host = host();
    let plugin = counts(&host, at_once());
    let events = events(&plugin);
    loops(&plugin);
    let old = plugin.isolate().expect("it has one");
    std::thread::scope(|scope| {
        let upgraded = scope.spawn(|| plugin.upgrade(&served(&host), Spawn::entry("run"), PATIENCE));
        assert_eq!(next(&events), "upgraded");
        old.kill(Priority::Immediate);
        assert_eq!(upgraded.join().expect("no panic"), Ok(KILLED));
    });
    assert_eq!((plugin.call(&COUNT, PATIENCE), plugin.restarts()), (Ok(vec![1]), 0));
}

#[test]
fn a_new_isolate_that_is_not_up_leaves_the_old_one_serving() {
    let host = host();
    let plugin = counts(&host, at_once().ready_within(PATIENCE));
    assert_eq!(plugin.call(&COUNT, PATIENCE), Ok(vec![1]));
    let upgrade = |module: &Module, entry: &str| plugin.upgrade(module, Spawn::entry(entry), PATIENCE);
    let refused = upgrade(&served(&host), "nothing");
    assert!(matches!(refused, Err(UpgradeError::Refused(SpawnError::NoEntry { .. }))), "{refused:?}");
    let died = upgrade(&traps(&host), "run");
    assert!(matches!(died, Err(UpgradeError::Died(Exit::Trapped { .. }))), "{died:?}");
    let start = text(&host, "(module (func $start unreachable) (start $start) (func (export \"run\")))");
    let died = upgrade(&start, "run");
    assert!(matches!(died, Err(UpgradeError::Died(Exit::StartFailed { .. }))), "{died:?}");
    assert_eq!(upgrade(&served(&host), "refuses"), Err(UpgradeError::NotReady), "it lives, and does not serve");
    assert_eq!((plugin.call(&COUNT, PATIENCE), plugin.restarts()), (Ok(vec![2]), 0));
    let other = host_of(1);
    let foreign = upgrade(&deaf(&other), "run");
    assert!(matches!(foreign, Err(UpgradeError::Refused(SpawnError::Invalid(_)))), "{foreign:?}");
    let limits = Limits::default().deadline(Duration::from_millis(5));
    let late = plugin.upgrade(&deaf(&host), Spawn::entry("run").limits(limits), PATIENCE);
    assert!(matches!(late, Err(UpgradeError::Died(Exit::Deadline { .. }))), "{late:?}");
    assert_eq!((plugin.call(&COUNT, PATIENCE), plugin.restarts()), (Ok(vec![3]), 0));
    let hurried = counts(&host, at_once().ready_within(Duration::from_millis(5)));
    let loops = hurried.upgrade(&deaf(&host), Spawn::entry("run"), PATIENCE);
    assert_eq!((loops, hurried.call(&COUNT, PATIENCE)), (Err(UpgradeError::NotReady), Ok(vec![1])));
}

#[test]
fn one_upgrade_waits_at_a_time_and_ends_with_the_plugin() {
    let host = host();
    let plugin = counts(&host, at_once().ready_within(PATIENCE));
    assert_eq!(plugin.call(&COUNT, PATIENCE), Ok(vec![1]));
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| plugin.upgrade(&deaf(&host), Spawn::entry("run"), PATIENCE));
        while host.live() < 2 {
            std::thread::yield_now();
        }
        assert_eq!(plugin.upgrade(&served(&host), Spawn::entry("run"), PATIENCE), Err(UpgradeError::UnderWay));
        assert_eq!(plugin.call(&COUNT, PATIENCE), Ok(vec![2]), "the old one serves meanwhile");
        assert_eq!(plugin.stop(PATIENCE), Exit::Returned);
        assert_eq!(waits.join().expect("no panic"), Err(UpgradeError::Ended(Exit::Returned)));
    });
    let ended = plugin.upgrade(&served(&host), Spawn::entry("run"), PATIENCE);
    assert_eq!(ended, Err(UpgradeError::Ended(Exit::Returned)));
    while host.live() > 0 {
        std::thread::yield_now(); // the one that was not up is killed too
    }
}

#[test]
fn an_upgrade_between_two_isolates_is_the_next_one() {
    let host = host();
    let plugin = counts(&host, late());
    let events = events(&plugin);
    kill(&plugin);
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| plugin.call(&COUNT, PATIENCE));
        assert_eq!(next(&events), "died");
        assert_eq!(plugin.upgrade(&served(&host), Spawn::entry("run"), PATIENCE), Ok(KILLED));
        assert_eq!(next(&events), "upgraded");
        assert_eq!(waits.join().expect("no panic"), Ok(vec![1]));
    });
    assert_eq!((plugin.restarts(), host.live()), (0, 1));
}

#[test]
fn who_waits_for_an_isolate_that_never_serves_is_answered_by_the_one_in_its_place() {
    let host = host();
    let plugin: Counts = host.supervise(&deaf(&host), Spawn::entry("run"), late()).expect("it has an entry");
    let asks = host.load_file(harness::guest("asks_plugin")).expect("the guest is a module");
    let asker =
        host.open::<Question, Result<Vec<u64>, String>>(&asks, Spawn::entry("asks").message(&plugin.send_port()));
    let asker = asker.expect("it has an entry");
    std::thread::scope(|scope| {
        let call = scope.spawn(|| plugin.call(&COUNT, PATIENCE));
        let by_port = scope.spawn(|| asker.call(&COUNT, PATIENCE));
        assert_eq!(plugin.call(&COUNT, Duration::from_millis(1)), Err(CallError::TimedOut));
        // The old one has all the time of this test to end, and does not.
        let upgraded = scope.spawn(|| plugin.upgrade(&served(&host), Spawn::entry("run"), PATIENCE));
        let mut counted = [
            call.join().expect("no panic"),
            by_port.join().expect("no panic").expect("it lives").map_err(|_| CallError::Unanswered),
        ];
        counted.sort_unstable_by_key(|counted| counted.clone().unwrap_or_default());
        assert_eq!(counted, [Ok(vec![1]), Ok(vec![2])]);
        assert!(!upgraded.is_finished());
        assert_eq!(plugin.stop(PATIENCE), Exit::Returned);
        assert_eq!(upgraded.join().expect("no panic"), Ok(KILLED), "it does not outlast the plugin");
    });
    assert_eq!(host.live(), 1, "the asker");
}

#[test]
fn the_old_isolate_may_die_while_the_new_one_is_not_up() {
    let host = host();
    let plugin = counts(&host, at_once().ready_within(PATIENCE));
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| plugin.upgrade(&deaf(&host), Spawn::entry("run"), PATIENCE));
        while host.live() < 2 {
            std::thread::yield_now();
        }
        kill(&plugin);
        assert_eq!(plugin.call(&COUNT, PATIENCE), Ok(vec![1]), "started again, of the old module");
        assert_eq!(plugin.restarts(), 1);
        plugin.stop(Duration::ZERO);
        assert!(matches!(waits.join().expect("no panic"), Err(UpgradeError::Ended(_))));
    });
}

#[test]
fn no_upgrade_hangs_when_the_host_closes() {
    let host = self::host();
    let (waits, drains) = (counts(&host, at_once().ready_within(PATIENCE)), counts(&host, at_once()));
    let events = events(&drains);
    loops(&drains);
    let (new, module) = (deaf(&host), served(&host));
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| waits.upgrade(&new, Spawn::entry("run"), PATIENCE));
        let drains = scope.spawn(|| drains.upgrade(&module, Spawn::entry("run"), PATIENCE));
        assert_eq!(next(&events), "upgraded");
        while host.live() < 4 {
            std::thread::yield_now();
        }
        drop(host.shutdown(Duration::ZERO));
        let waited = waits.join().expect("no panic");
        let closed = [UpgradeError::Ended(Exit::HostClosed), UpgradeError::Died(Exit::HostClosed)];
        assert!(waited.as_ref().is_err_and(|error| closed.contains(error)), "{waited:?}");
        assert_eq!(drains.join().expect("no panic"), Ok(Exit::HostClosed));
    });
}
