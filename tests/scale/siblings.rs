//! Many that serve, some that loop, and one after the other is ended: nobody else notices.

use std::time::{Duration, Instant};

use insula::{Exit, Host, Isolate, Killer, Limits, Module, Priority, Service, Spawn};
use serde::{Deserialize, Serialize};

use crate::harness;

/// That are alive and serve.
const SERVING: usize = 1_000;

/// That loop all the time.
const LOOPING: usize = 8;

/// That are ended, one after the other.
const ENDED: usize = 1_000;

/// As `serves_calls` has it, as far as it is asked here.
#[derive(Serialize, Deserialize)]
enum Question {
    Count(u64),
}

type Plugin = Service<Question, Vec<u64>>;

const PATIENCE: Duration = Duration::from_secs(600);

/// The way in which a looping one is to end.
#[derive(Clone, Copy)]
enum End {
    Killed,
    CpuTime,
    Deadline,
}

impl End {
    fn of(number: usize) -> End {
        [End::Killed, End::CpuTime, End::Killed, End::Deadline][number % 4]
    }

    fn limits(self) -> Limits {
        match self {
            End::Killed => Limits::default(),
            End::CpuTime => Limits::default().cpu_time(Duration::from_millis(1)),
            End::Deadline => Limits::default().deadline(Duration::from_millis(1)),
        }
    }

    /// Sees it end, and holds that it ended of this.
    fn see(self, looping: &Isolate) {
        if let End::Killed = self {
            looping.kill(Priority::Immediate);
        }
        match (self, looping.join()) {
            (End::Killed, Exit::Killed { by: Killer::Embedder }) | (End::Deadline, Exit::Deadline { .. }) => {}
            (End::CpuTime, Exit::Limit { which, .. }) if which == "cpu-time" => {}
            (_, exit) => panic!("{exit}"),
        }
    }
}

struct House {
    host: Host,
    serving: Vec<Plugin>,
    loops: Module,
}

impl House {
    fn new() -> House {
        let isolates = u32::try_from(SERVING + LOOPING + 8).expect("it is a small number");
        let builder = Host::builder().isolates(isolates).threads(2).cache_folder(harness::cache()).on_uncaught(|_| ());
        let host = builder.build().expect("there is room");
        let module = host.load_file(harness::guest("serves_calls")).expect("the guest is a module");
        let loops = host.load("loops", br#"(module (func (export "run") (loop (br 0))))"#).expect("it is a module");
        let serving = (0..SERVING).map(|_| host.open(&module, Spawn::entry("run")).expect("there is room")).collect();
        House { host, serving, loops }
    }

    fn looping(&self, limits: Limits) -> Isolate {
        self.host.spawn(&self.loops, Spawn::entry("run").limits(limits)).expect("there is room")
    }

    /// Each keeps its count in its memory: it was asked so often, by nobody else, and never began anew.
    fn is_asked_for_the(&self, time: u64, number: usize) {
        let count = self.serving[number].call(&Question::Count(0), PATIENCE);
        assert_eq!(count, Ok(vec![time]), "the {number}th that serves");
    }
}

#[test]
fn one_after_the_other_of_eight_that_loop_is_ended_and_a_thousand_others_serve_on() {
    let house = House::new();
    let mut looping: Vec<Isolate> = (1..LOOPING).map(|_| house.looping(Limits::default())).collect();
    for number in 0..ENDED {
        let end = End::of(number);
        let limits = end.limits();
        let victim = house.looping(limits);
        end.see(&victim);
        house.is_asked_for_the(1, number % SERVING);
        assert!(looping.iter().all(|other| other.exit().is_none()), "another one ended with the {number}th");
        assert_eq!(house.host.live(), SERVING + LOOPING - 1, "after the {number}th");
        // The other seven are replaced in turn, so that none is older than its kind.
        if number % 100 == 0 {
            let replaced =
                std::mem::replace(&mut looping[number / 100 % (LOOPING - 1)], house.looping(Limits::default()));
            End::Killed.see(&replaced);
        }
    }
    (0..SERVING).for_each(|number| house.is_asked_for_the(2, number));
    assert!(house.serving.iter().all(|plugin| plugin.isolate().exit().is_none()));
}

#[test]
fn one_that_is_started_late_beside_those_that_loop_has_all_of_its_time() {
    const BUDGET: Duration = Duration::from_millis(60);
    let builder = Host::builder().isolates(32).threads(2);
    let host = builder.build().expect("there is room");
    let loops = host.load("loops", br#"(module (func (export "run") (loop (br 0))))"#).expect("it is a module");
    let house = House { host, serving: vec![], loops };
    let looping: Vec<Isolate> = (0..LOOPING).map(|_| house.looping(Limits::default())).collect();
    for number in 0..20 {
        // What the others did before, and how others end meanwhile, takes nothing of it.
        let late = house.looping(Limits::default().cpu_time(BUDGET));
        let began = Instant::now();
        let timed = house.looping(Limits::default().deadline(BUDGET));
        End::of(number).see(&house.looping(End::of(number).limits()));
        let exit = timed.join();
        assert!(matches!(exit, Exit::Deadline { .. }), "{exit}");
        assert!(began.elapsed() >= BUDGET, "its deadline came before its time");
        assert!(matches!(late.join(), Exit::Limit { which, .. } if which == "cpu-time"));
        let used = late.usage().cpu_time;
        assert!(used >= BUDGET, "it had {used:?} of {BUDGET:?}");
    }
    assert!(looping.iter().all(|other| other.exit().is_none()));
}
