//! Random programs against the laws: isolates that spawn, send, pause, kill, fail and exit in a drawn order, run by a
//! real host, and judged by what they and their observers recorded.
//!
//! - [`program`]: a program out of a seed, and smaller ones out of one that fails.
//! - `tests/guests/script.rs`: the guest that follows a script and says what it does.
//! - [`run`]: a host, a run, and all that was recorded of it.
//! - [`judge`]: the laws, a function each. Their own test is in `judge/planted.rs`: each is broken in the records, and
//!   complains.
//!
//! A failure prints the seed, the laws that were broken, and a program that is as small as a bounded search makes it.
//! The same seed again, with the program shown whatever comes of it:
//!
//! ```sh
//! SEED=123 cargo test -p insula-tests --test insula random
//! ```
//!
//! `RUNS=100000` instead of `SEED` is for a longer night. Programs of a seed are always the same; which of two isolates
//! on two threads is faster is not, so a failure there may need more than one run to come again.

mod judge;
#[path = "guests/script/language.rs"]
mod language;
mod program;
mod run;

use std::io::Write as _;

use language::Program;
use program::Shown;
use run::House;

/// Programs for each scheduler, unless `RUNS` says how many.
const RUNS: u64 = 1_000;

/// Runs that the search for a smaller program may take.
const SHRINKING_RUNS_MAX: usize = 400;

/// Whose isolates a program is played by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    TwoThreads,
    /// One thread, and the order drawn by the program's own seed.
    Seeded,
}

/// A number in the environment.
fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// What is wrong with a run of the program; nothing is nothing.
fn complaints(house: &House, program: &Program) -> Vec<String> {
    match house.run(program) {
        Ok(run) => judge::judge(&run),
        Err(hung) => vec![hung],
    }
}

/// Plays one program after another, and fails with the first that breaks a law.
fn play(kind: Kind) {
    let one = variable("SEED");
    let seeds = one.map_or(0..variable("RUNS").unwrap_or(RUNS), |seed| seed..seed + 1);
    let shared = (kind == Kind::TwoThreads).then(|| House::new(None));
    for seed in seeds {
        let program = program::of_seed(seed);
        if one.is_some() {
            // Past the capture of the test's output: whoever asks for a seed wants to see it.
            writeln!(std::io::stderr(), "seed {seed}, {kind:?}:\n{}", Shown(&program)).expect("stderr is open");
        }
        let found = match &shared {
            Some(house) => complaints(house, &program),
            None => complaints(&House::new(Some(seed)), &program),
        };
        if !found.is_empty() {
            fail(kind, seed, &program, &found);
        }
    }
}

fn fail(kind: Kind, seed: u64, program: &Program, found: &[String]) -> ! {
    let (smaller, runs) = shrunk(kind, seed, program, found);
    panic!(
        "seed {seed}, {kind:?} breaks a law:\n  {}\nagain: SEED={seed} cargo test -p insula-tests --test insula random\n\
         {}\nsmaller, after {runs} runs:\n{}",
        found.join("\n  "),
        Shown(program),
        Shown(&smaller)
    )
}

/// The law that a complaint names.
fn law(complaint: &str) -> &str {
    complaint.split(':').next().unwrap_or(complaint)
}

/// A smaller program that breaks one of the same laws, and the runs that the search took.
fn shrunk(kind: Kind, seed: u64, program: &Program, found: &[String]) -> (Program, usize) {
    let (mut smallest, mut runs) = (program.clone(), 0);
    // A run that hangs takes a minute, and leaves its host behind.
    let hangs = found.iter().any(|complaint| complaint == "the run has no end");
    let same = |complaints: &[String]| complaints.iter().any(|one| found.iter().any(|other| law(one) == law(other)));
    loop {
        let house = House::new((kind == Kind::Seeded).then_some(seed));
        let next = program::smaller(&smallest).into_iter().find(|smaller| {
            runs += 1;
            !hangs && runs <= SHRINKING_RUNS_MAX && same(&complaints(&house, smaller))
        });
        match next {
            Some(next) => smallest = next,
            None => return (smallest, runs.min(SHRINKING_RUNS_MAX)),
        }
    }
}

#[test]
fn programs_keep_the_laws_on_two_threads() {
    play(Kind::TwoThreads);
}

#[test]
fn programs_keep_the_laws_in_a_seeds_order() {
    play(Kind::Seeded);
}
