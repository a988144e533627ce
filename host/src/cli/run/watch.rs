//! `insula run --watch`: a program that is started again when its sources change.
//!
//! The new one is built, and compiled as well, before the old one is told to end: while either fails, the old one goes
//! on. All that happens, changes, ends and signals, comes through one queue to one thread.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use insula::Sha256;

use super::program::{Built, Loaded, Program};
use super::sources::{Sources, Watcher};
use crate::cli::code::{self, Outcome};
use crate::cli::signals::Signals;
use crate::cli::{precompiled, report};

/// A change is over when nothing more came for so long: who saves a file writes it in several steps, and often not only
/// that one.
const QUIET: Duration = Duration::from_millis(50);

/// What happens.
enum News {
    Changed,
    /// The run of this number ended.
    Ended(u64, Result<Outcome>),
    Signalled,
}

/// One run of the program.
struct Generation {
    number: u64,
    loaded: Arc<Loaded>,
    thread: JoinHandle<()>,
    /// Of what it was loaded from.
    digests: Vec<Sha256>,
    is_over: bool,
}

/// All runs, one after another.
struct Session {
    program: Arc<Program>,
    watcher: Watcher,
    sender: Sender<News>,
    signals: Option<Arc<Signals>>,
    current: Option<Generation>,
    count: u64,
}

/// Runs the program until a signal comes.
pub(super) fn watch(program: Program) -> Result<Outcome> {
    // What is no target at all is wrong usage, and not worth waiting for.
    program.targets()?;
    let (sender, news) = channel();
    let changes = sender.clone();
    let watcher = Watcher::new(move || drop(changes.send(News::Changed)))?;
    let session = Session { program: Arc::new(program), watcher, sender, signals: None, current: None, count: 0 };
    session.run(&news)
}

impl Session {
    fn run(mut self, news: &Receiver<News>) -> Result<Outcome> {
        self.watch_sources(None);
        self.renew();
        let mut waiting = VecDeque::new();
        loop {
            let next = waiting.pop_front().map_or_else(|| news.recv(), Ok);
            match next.context("nobody is left to say what happens")? {
                News::Changed => {
                    waiting = settled(waiting, news);
                    self.renew();
                }
                News::Ended(number, outcome) => self.over(number, outcome),
                News::Signalled => return Ok(self.end()),
            }
        }
    }

    /// Builds and starts the program as it is now; says why not, if it cannot, and leaves the one before as it is.
    fn renew(&mut self) {
        if let Err(error) = self.try_renew() {
            report::failure(&error);
            let goes_on = self.current.as_ref().is_some_and(|current| !current.is_over);
            report::note(if goes_on {
                "not started again: the one before goes on, until a change"
            } else {
                "not started: waiting for a change"
            });
        }
    }

    fn try_renew(&mut self) -> Result<()> {
        let built = self.program.build();
        self.watch_sources(built.as_ref().ok());
        let built = built?;
        let digests = digests(&built)?;
        if self.current.as_ref().is_some_and(|current| current.digests == digests) {
            return Ok(());
        }
        if let Some(current) = &self.current {
            // Its host finds out what is wrong with the new one, and leaves its code in the cache.
            precompiled::load(&current.loaded.host, &built.module, None, self.program.flags().given.allow_precompiled)?;
            report::note("its sources changed: it is started again");
        }
        self.end_current();
        let mut hosted = self.program.host(&built, None)?;
        self.program.flags().records.open(&mut hosted)?;
        let loaded = Arc::new(self.program.load(&built, hosted)?);
        let signals = match &self.signals {
            Some(signals) => {
                signals.end(&loaded.host, None);
                Arc::clone(signals)
            }
            None => {
                let (sender, grace) = (self.sender.clone(), self.program.flags().ending.grace);
                let then = move || drop(sender.send(News::Signalled));
                let signals = Signals::watch(grace, then)?;
                signals.lookout()?;
                signals.end(&loaded.host, None);
                signals.begin();
                Arc::new(signals)
            }
        };
        self.signals = Some(Arc::clone(&signals));
        self.start(loaded, digests, signals)
    }

    fn start(&mut self, loaded: Arc<Loaded>, digests: Vec<Sha256>, signals: Arc<Signals>) -> Result<()> {
        self.count += 1;
        let (number, sender) = (self.count, self.sender.clone());
        let (program, running) = (Arc::clone(&self.program), Arc::clone(&loaded));
        let thread = std::thread::Builder::new().name("insula-run".to_owned());
        let run = move || drop(sender.send(News::Ended(number, program.run(&running, &signals))));
        let thread = thread.spawn(run).context("cannot start a thread for the run")?;
        self.current = Some(Generation { number, loaded, thread, digests, is_over: false });
        Ok(())
    }

    /// A run ended by itself; those that were told to end are gone from here by then.
    fn over(&mut self, number: u64, outcome: Result<Outcome>) {
        let Some(current) = self.current.as_mut().filter(|current| current.number == number) else { return };
        current.is_over = true;
        match outcome {
            Ok(outcome) => {
                report::ended(&outcome);
                if let Outcome::Ended { ended, child_failed } = &outcome {
                    let code = code::of_run(ended, *child_failed);
                    report::note(&format!("it ended with exit code {code}: waiting for a change"));
                }
            }
            Err(error) => {
                report::failure(&error);
                report::note("waiting for a change");
            }
        }
    }

    /// Ends the present run, if there is one, and waits for that.
    fn end_current(&mut self) {
        if let Some(Generation { loaded, thread, .. }) = self.current.take() {
            loaded.host.shutdown(self.program.flags().ending.grace);
            // A panic of its thread was told when it came.
            drop(thread.join());
        }
    }

    fn end(mut self) -> Outcome {
        self.end_current();
        let signal = self.signals.as_ref().and_then(|signals| signals.caught());
        signal.map_or(Outcome::Done, Outcome::Signalled)
    }

    fn watch_sources(&mut self, built: Option<&Built>) {
        // A target that is not there for a moment is written anew; it is watched as it was.
        if let Ok(targets) = self.program.targets() {
            self.watcher.watch(Sources::of(&targets, built.into_iter().flat_map(Built::files)));
        }
    }
}

/// Waits until a change is over. What else came meanwhile is for later.
fn settled(mut waiting: VecDeque<News>, news: &Receiver<News>) -> VecDeque<News> {
    loop {
        match news.recv_timeout(QUIET) {
            Ok(News::Changed) => {}
            Ok(other) => waiting.push_back(other),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    waiting.retain(|news| !matches!(news, News::Changed));
    waiting
}

/// Of what a run is loaded from: a build that makes the same again is no reason to start.
fn digests(built: &Built) -> Result<Vec<Sha256>> {
    let read = |path| std::fs::read(path).with_context(|| report::path(path));
    built.files().map(|path| Ok(Sha256::of(&read(path)?))).collect()
}
