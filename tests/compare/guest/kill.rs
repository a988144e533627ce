//! Kills: when the notice is there, and when somebody who waits for it has seen it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use insula_guest::{Isolate, Priority, ReceivePort, SendPort, TryRecvError, export_computation};

use crate::company::{self, wall, work};
use crate::waiting::{self, waits};

/// Isolates that wait beside the killed ones.
const IDLE: u32 = 1_000;

/// Says when it sees a notice.
fn watches((hello, seen): (SendPort<SendPort<()>>, SendPort<u64>)) {
    let exits = ReceivePort::<()>::new();
    hello.send(exits.send_port()).ok();
    while exits.recv().is_ok() {
        seen.send(wall()).ok();
    }
}

/// Computes, says so, and computes on. What it says makes room for the killer on one of the two workers: some victims are
/// on the other one then, and some were on this one, and are queued.
fn victim((rounds, spins): (u64, SendPort<()>)) {
    work(rounds);
    spins.send(()).ok();
    company::spins(());
}

/// Kills so many that spin, beside so many others that do: nanoseconds from the call until the notice is in the killer's
/// mailbox, and until an isolate that waited for it runs.
fn kill((spinners, count): (u32, u32)) -> (Vec<u64>, Vec<u64>) {
    let millisecond = company::rounds_in_a_millisecond();
    let _idle = waiting::idle(IDLE);
    company::spinners(spinners);
    let (hello, seen) = (ReceivePort::new(), ReceivePort::new());
    Isolate::build().scoped().spawn(watches, (hello.send_port(), seen.send_port())).expect("there is room");
    let watcher: SendPort<()> = hello.recv().expect("it says hello");
    let (spins, exits) = (ReceivePort::<()>::new(), ReceivePort::<()>::new());
    let options = Isolate::build().on_exit(&watcher, ());
    let mut times = (Vec::new(), Vec::new());
    for at in 0..u64::from(count) {
        // More than the two slices after which it goes behind all that wait.
        let rounds = millisecond * (5 + at % 3) + at % 7 * millisecond / 7;
        let isolate = options.clone().spawn(victim, (rounds, spins.send_port())).expect("there is room");
        isolate.add_exit_listener(&exits.send_port(), ()).expect("there is room");
        spins.recv().expect("it says that it spins");
        let began = wall();
        isolate.kill(Priority::Immediate);
        while !is_there(&exits) {}
        times.0.push(wall() - began);
        times.1.push(seen.recv().expect("the watcher is told").saturating_sub(began));
    }
    times
}
export_computation!(kill as "kill");

fn is_there(exits: &ReceivePort<()>) -> bool {
    match exits.try_recv() {
        Ok(()) => true,
        Err(TryRecvError::Empty) => false,
        Err(error) => panic!("an exit notice cannot be had: {error}"),
    }
}

/// Kills one, and says how many nanoseconds later its notice was there: `None` where the victim was on a CPU, since a
/// kill of any other posts the notice itself.
fn kill_off_cpu(victim: &Isolate, exits: &ReceivePort<()>) -> Option<u64> {
    let began = Instant::now();
    victim.kill(Priority::Immediate);
    let posted = is_there(exits);
    let time = began.elapsed();
    if !posted {
        exits.recv().expect("it tells its exit");
    }
    posted.then(|| u64::try_from(time.as_nanos()).expect("it is not that long"))
}

/// Between two kills, so that each comes in a turn of its own.
fn turn_ends() {
    insula_guest::sleep(Duration::from_millis(1));
}

/// Kills so many that wait, beside so many that spin.
fn kill_parked((spinners, count): (u32, u32)) -> Vec<u64> {
    let _idle = waiting::idle(IDLE);
    company::spinners(spinners);
    let (hello, exits) = (ReceivePort::new(), ReceivePort::<()>::new());
    let options = Isolate::build().on_exit(&exits.send_port(), ());
    let victims: Vec<_> =
        (0..count).map(|_| options.clone().spawn(waits, hello.send_port()).expect("there is room")).collect();
    let _alive: Vec<SendPort<()>> = (&hello).into_iter().take(victims.len()).collect();
    let kill = |victim: &Isolate| {
        turn_ends();
        kill_off_cpu(victim, &exits)
    };
    victims.iter().filter_map(kill).collect()
}
export_computation!(kill_parked as "kill-parked");

/// Kills so many of those that spin, each replaced by a new one; at most one of them is on a CPU, beside the killer, and
/// that one is left out.
fn kill_queued((spinners, count): (u32, u32)) -> Vec<u64> {
    let _idle = waiting::idle(IDLE);
    let exits = ReceivePort::<()>::new();
    let options = Isolate::build().scoped().on_exit(&exits.send_port(), ());
    let spawn = || options.clone().spawn(company::spins, ()).expect("there is room");
    let mut queue: VecDeque<_> = (0..spinners).map(|_| spawn()).collect();
    insula_guest::sleep(Duration::from_millis(10) * spinners);
    let kill = |_| {
        turn_ends();
        let time = kill_off_cpu(&queue.pop_front()?, &exits);
        queue.push_back(spawn());
        time
    };
    (0..count).filter_map(kill).collect()
}
export_computation!(kill_queued as "kill-queued");
