//! A test kit for programs that embed insula: a host whose guests fail when the test says so, whose clock goes when the
//! test steps it, and which says in the same order each time what happened. Of the feature `testing`.
//!
//! - [`Kit`]: the host, its clock, and the record of what happened.
//! - [`Faults`]: what goes wrong in an isolate, and at which call of which import.
//! - [`Script`]: a guest that answers as it is told, where there is no guest program to test with.
//! - `expect`: what a test expects, and what it is told where that is not so; `text`: lines, patterns and their difference.
//!
//! Isolates go on while the test waits: in [`Kit::settle`] and [`Kit::advance`], and in every blocking method of the
//! library. They are at rest again when that returns. So what a test does and what its isolates do never overlap, no test
//! sleeps, and the same seed is the same order of events. The guide is
//! [docs/testing.md](https://github.com/insula-rs/insula/blob/main/docs/testing.md).

mod expect;
mod script;
mod text;

pub use crate::faults::Faults;
pub use script::Script;

use std::fmt;
use std::time::Duration;

use crate::host::{Host, HostBuilder};
use crate::sync::Arc;
use crate::until;
use crate::world::World;
use crate::world::stage::Stage;

/// Isolates that may live at once, unless a builder says otherwise: tests that run side by side share what there is.
const ISOLATES: u32 = 64;

/// How long a turn may take.
const TURN: Duration = Duration::from_secs(1);

/// A host in the hands of a test.
///
/// ```
/// use std::time::Duration;
/// use insula::testing::{Kit, Script};
/// use insula::{CallError, Spawn};
///
/// let kit = Kit::new();
/// let module = Script::new().answer(&"four").trap().load(kit.host(), "plugin").expect("it is a module");
/// let plugin = kit.host().open::<String, String>(&module, Spawn::entry(Script::ENTRY)).expect("it has the entry");
/// let ask = || plugin.call(&"two and two".to_owned(), Duration::from_secs(1));
/// assert_eq!(ask().expect("it is the first question"), "four");
/// assert!(matches!(ask(), Err(CallError::Ended(exit)) if exit.to_string() == "trapped: unreachable"));
/// kit.expect("
///     #1 `serve` born
///     #1 `serve` ended: trapped: unreachable
///     #1 `serve` uncaught: unreachable
/// ");
/// kit.expect_nothing_left();
/// ```
pub struct Kit {
    host: Host,
    stage: Arc<Stage>,
}

impl Kit {
    /// A host for up to 64 isolates, with the seed 0.
    ///
    /// # Panics
    /// Where a host of this size cannot be built.
    #[must_use]
    #[track_caller]
    pub fn new() -> Kit {
        Kit::seeded(0)
    }

    /// As [`Kit::new`], with this seed, which draws whose turn is next, and the random numbers of isolates that are spawned
    /// without a seed of their own.
    ///
    /// # Panics
    /// As there.
    #[must_use]
    #[track_caller]
    pub fn seeded(seed: u64) -> Kit {
        Kit::of(Host::builder().isolates(ISOLATES).seed(seed))
    }

    /// A host of these settings, with their seed, or 0. Errors that nobody listens for are in the record, and told nowhere
    /// else unless the settings say where.
    ///
    /// ```
    /// use insula::{Host, testing::Kit};
    /// let kit = Kit::of(Host::builder().isolates(4).seed(7));
    /// assert_eq!(kit.host().isolates_max(), 4);
    /// ```
    ///
    /// # Panics
    /// Where [`HostBuilder::build`] has an error.
    #[must_use]
    #[track_caller]
    pub fn of(settings: HostBuilder) -> Kit {
        Kit::patient(settings, TURN)
    }

    /// As [`Kit::of`], where a turn may take so long before its isolate is taken to be in a loop without an end, 1 s of real
    /// time unless said otherwise. A loop is no failure: the test goes on beside it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use insula::{Host, Limits, Spawn, testing::Kit};
    /// let kit = Kit::patient(Host::builder().isolates(1), Duration::from_millis(100));
    /// let module = kit.host().load("loops", b"(module (func (export \"run\") (loop (br 0))))").expect("it is a module");
    /// let limits = Limits::default().deadline(Duration::from_secs(3_600));
    /// let loops = kit.host().spawn(&module, Spawn::entry("run").limits(limits)).expect("it has the entry");
    /// kit.advance(Duration::from_secs(3_600));
    /// kit.expect_exit(&loops, "deadline passed in guest code");
    /// ```
    ///
    /// # Panics
    /// As there.
    #[must_use]
    #[track_caller]
    pub fn patient(settings: HostBuilder, turn: Duration) -> Kit {
        let mut stage = None;
        let built = settings.on_stage(|seed| Arc::clone(stage.insert(Stage::new(seed, turn)))).build();
        match (built, stage) {
            (Ok(host), Some(stage)) => Kit { host, stage },
            (Ok(_), None) => unreachable!("the settings ask for their stage"),
            (Err(error), _) => panic!("the test kit has no host: {error}"),
        }
    }

    /// The host, for the code under test, which uses it as any other.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// How much time passed so far. The clock stands still at the beginning, and between steps.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.stage.now())
    }

    /// Returns when no isolate can go on by itself: all wait, loop, or are dead, and functions of the host and what
    /// [`Isolate::on_end`](crate::Isolate::on_end) calls are over. No time passes.
    ///
    /// # Panics
    /// Where that does not come: isolates that wake each other without an end.
    #[track_caller]
    pub fn settle(&self) {
        if !self.world().settle() {
            panic!("the isolates do not come to rest:{}", self.living());
        }
    }

    /// Lets so much time pass: timers, sleeps, deadlines and timeouts come, one after another, each with all that follows
    /// from it before the next one.
    ///
    /// # Panics
    /// As [`Kit::settle`].
    #[track_caller]
    pub fn advance(&self, time: Duration) {
        self.settle();
        let until = self.world().after(time);
        while self.world().step(until) {
            self.settle();
        }
        self.settle();
    }

    /// Calls this, and lets time pass by itself wherever the calling thread waits for something of this host within: when
    /// no isolate can go on, the clock goes to the next instant that anybody waits for. So a call that is never answered
    /// has its timeout at once.
    ///
    /// ```
    /// use std::time::Duration;
    /// use insula::testing::{Kit, Script};
    /// use insula::{CallError, Spawn};
    /// let kit = Kit::new();
    /// let module = Script::new().wait().load(kit.host(), "silent").expect("it is a module");
    /// let silent = kit.host().open::<u32, u32>(&module, Spawn::entry(Script::ENTRY)).expect("it has the entry");
    /// let answer = kit.let_time_pass(|| silent.call(&1, Duration::from_secs(60)));
    /// assert_eq!((answer, kit.elapsed()), (Err(CallError::TimedOut), Duration::from_secs(60)));
    /// ```
    pub fn let_time_pass<R>(&self, within: impl FnOnce() -> R) -> R {
        until::while_time_passes(&self.stage, within)
    }

    /// Waits for a future of the library's, as [`Kit::let_time_pass`] does for what blocks.
    ///
    /// ```
    /// use std::time::Duration;
    /// use insula::testing::{Kit, Script};
    /// use insula::Spawn;
    /// let kit = Kit::new();
    /// let module = Script::new().load(kit.host(), "silent").expect("it is a module");
    /// let silent = kit.host().open::<u32, u32>(&module, Spawn::entry(Script::ENTRY)).expect("it has the entry");
    /// assert_eq!(kit.block_on(silent.isolate().ended_within(Duration::from_secs(60))), None);
    /// ```
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.let_time_pass(|| until::block_on(self.world(), future))
    }

    fn world(&self) -> &Arc<World> {
        &self.host.inner().links().world
    }
}

impl Default for Kit {
    #[track_caller]
    fn default() -> Kit {
        Kit::new()
    }
}

impl fmt::Debug for Kit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kit").field("host", &self.host).field("elapsed", &self.elapsed()).finish_non_exhaustive()
    }
}
