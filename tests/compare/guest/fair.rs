//! Who gets how much of two workers, and how soon.

use std::time::{Duration, Instant};

use insula_guest::{Isolate, ReceivePort, SendPort, export_computation};

use crate::company::{self, wall, work};
use crate::messages::{Small, echo, small};

/// One that answers, and what it takes to ask it.
struct Pair {
    there: SendPort<Small>,
    back: ReceivePort<Small>,
    message: Small,
}

impl Pair {
    fn new() -> Pair {
        let (hello, back) = (ReceivePort::new(), ReceivePort::new());
        let options = Isolate::build().scoped();
        options.spawn(echo, (hello.send_port(), back.send_port())).expect("there is room");
        Pair { there: hello.recv().expect("the other one is there"), back, message: small() }
    }

    fn round_trip(&mut self) {
        self.there.send_ref(&self.message).expect("the other one is there");
        self.message = self.back.recv().expect("it answers");
    }
}

/// Nanoseconds of each of so many round trips beside so many that spin, each after a sleep or not.
fn beside((spinners, count, sleeps): (u32, u32, bool)) -> Vec<u64> {
    company::spinners(spinners);
    let mut pair = Pair::new();
    let time = |_| {
        if sleeps {
            insula_guest::sleep(Duration::from_millis(1));
        }
        let began = Instant::now();
        pair.round_trip();
        u64::try_from(began.elapsed().as_nanos()).expect("it is not that long")
    };
    (0..count).map(time).collect()
}
export_computation!(beside as "fair-beside");

/// When counting begins and ends.
type Span = (u64, u64);

/// How often `piece` can be done between the two.
fn count((begin, end): Span, mut piece: impl FnMut()) -> u64 {
    let mut count = 0;
    loop {
        piece();
        match wall() {
            now if now >= end => return count,
            now => count += u64::from(now >= begin),
        }
    }
}

fn works((span, to): (Span, SendPort<u64>)) {
    to.send(count(span, || work(10_000))).ok();
}

fn pings((span, to): (Span, SendPort<u64>)) {
    let mut pair = Pair::new();
    to.send(count(span, || pair.round_trip())).ok();
}

/// Round trips of each of so many pairs, and work of each of so many spinners, within so many milliseconds.
fn shares((pairs, spinners, milliseconds): (u32, u32, u64)) -> (Vec<u64>, Vec<u64>) {
    let begin = wall() + 300_000_000;
    let span = (begin, begin + milliseconds * 1_000_000);
    let (worked, pinged) = (ReceivePort::new(), ReceivePort::new());
    for _ in 0..spinners {
        Isolate::spawn(works, (span, worked.send_port())).expect("there is room");
    }
    for _ in 0..pairs {
        Isolate::spawn(pings, (span, pinged.send_port())).expect("there is room");
    }
    ((&pinged).into_iter().take(pairs as usize).collect(), (&worked).into_iter().take(spinners as usize).collect())
}
export_computation!(shares as "fair-shares");
