//! Whether an isolate that ended is started again, and after what time: a decision of numbers only.
//!
//! The rule is that of Erlang's supervisors: so many restarts in a window of time, and one more is the end of it. What
//! they do not have is the back-off, a time before each restart that doubles until the isolate ran well. Every restart
//! counts, whoever caused the death: what goes on for ever is bounded that way whatever its cause.

use std::collections::VecDeque;
use std::time::Duration;

use crate::exit::Exit;
use crate::world::{NEVER, Nanos};

/// When an isolate that ended is started again; see [`Host::supervise`](crate::Host::supervise).
///
/// Unless it is told otherwise, it allows three restarts within five seconds, waits for 10 ms before the first one and
/// twice as long before each one that follows, a second at most, and has five seconds of grace for those who are ended
/// for the sake of others.
///
/// ```
/// use std::time::Duration;
/// use insula::Restart;
/// let patient = Restart::on_failure()
///     .at_most(10, Duration::from_secs(60))
///     .back_off(Duration::from_millis(100), Duration::from_secs(5));
/// assert_ne!(patient, Restart::on_failure());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Restart {
    when: When,
    times: u32,
    within: Duration,
    first: Duration,
    longest: Duration,
    grace: Duration,
    ready_within: Duration,
}

/// The ends after which there is a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Never,
    OnFailure,
    Always,
}

impl Restart {
    /// Not at all: its first end is its last.
    pub fn never() -> Restart {
        Restart::when(When::Never)
    }

    /// After every end but those that the isolate meant: it returned, exited, or had exit code 0. A kill, a limit and a
    /// deadline are failures.
    pub fn on_failure() -> Restart {
        Restart::when(When::OnFailure)
    }

    /// After every end, as long as anybody can reach it.
    pub fn always() -> Restart {
        Restart::when(When::Always)
    }

    fn when(when: When) -> Restart {
        Restart {
            when,
            times: 3,
            within: Duration::from_secs(5),
            first: Duration::from_millis(10),
            longest: Duration::from_secs(1),
            grace: Duration::from_secs(5),
            ready_within: Duration::from_secs(10),
        }
    }

    /// No more than so many restarts in any span of this length: the death after that is the last one.
    pub fn at_most(mut self, times: u32, within: Duration) -> Restart {
        (self.times, self.within) = (times, within);
        self
    }

    /// So long before the first restart, and twice as long before each one after it, up to the longest. It begins anew
    /// after an isolate that lived for as long as the window of [`at_most`](Restart::at_most), and the longest back-off.
    pub fn back_off(mut self, first: Duration, longest: Duration) -> Restart {
        (self.first, self.longest) = (first.min(longest), longest);
        self
    }

    /// How long those have to end by themselves that are ended for the sake of others of their [`Group`](crate::Group).
    pub fn grace(mut self, grace: Duration) -> Restart {
        self.grace = grace;
        self
    }

    /// How long the isolate of an [upgrade](crate::Plugin::upgrade) has until it serves.
    pub fn ready_within(mut self, time: Duration) -> Restart {
        self.ready_within = time;
        self
    }

    pub(crate) fn grace_time(&self) -> Duration {
        self.grace
    }

    pub(crate) fn ready_time(&self) -> Duration {
        self.ready_within
    }
}

/// What becomes of an isolate that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Another one is started, after so long.
    Again { after: Nanos },
    /// It ended as it was to end.
    Over,
    /// It was started too often.
    GiveUp,
}

/// The restarts so far, as far as they matter.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// When they took place, or will.
    restarts: VecDeque<Nanos>,
    /// The last of them that are still to come.
    pending: usize,
    last_back_off: Option<Nanos>,
}

impl History {
    /// An isolate that was born at `born` ended.
    pub(crate) fn died(&mut self, restart: &Restart, exit: &Exit, born: Nanos, now: Nanos) -> Verdict {
        let again = match restart.when {
            When::Never => false,
            When::OnFailure => !exit.is_ok(),
            When::Always => true,
        };
        if !again {
            return Verdict::Over;
        }
        if now.saturating_sub(born) >= nanos(restart.within.max(restart.longest)) {
            self.last_back_off = None;
        }
        self.again(restart, now)
    }

    /// A restart was refused: it counts, and is tried again.
    pub(crate) fn refused(&mut self, restart: &Restart, now: Nanos) -> Verdict {
        self.started(now);
        self.again(restart, now)
    }

    /// The restarts that were to come took place, perhaps later than they were to.
    pub(crate) fn started(&mut self, now: Nanos) {
        let pending = std::mem::take(&mut self.pending);
        self.restarts.iter_mut().rev().take(pending).for_each(|at| *at = (*at).max(now));
    }

    fn again(&mut self, restart: &Restart, now: Nanos) -> Verdict {
        let (first, longest) = (nanos(restart.first), nanos(restart.longest));
        let after = self.last_back_off.map_or(first, |last| last.saturating_mul(2).min(longest));
        let due = now.saturating_add(after);
        let within = nanos(restart.within);
        while self.restarts.front().is_some_and(|at| at.saturating_add(within) <= due) {
            self.restarts.pop_front();
        }
        if self.restarts.len() >= restart.times as usize {
            return Verdict::GiveUp;
        }
        self.restarts.push_back(due);
        self.pending += 1;
        self.last_back_off = Some(after);
        Verdict::Again { after }
    }
}

fn nanos(duration: Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap_or(NEVER)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRAPPED: Exit = Exit::Trapped { kind: String::new(), frames: Vec::new() };

    fn after(verdict: Verdict) -> Option<Nanos> {
        match verdict {
            Verdict::Again { after } => Some(after),
            Verdict::Over | Verdict::GiveUp => None,
        }
    }

    #[test]
    fn the_kind_of_a_restart_says_after_which_ends_there_is_one() {
        let killed = Exit::Killed { by: crate::exit::Killer::Embedder };
        let ends =
            [Exit::Returned, Exit::Exited, Exit::ProcExit { code: 0 }, Exit::ProcExit { code: 1 }, killed, TRAPPED];
        let kinds = [
            (Restart::never(), [false; 6]),
            (Restart::on_failure(), [false, false, false, true, true, true]),
            (Restart::always(), [true; 6]),
        ];
        for (restart, wanted) in kinds {
            let again = |exit| matches!(History::default().died(&restart, exit, 0, 0), Verdict::Again { .. });
            assert_eq!(ends.each_ref().map(again), wanted, "{restart:?}");
        }
    }

    #[test]
    fn one_more_than_is_allowed_is_the_end_and_a_window_later_it_is_not() {
        let restart = Restart::always().at_most(2, Duration::from_nanos(100)).back_off(Duration::ZERO, Duration::ZERO);
        let mut history = History::default();
        let mut die = |at: Nanos| history.died(&restart, &TRAPPED, at, at);
        let again = Verdict::Again { after: 0 };
        assert_eq!(
            [die(10), die(20), die(109), die(110), die(119)],
            [again, again, Verdict::GiveUp, again, Verdict::GiveUp]
        );
        let none = Restart::always().at_most(0, Duration::from_secs(1));
        assert_eq!(History::default().died(&none, &TRAPPED, 0, 0), Verdict::GiveUp);
    }

    #[test]
    fn the_back_off_begins_anew_when_an_isolate_ran_well() {
        let nanos = Duration::from_nanos;
        let restart = Restart::always().at_most(100, nanos(50)).back_off(nanos(3), nanos(10));
        let mut history = History::default();
        let mut die = |lived: Nanos| after(history.died(&restart, &TRAPPED, 1_000, 1_000 + lived));
        assert_eq!([die(0), die(49), die(0), die(0), die(50), die(0)].map(Option::unwrap), [3, 6, 10, 10, 3, 6]);
    }

    proptest! {
        #[test]
        fn there_are_never_more_restarts_in_a_window_and_back_off_grows_within_bounds(
            times in 0_u32..5,
            within in 0_u64..200,
            first in 0_u64..30,
            longest in 0_u64..60,
            deaths in proptest::collection::vec((0_u64..80, 0_u64..20, any::<bool>()), 1..60),
        ) {
            let span = Duration::from_nanos;
            let restart = Restart::always().at_most(times, span(within)).back_off(span(first), span(longest));
            let well = within.max(longest);
            let (mut history, mut now, mut restarts, mut last) = (History::default(), 0, Vec::new(), None);
            for (lives, late, refused) in deaths {
                let verdict = if refused {
                    history.refused(&restart, now)
                } else {
                    now += lives;
                    if lives >= well {
                        last = None;
                    }
                    history.died(&restart, &TRAPPED, now - lives, now)
                };
                let Some(after) = after(verdict) else {
                    prop_assert_eq!(verdict, Verdict::GiveUp);
                    break;
                };
                prop_assert!(after <= longest && last.is_none_or(|last| after >= last), "{} after {:?}", after, last);
                last = Some(after);
                now += after + late;
                history.started(now);
                restarts.push(now);
            }
            for (at, end) in restarts.iter().enumerate() {
                let in_window = restarts[..=at].iter().filter(|other| **other + within > *end).count();
                prop_assert!(in_window <= times as usize, "{:?}", restarts);
            }
        }
    }
}
