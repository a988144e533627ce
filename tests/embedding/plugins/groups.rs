//! Groups: who else is ended and started again when one dies, in which order, and how all of them end.

use insula::{Exit, Group, Spawn, SpawnError, Strategy};

use super::*;

const NAMES: [&str; 3] = ["a", "b", "c"];

/// A group of three, which all serve.
fn three(host: &Host, strategy: Strategy, restart: Restart) -> (Group, [Counts; 3]) {
    let (group, module) = (host.group(strategy, restart), served(host));
    let members = NAMES.map(|name| group.supervise(name, &module, Spawn::entry("run")).expect("it has an entry"));
    members.iter().for_each(|member: &Counts| assert_eq!(member.call(&COUNT, PATIENCE), Ok(vec![1])));
    (group, members)
}

/// One stream of the events of all three, with whose they are.
fn all_events(members: &[Counts; 3]) -> Receiver<(String, PluginEvent)> {
    let (sender, events) = mpsc::channel();
    for member in members {
        let (name, sender) = (member.name().to_owned(), sender.clone());
        member.on_event(move |event| drop(sender.send((name.clone(), event.clone()))));
    }
    events
}

/// Whose events these are, until as many were started again.
fn until_restarted(events: &Receiver<(String, PluginEvent)>, many: usize) -> (Vec<String>, Vec<String>) {
    let (mut died, mut restarted) = (Vec::new(), Vec::new());
    while restarted.len() < many {
        match events.recv().expect("there is one") {
            (name, PluginEvent::Died { .. }) => died.push(name),
            (name, PluginEvent::Restarted { .. }) => restarted.push(name),
            (name, event) => panic!("{name}: {event:?}"),
        }
    }
    (died, restarted)
}

#[test]
fn the_strategy_says_who_is_started_again_with_the_one_that_died() {
    let expected: [(Strategy, &[&str], &[&str]); 3] = [
        (Strategy::OneForOne, &["b"], &["b"]),
        (Strategy::OneForAll, &["b", "c", "a"], &["a", "b", "c"]),
        (Strategy::RestForOne, &["b", "c"], &["b", "c"]),
    ];
    for (strategy, died, restarted) in expected {
        let host = host();
        let (group, members) = three(&host, strategy, at_once());
        let events = all_events(&members);
        kill(&members[1]);
        let seen = until_restarted(&events, restarted.len());
        assert_eq!(
            seen,
            (died.iter().map(ToString::to_string).collect(), restarted.iter().map(ToString::to_string).collect())
        );
        let restarts = members.each_ref().map(|member| member.restarts());
        assert_eq!(restarts, NAMES.map(|name| u64::from(restarted.contains(&name))), "{strategy:?}");
        for (member, name) in members.iter().zip(NAMES) {
            let anew = if restarted.contains(&name) { 1 } else { 2 };
            assert_eq!(member.call(&COUNT, PATIENCE), Ok(vec![anew]), "{strategy:?} {name}");
        }
        assert!(!group.has_ended());
    }
}

#[test]
fn those_that_end_for_the_sake_of_others_have_a_grace_and_are_killed_after_it() {
    let host = host();
    let (_group, members) = three(&host, Strategy::OneForAll, at_once().grace(Duration::from_secs(2)));
    let events = all_events(&members);
    assert_eq!(members[2].call(&Question::AnswerAndLoop, PATIENCE), Ok(vec![]));
    kill(&members[0]);
    let mut exits = Vec::new();
    while exits.len() < 3 {
        if let (name, PluginEvent::Died { exit, .. }) = events.recv().expect("there is one") {
            exits.push((name, exit));
        }
    }
    let of = |name: &str, exit: Exit| (name.to_owned(), exit);
    assert_eq!(exits, [of("a", KILLED), of("c", KILLED), of("b", Exit::Returned)], "b was asked nothing and returned");
    members.iter().for_each(|member| assert_eq!(member.call(&COUNT, PATIENCE), Ok(vec![1])));
}

#[test]
fn a_group_that_had_its_restarts_ends_as_a_whole_in_reverse_order() {
    let host = host();
    let (group, members) = three(&host, Strategy::OneForOne, at_once().at_most(2, PATIENCE));
    let events = all_events(&members);
    for at in [0, 1] {
        kill(&members[at]);
        assert_eq!(until_restarted(&events, 1).1, [NAMES[at]]);
    }
    kill(&members[1]);
    assert_eq!(members.each_ref().map(|member| member.join()), [Exit::Returned, KILLED, Exit::Returned]);
    let ended: Vec<_> = std::iter::from_fn(|| events.recv().ok()).take(3).collect();
    let over = |name: &str, exit| (name.to_owned(), PluginEvent::Over { exit, refused: None });
    assert_eq!(ended, [over("c", Exit::Returned), over("b", KILLED), over("a", Exit::Returned)]);
    assert_eq!((group.has_ended(), group.stop(PATIENCE), host.live()), (true, Vec::new(), 0));
    let late = group.supervise::<u64, u64>("d", &deaf(&host), Spawn::entry("run")).map(|_| ());
    assert!(matches!(&late, Err(SpawnError::Invalid(reason)) if reason == "the group has ended"), "{late:?}");
}

#[test]
fn who_ends_as_it_meant_to_leaves_its_group_and_its_name() {
    let host = host();
    let (group, members) = three(&host, Strategy::OneForAll, at_once());
    assert_eq!(members[1].call(&Question::Return, PATIENCE), Err(CallError::Ended(Exit::Returned)));
    assert_eq!((members[1].join(), members[2].stop(PATIENCE)), (Exit::Returned, Exit::Returned));
    assert_eq!(members[0].call(&COUNT, PATIENCE), Ok(vec![2]), "the others are none the worse");
    let taken = group.supervise::<u64, u64>("a", &deaf(&host), Spawn::entry("run")).map(|_| ());
    assert!(matches!(taken, Err(SpawnError::Invalid(_))), "{taken:?}");
    let refused = group.supervise::<u64, u64>("b", &deaf(&host), Spawn::entry("nothing")).map(|_| ());
    assert!(matches!(refused, Err(SpawnError::NoEntry { .. })), "{refused:?}");
    let again: Counts = group.supervise("b", &served(&host), Spawn::entry("run")).expect("the name is free");
    assert_eq!(again.call(&COUNT, PATIENCE), Ok(vec![1]));
    // Whoever is dropped leaves too, and a group that is dropped ends nobody.
    drop(group);
    kill(&again);
    assert_eq!((again.call(&COUNT, PATIENCE), members[0].call(&COUNT, PATIENCE)), (Ok(vec![1]), Ok(vec![1])));
}

#[test]
fn a_restart_that_is_refused_is_tried_again_and_ends_its_group_in_the_end() {
    let host = host();
    let group = host.group(Strategy::OneForAll, at_once().at_most(2, PATIENCE));
    let serves: Counts = group.supervise("a", &served(&host), Spawn::entry("run")).expect("it has an entry");
    let spawn = Spawn::entry("run").message(&Blob::new(vec![1])).paused(true);
    let once = group.supervise::<u64, u64>("b", &traps(&host), spawn).expect("it has an entry");
    assert_eq!(serves.call(&COUNT, PATIENCE), Ok(vec![1]));
    let events = events(&once);
    kill(&once);
    assert_eq!(std::array::from_fn(|_| next(&events)), ["died", "refused", "over"]);
    let refused = once.call(&1, PATIENCE);
    assert!(matches!(refused, Err(CallError::Unborn(SpawnError::Message(_)))), "{refused:?}");
    assert_eq!((serves.join(), serves.restarts()), (Exit::Returned, 1), "it was there in between, and nobody asked it");
    assert_eq!((group.has_ended(), host.live()), (true, 0));
}

#[test]
fn a_plugin_of_a_group_is_upgraded_alone_and_started_again_as_what_it_is() {
    let host = host();
    let (_group, members) = three(&host, Strategy::OneForAll, at_once());
    assert_eq!(members[0].upgrade(&served(&host), Spawn::entry("halved"), PATIENCE), Ok(Exit::Returned));
    assert_eq!(members[1].call(&COUNT, PATIENCE), Ok(vec![2]), "an upgrade is no death");
    let events = all_events(&members);
    kill(&members[1]);
    assert_eq!(until_restarted(&events, 3).1, NAMES);
    assert_eq!(members[0].call(&COUNT, PATIENCE), Err(CallError::Unanswered), "which is no question for it");
    assert_eq!(members[2].call(&COUNT, PATIENCE), Ok(vec![1]));
}

#[test]
fn a_group_is_stopped_in_reverse_order_also_while_some_of_it_are_down() {
    let host = host();
    let (group, members) = three(&host, Strategy::OneForOne, late());
    assert_eq!(members[0].call(&Question::AnswerAndLoop, PATIENCE), Ok(vec![]));
    kill(&members[1]);
    let stopped = group.stop(Duration::from_secs(2));
    let of = |name: &str, exit: Exit| (name.to_owned(), exit);
    assert_eq!(stopped, [of("c", Exit::Returned), of("b", KILLED), of("a", KILLED)]);
    assert_eq!((group.has_ended(), block_on(group.stop_async(PATIENCE)), host.live()), (true, Vec::new(), 0));
    members.iter().for_each(|member| assert!(member.call(&COUNT, PATIENCE).is_err()));
}

#[test]
fn no_stop_of_a_group_hangs_when_the_host_closes() {
    let host = host();
    let (group, members) = three(&host, Strategy::OneForAll, late());
    assert_eq!(members[2].call(&Question::AnswerAndLoop, PATIENCE), Ok(vec![]));
    std::thread::scope(|scope| {
        let stopped = scope.spawn(|| group.stop(PATIENCE));
        while members[2].isolate().is_some() {
            std::thread::yield_now(); // until it is asked to stop, and loops on
        }
        drop(host);
        let stopped = stopped.join().expect("no panic");
        assert!(stopped.iter().all(|(_, exit)| *exit == Exit::HostClosed), "{stopped:?}");
    });
    assert_eq!(members.each_ref().map(|member| member.join()), [const { Exit::HostClosed }; 3]);
    assert!(group.has_ended());
}

/// Three of which the first one died, while the last one loops and has a long grace: it is waited for.
fn one_is_waited_for(host: &Host) -> (Group, [Counts; 3]) {
    let (group, members) = three(host, Strategy::OneForAll, at_once().grace(PATIENCE));
    assert_eq!(members[2].call(&Question::AnswerAndLoop, PATIENCE), Ok(vec![]));
    kill(&members[0]);
    while members[2].isolate().is_some() {
        std::thread::yield_now(); // until it is asked to stop, and loops on
    }
    (group, members)
}

#[test]
fn whoever_stops_a_group_need_not_wait_for_the_grace_of_its_restarts() {
    let host = host();
    let (group, _members) = one_is_waited_for(&host);
    let ended = group.stop(Duration::ZERO);
    assert_eq!(ended.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["c", "b", "a"]);
    assert_eq!((&ended[0].1, &ended[2].1, host.live()), (&KILLED, &KILLED, 0));
}

#[test]
fn whoever_stops_a_plugin_need_not_wait_for_the_grace_of_its_group() {
    let host = host();
    let (_group, members) = one_is_waited_for(&host);
    members[1].stop(Duration::ZERO); // while another one is waited for
    assert_eq!(members[2].exit(), None, "which has its grace");
    assert_eq!(members[2].stop(Duration::ZERO), KILLED);
    assert_eq!(members[0].call(&COUNT, PATIENCE), Ok(vec![1]), "the first one is started again");
    assert_eq!(members.each_ref().map(|member| member.restarts()), [1, 0, 0]);
}

#[test]
fn a_group_that_is_being_stopped_can_be_stopped_sooner() {
    let host = host();
    let (group, members) = three(&host, Strategy::OneForOne, late());
    assert_eq!(members[2].call(&Question::AnswerAndLoop, PATIENCE), Ok(vec![]));
    let ended = block_on(async {
        let mut patient = Box::pin(group.stop_async(PATIENCE));
        poll_once(patient.as_mut()).await;
        while members[2].isolate().is_some() {
            tokio::task::yield_now().await; // until it is asked to stop, and loops on
        }
        let sooner = group.stop_async(Duration::ZERO).await;
        assert_eq!(sooner, patient.await, "both are told the same");
        sooner
    });
    assert_eq!(ended.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["c", "b", "a"]);
    assert_eq!((&ended[0].1, host.live()), (&KILLED, 0));
}
