//! Each law broken in the records, to see that the judge complains, and of what.
//!
//! The records are those of a run that nothing is wrong with, written down here: isolate 0 spawns 1 and 2, gives 1 a port
//! of its own and watches it there; 1 sends two messages and one to another port, reports an error and fails; 2 is killed.

use insula::Exit;

use super::judge;
use crate::random::language::{Act, Birth, Got, Name, Op, Outcome, Program, Record, error_text};
use crate::random::run::{Heard, Run};

const PORT: Name = Name { owner: 0, at: 0 };
const OTHER: Name = Name { owner: 0, at: 1 };
const OF_CHILD: Name = Name { owner: 1, at: 0 };

fn will(act: Act) -> Heard {
    Heard::Said(Record::Will(act))
}

fn did(outcome: Outcome) -> Heard {
    Heard::Said(Record::Did(outcome))
}

fn done(act: Act) -> [Heard; 2] {
    [will(act), did(Outcome::Done)]
}

fn sends(to: Name, number: u32) -> [Heard; 2] {
    done(Act::Send { to, number, port: None, handle: None })
}

fn gone(who: u32) -> Heard {
    Heard::Exit(Record::Gone { who, number: 0 })
}

fn got(at: Name, from: u32, number: u32, notice: bool) -> Outcome {
    Outcome::Got(Got { at, from, number, notice, port: None, handle: None, closes: false })
}

fn takes(at: Name, from: u32, number: u32) -> [Heard; 2] {
    [will(Act::Receive { port: at }), did(got(at, from, number, false))]
}

fn birth(child: u32) -> Birth {
    Birth { child, paused: false, fatal: false, scoped: false, room: None, ports: vec![], knows_parent: false }
}

fn spawns(child: u32, ports: Vec<Name>) -> [Heard; 2] {
    done(Act::Spawn { child, paused: false, fatal: false, scoped: false, ports })
}

/// What isolate 0 does: the first two messages one by one, the third and the notice as they come.
fn log_of_main() -> Vec<Heard> {
    let log = [
        done(Act::Open { port: PORT, waits: false }),
        done(Act::Open { port: OTHER, waits: false }),
        spawns(1, vec![PORT, OTHER]),
        spawns(2, vec![]),
        done(Act::Watch { whom: 1, port: PORT, number: 1 }),
        takes(PORT, 1, 1),
        takes(PORT, 1, 2),
        [will(Act::ReceiveAny), did(got(OTHER, 1, 3, false))],
        [will(Act::Receive { port: PORT }), did(got(PORT, 1, 1, true))],
        [will(Act::Send { to: OF_CHILD, number: 2, port: None, handle: None }), did(Outcome::Closed)],
        done(Act::Kill { whom: 2, at_once: true, allowed: true }),
        [will(Act::Return), gone(0)],
    ];
    log.into_iter().flatten().collect()
}

fn log_of_child() -> Vec<Heard> {
    let report = Act::Report { number: 4 };
    let log = [
        vec![will(Act::Open { port: OF_CHILD, waits: false }), did(Outcome::Done)],
        vec![Heard::Said(Record::Paused { by: 2, token: true }), Heard::Said(Record::Resuming { by: 2, token: true })],
        sends(PORT, 1).to_vec(),
        sends(PORT, 2).to_vec(),
        sends(OTHER, 3).to_vec(),
        vec![will(report), Heard::Error(error_text(1, 4)), did(Outcome::Done)],
        vec![
            will(Act::Ping { whom: 1, number: 5, at_once: true }),
            Heard::Ping(Record::Pong { by: 1, number: 5 }),
            did(Outcome::Done),
        ],
        done(Act::Sleep).to_vec(),
        vec![will(Act::Fail { number: 6 }), Heard::Error(error_text(1, 6)), gone(1)],
    ];
    log.into_iter().flatten().collect()
}

fn run() -> Run {
    let scripts = vec![vec![Op::Spawn(birth(1)), Op::Spawn(birth(2))], vec![], vec![]];
    let second = done(Act::Pause { whom: 1, token: true, allowed: true });
    let third = done(Act::Resume { whom: 1, token: true });
    Run {
        program: Program { scripts },
        logs: vec![
            log_of_main(),
            log_of_child(),
            second.into_iter().chain(third).chain([will(Act::ReceiveAny), gone(2)]).collect(),
        ],
        uncaught: vec![],
        main: Exit::Returned,
        asleep: None,
        leaks: vec![],
    }
}

/// Breaks the records, and expects a complaint that begins with these words.
#[track_caller]
fn breaks(law: &str, fault: impl FnOnce(&mut Run)) {
    let mut run = run();
    fault(&mut run);
    let complaints = judge(&run);
    assert!(complaints.iter().any(|complaint| complaint.starts_with(law)), "{law}: {complaints:?}");
}

/// Where something is in a log.
#[track_caller]
fn place(run: &Run, log: usize, heard: &Heard) -> usize {
    run.logs[log].iter().position(|other| other == heard).expect("it is in the log")
}

#[track_caller]
fn remove(run: &mut Run, log: usize, heard: &Heard) {
    let at = place(run, log, heard);
    run.logs[log].remove(at);
}

#[track_caller]
fn replace(run: &mut Run, log: usize, heard: &Heard, by: Heard) {
    let at = place(run, log, heard);
    run.logs[log][at] = by;
}

#[test]
fn a_run_that_keeps_the_laws_is_not_complained_of() {
    assert_eq!(judge(&run()), [""; 0]);
}

#[test]
fn exits_that_are_lost_doubled_or_unborn_are_found() {
    for who in 0..3_u32 {
        let log = who as usize;
        breaks("exactly one exit", |run| remove(run, log, &gone(who)));
        breaks("exactly one exit", |run| run.logs[log].push(gone(who)));
    }
    breaks("exactly one exit", |run| replace(run, 1, &gone(1), Heard::Exit(Record::Gone { who: 1, number: 9 })));
    breaks("exactly one exit", |run| run.logs[0].push(gone(1)));
    breaks("no exit of the unborn", |run| {
        let spawn = spawns(2, vec![])[0].clone();
        let at = place(run, 0, &spawn);
        run.logs[0].drain(at..at + 2);
    });
    let notice = |number| did(got(PORT, 1, number, true));
    breaks("exactly one exit", |run| replace(run, 0, &notice(1), notice(7)));
    breaks("exactly one exit", |run| {
        let at = place(run, 0, &notice(1));
        run.logs[0].insert(at + 1, will(Act::Receive { port: PORT }));
        run.logs[0].insert(at + 2, notice(1));
    });
}

#[test]
fn what_comes_after_the_exit_is_found() {
    breaks("nothing after the exit", |run| run.logs[1].push(did(Outcome::Done)));
    breaks("no answer to a ping from the dead", |run| {
        let pong = Heard::Ping(Record::Pong { by: 1, number: 5 });
        remove(run, 1, &pong);
        run.logs[1].push(pong);
    });
    breaks("the error comes before the exit", |run| {
        let length = run.logs[1].len();
        run.logs[1].swap(length - 2, length - 1);
    });
    breaks("what was sent before the death comes before the notice", |run| {
        let notice = did(got(PORT, 1, 1, true));
        let (second, last) = (place(run, 0, &did(got(PORT, 1, 2, false))), place(run, 0, &notice));
        run.logs[0].swap(second, last);
    });
    breaks("the dead accept nothing", |run| replace(run, 0, &did(Outcome::Closed), did(Outcome::Done)));
    breaks("no code of the dead runs", |run| replace(run, 1, &will(Act::Sleep), will(Act::Trap)));
    breaks("the dead answer a late listener at once", |run| {
        let at = place(run, 0, &did(Outcome::Closed));
        let listens = done(Act::ListenExit { whom: 1, number: 8 });
        run.logs[0].splice(at + 1..at + 1, listens);
    });
}

#[test]
fn messages_that_are_invented_doubled_lost_changed_or_out_of_order_are_found() {
    let message = |number| did(got(PORT, 1, number, false));
    breaks("nothing is invented", |run| replace(run, 0, &message(2), message(9)));
    breaks("nothing is invented", |run| replace(run, 0, &message(2), did(got(OTHER, 1, 2, false))));
    breaks("nothing is delivered twice", |run| replace(run, 0, &message(2), message(1)));
    breaks("each sender's order is kept", |run| {
        let (first, second) = (place(run, 0, &message(1)), place(run, 0, &message(2)));
        run.logs[0].swap(first, second);
    });
    breaks("no accepted message is lost", |run| {
        let at = place(run, 0, &message(1));
        run.logs[0].drain(at - 1..=at);
    });
    breaks("what is refused is not delivered", |run| {
        let at = place(run, 1, &sends(PORT, 2)[0]);
        run.logs[1][at + 1] = did(Outcome::Full);
    });
    breaks("a mailbox with room is not full", |run| {
        let at = place(run, 1, &sends(PORT, 2)[0]);
        run.logs[1][at + 1] = did(Outcome::Full);
    });
    breaks("a message arrives as it was sent", |run| {
        let at = place(run, 1, &sends(PORT, 2)[0]);
        run.logs[1][at] = will(Act::Send { to: PORT, number: 2, port: Some(OF_CHILD), handle: None });
    });
    breaks("each sender's order is kept across ports", |run| {
        let at = place(run, 0, &message(2));
        run.logs[0].drain(at - 1..=at);
    });
}

#[test]
fn ports_that_answer_falsely_are_found() {
    let sleep = |run: &Run| place(run, 1, &will(Act::Sleep));
    let own = sends(OF_CHILD, 7);
    let then = |act: Act, outcome: Outcome| {
        let own = own.clone();
        move |run: &mut Run| {
            let at = sleep(run);
            run.logs[1].splice(at..at, own.into_iter().chain([will(act), did(outcome)]));
        }
    };
    let receive = || Act::Receive { port: OF_CHILD };
    breaks("a port with a message is not empty", then(Act::TryReceive { port: OF_CHILD }, Outcome::Empty));
    breaks("a port is closed when its owner has closed it", then(receive(), Outcome::Closed));
    breaks("a port is closed when its owner has closed it", |run| {
        let at = sleep(run);
        let closes = done(Act::Close { port: OF_CHILD });
        run.logs[1].splice(at..at, closes.into_iter().chain([will(receive()), did(Outcome::Unreachable)]));
    });
    breaks("one's own port is closed when one has closed it", |run| {
        let at = sleep(run);
        run.logs[1].splice(at..at, [own[0].clone(), did(Outcome::Closed)]);
    });
    breaks("nobody can send to an unreachable port", |run| {
        replace(run, 0, &did(got(PORT, 1, 1, false)), did(Outcome::Unreachable));
    });
}

#[test]
fn errors_that_are_silent_doubled_or_unasked_are_found() {
    let error = || Heard::Error(error_text(1, 4));
    breaks("no error is silent", |run| remove(run, 1, &error()));
    breaks("no error is silent", |run| remove(run, 1, &Heard::Error(error_text(1, 6))));
    breaks("who listens is told", |run| remove(run, 1, &error()));
    breaks("an error is told once", |run| {
        let at = place(run, 1, &error());
        run.logs[1].insert(at, error());
    });
    breaks("an error is told once, and to those who asked", |run| run.logs[2].insert(0, error()));
    breaks("an error is told or reported", |run| run.uncaught.push((1, error_text(1, 4))));
    breaks("no error is invented", |run| run.logs[2].insert(0, Heard::Error(error_text(2, 1))));
    breaks("a fatal error ends the isolate", |run| {
        run.program.scripts[0][0] = Op::Spawn(Birth { fatal: true, ..birth(1) });
    });
    breaks("an error that is not fatal ends nobody", |run| {
        let at = place(run, 1, &error());
        run.logs[1].drain(at + 1..);
        run.logs[1].push(gone(1));
    });
}

#[test]
fn pings_and_pauses_that_do_not_hold_are_found() {
    let pong = || Heard::Ping(Record::Pong { by: 1, number: 5 });
    breaks("a ping is answered at once", |run| remove(run, 1, &pong()));
    breaks("a ping is answered once", |run| {
        let at = place(run, 1, &pong());
        run.logs[1].insert(at, pong());
    });
    breaks("no answer without a ping", |run| run.logs[2].insert(0, pong()));
    let later = || will(Act::Ping { whom: 1, number: 5, at_once: false });
    let ping = will(Act::Ping { whom: 1, number: 5, at_once: true });
    breaks("a ping is answered at the end of its turn", |run| replace(run, 1, &ping, later()));
    breaks("a wait ends a turn", |run| {
        replace(run, 1, &ping, later());
        remove(run, 1, &pong());
    });
    breaks("a pause holds", |run| remove(run, 1, &Heard::Said(Record::Resuming { by: 2, token: true })));
    breaks("a birth that is paused waits", |run| {
        let spawn = Act::Spawn { child: 1, paused: true, fatal: false, scoped: false, ports: vec![PORT, OTHER] };
        replace(run, 0, &spawns(1, vec![PORT, OTHER])[0], will(spawn));
    });
}

#[test]
fn ends_without_a_cause_are_found() {
    let kill = |allowed| will(Act::Kill { whom: 2, at_once: true, allowed });
    breaks("nobody dies without a cause", |run| replace(run, 0, &kill(true), kill(false)));
    breaks("main's exit is true", |run| run.main = Exit::ProcExit { code: 3 });
    breaks("who sleeps waits", |run| run.asleep = Some(vec![(1, false)]));
    breaks("only who was paused is paused", |run| run.asleep = Some(vec![(2, true)]));
    breaks("nobody sleeps with a message there", |run| {
        run.logs[0].truncate(10);
        run.logs[0].push(will(Act::Receive { port: PORT }));
        run.asleep = Some(vec![(0, false), (1, true)]);
    });
    breaks("who waits for an unreachable port is told", |run| {
        run.logs[0].pop();
        run.logs[0].pop();
        run.logs[0].push(will(Act::Receive { port: PORT }));
        run.asleep = Some(vec![(0, false)]);
    });
    breaks("nothing is left", |run| run.leaks.push("something".to_owned()));
    breaks("isolate 1 saw", |run| replace(run, 1, &did(Outcome::Done), did(Outcome::Broken("it".to_owned()))));
    breaks("isolate 1 was refused", |run| replace(run, 1, &did(Outcome::Done), did(Outcome::Refused("no".to_owned()))));
}
