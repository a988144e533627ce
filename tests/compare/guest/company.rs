//! Who computes beside the measured. They end with whoever asked for them.

use std::hint::black_box;
use std::time::{Duration, SystemTime};

use insula_guest::Isolate;

/// So many that compute for ever, and have done so for long enough to be known for it.
pub(crate) fn spinners(count: u32) {
    for _ in 0..count {
        Isolate::build().scoped().spawn(spins, ()).expect("there is room");
    }
    insula_guest::sleep(Duration::from_millis(10) * count);
}

/// Computes for ever.
pub(crate) fn spins((): ()) {
    loop {
        work(1_000);
    }
}

/// So many rounds of a loop that nobody can leave out.
pub(crate) fn work(rounds: u64) {
    for round in 0..rounds {
        black_box(round);
    }
}

/// How many rounds of [`work`] take a millisecond, where nobody else runs.
pub(crate) fn rounds_in_a_millisecond() -> u64 {
    const ROUNDS: u64 = 2_000_000;
    let began = wall();
    work(ROUNDS);
    ROUNDS * 1_000_000 / (wall() - began).max(1)
}

/// Nanoseconds of the clock that isolates can compare: an `Instant` cannot be sent.
pub(crate) fn wall() -> u64 {
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is later than 1970");
    u64::try_from(time.as_nanos()).expect("it is earlier than 2554")
}
