//! How long requests take, alone and beside a plugin that loops: the program asks itself.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::ask::ask;

/// Requests that are under way at a time.
const AT_ONCE: usize = 2;

/// What each asks for, and what is the right answer.
const QUESTION: (&str, &str) = ("/words", "to be or not to be");
const ANSWER: &str = "2 be\n2 to\n1 not\n1 or\n";

/// Requests of one kind, and how long each took.
struct Round {
    times: Vec<Duration>,
}

impl Round {
    /// Asks so often. Any answer but the right one is an error.
    fn of(address: SocketAddr, count: usize) -> Result<Round> {
        let asked = thread::scope(|scope| {
            let each =
                |first: usize| scope.spawn(move || (first..count).step_by(AT_ONCE).map(|_| timed(address)).collect());
            let threads: Vec<_> = (0..AT_ONCE).map(each).collect();
            let done = threads.into_iter().map(|thread| thread.join().expect("it does not panic"));
            done.collect::<Result<Vec<Vec<Duration>>>>()
        })?;
        let mut times = asked.concat();
        times.sort_unstable();
        Ok(Round { times })
    }

    fn percentile(&self, percent: usize) -> Duration {
        let last = self.times.len().saturating_sub(1);
        self.times.get(last * percent / 100).copied().unwrap_or_default()
    }

    fn tell(&self, name: &str) {
        let milliseconds = |percent| self.percentile(percent).as_secs_f64() * 1_000.0;
        let count = self.times.len();
        println!("{name:<14} {count} times 200, p50 {:.2} ms, p99 {:.2} ms", milliseconds(50), milliseconds(99));
    }
}

fn timed(address: SocketAddr) -> Result<Duration> {
    let begin = Instant::now();
    let (status, body) = ask(address, QUESTION.0, QUESTION.1)?;
    let took = begin.elapsed();
    ensure!((status, body.as_str()) == (200, ANSWER), "{status}: {body}");
    Ok(took)
}

/// Tells the times of `count` requests alone, and of as many while somebody asks for a page that loops.
pub(crate) fn compare(address: SocketAddr, count: usize) -> Result<()> {
    Round::of(address, count.div_ceil(10))?; // what is slow once only
    let alone = Round::of(address, count)?;
    alone.tell("alone");
    let over = AtomicBool::new(false);
    let (beside, looping) = thread::scope(|scope| {
        let looping = scope.spawn(|| loops(address, &over));
        let beside = Round::of(address, count);
        over.store(true, Ordering::Relaxed);
        (beside, looping.join().expect("it does not panic"))
    });
    let (beside, (answers, line)) = (beside?, looping?);
    beside.tell("beside a loop");
    println!("{:<14} {answers} times 504: {line}", "the loop");
    let ratio = beside.percentile(99).as_secs_f64() / alone.percentile(99).as_secs_f64();
    println!("{:<14} {ratio:.1}", "ratio of p99");
    Ok(())
}

/// Asks for a page that loops, again and again, and says how often it did and what the answer was.
fn loops(address: SocketAddr, over: &AtomicBool) -> Result<(usize, String)> {
    let mut answers = 0;
    loop {
        let (status, line) = ask(address, "/loops", "")?;
        ensure!(status == 504, "a loop is answered with {status}: {line}");
        answers += 1;
        if over.load(Ordering::Relaxed) {
            return Ok((answers, line.trim_end().to_owned()));
        }
    }
}
