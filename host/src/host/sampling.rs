//! Where isolates are that have a CPU, again and again: what a profile is made of.
//!
//! A thread says when a sample is due, and has all isolates look at their flags; each that has a CPU then puts down where it
//! is, in its epoch callback. Who waits is in no sample, and nothing runs where nobody samples.

use std::io;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

use super::Host;
use super::observers::{Observation, Told, Wants};
use crate::event::{Event, Recorder};
use crate::scheduler::Hooks;
use crate::sync::{Arc, Weak};
use crate::world::World;

/// Samples are at least so far apart: an isolate is interrupted for each.
const INTERVAL_MIN: Duration = Duration::from_millis(1);

impl Host {
    /// As [`Host::observe_lives`], and it is told where in its code each isolate is that has a CPU, once in every interval of
    /// 1 ms or more ([`Happened::Sampled`]). That is a profile by time: an isolate that waits is in no sample, and what a
    /// sample stands for is the time since the one before was due.
    ///
    /// A sample costs its isolate the walk of its stack, some microseconds; isolates of
    /// [trusted](crate::Host::load_trusted) modules are not interrupted, and are in none. Those that wait to be told are
    /// counted where there are more than 1,024 of a thread ([`Happened::Missed`]).
    ///
    /// One at a time observes the samples of a host: a second one is told those of both.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use insula::{Happened, Host, Priority, Spawn};
    /// let host = Host::builder().isolates(1).build()?;
    /// let (told, samples) = std::sync::mpsc::channel();
    /// let observation = host.observe_samples(Duration::from_millis(1), move |events| {
    ///     for event in events {
    ///         if let Happened::Sampled { frames, .. } = &event.what {
    ///             told.send(frames[0].function.clone()).ok();
    ///         }
    ///     }
    /// })?;
    /// let module = host.load("spins", b"(module (func $spins (export \"run\") (loop (br 0))))")?;
    /// let isolate = host.spawn(&module, Spawn::entry("run"))?;
    /// assert_eq!(samples.recv()?.as_deref(), Some("spins"));
    /// isolate.kill(Priority::Immediate);
    /// drop(observation);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Where the system gives no thread.
    ///
    /// [`Happened::Sampled`]: crate::Happened::Sampled
    /// [`Happened::Missed`]: crate::Happened::Missed
    pub fn observe_samples(
        &self,
        interval: Duration,
        observer: impl FnMut(&[Event]) + Send + 'static,
    ) -> io::Result<Observation> {
        let links = &self.inner.links;
        let observation = self.inner.observers.add(&links.recorder, Wants::Samples, Told::Call(Box::new(observer)))?;
        let sampler = Sampler {
            recorder: Arc::clone(&links.recorder),
            world: Arc::clone(&links.world),
            hooks: Arc::downgrade(&self.inner.checked.hooks),
        };
        Ok(observation.with_sampling(sampler.start(interval.max(INTERVAL_MIN))?))
    }
}

/// What says when samples are due.
struct Sampler {
    recorder: Arc<Recorder>,
    world: Arc<World>,
    /// Until the host is gone.
    hooks: Weak<Hooks>,
}

/// The thread of a sampler; it ends when this is dropped.
pub(super) struct Sampling {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sampler {
    fn start(self, interval: Duration) -> io::Result<Sampling> {
        let (stop, stopped) = bounded(0);
        let work = move || {
            let mut last = self.world.now();
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                let Some(hooks) = self.hooks.upgrade() else { break };
                let now = self.world.now();
                self.recorder.sample(now, now.saturating_sub(last));
                last = now;
                (hooks.interrupt)();
            }
            self.recorder.sample_no_more();
        };
        let thread = Builder::new().name("insula-sampler".to_owned()).spawn(work)?;
        Ok(Sampling { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Sampling {
    fn drop(&mut self) {
        drop(self.stop.take());
        // It does not panic.
        self.thread.take().into_iter().for_each(|thread| drop(thread.join()));
    }
}
