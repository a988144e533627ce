//! Tests in isolates, one each, so many at a time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use insula::{Exit, Grant, Host, Isolate, IsolateId, Limits, Module, Output, Spawn, Uncaught};

use super::super::report::{self, Shown, told_panic};
use super::libtest::{self, Listed, Said};

/// Bytes of each stream that are kept of a test.
const PRINTED_BYTES_MAX: usize = 1 << 20;
/// Bytes of a list of tests.
const LIST_BYTES_MAX: usize = 64 << 20;

/// How the tests of one binary are run.
pub(super) struct Plan<'a> {
    pub(super) host: &'a Host,
    pub(super) module: &'a Module,
    pub(super) grants: Vec<Grant>,
    pub(super) timeout: Option<Duration>,
    pub(super) reports: &'a Reports,
    pub(super) also_ignored: bool,
}

/// A test that is over.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) name: String,
    pub(super) verdict: Verdict,
    pub(super) stdout: String,
    pub(super) stderr: String,
    /// The reports of its isolates that failed.
    pub(super) reports: String,
    pub(super) took: Duration,
}

#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    Passed,
    Ignored(Option<String>),
    /// Why, in a line.
    Failed(String),
    TimedOut(Duration),
}

/// What was said of isolates that failed, by the isolate of the test that they descend from.
#[derive(Clone, Default)]
pub(super) struct Reports(Arc<Mutex<HashMap<IsolateId, String>>>);

impl Reports {
    /// An isolate failed. The exit code of a test's own is told by its verdict.
    pub(super) fn add(&self, uncaught: &Uncaught, shown: &Shown) {
        if uncaught.origin.is_none() && matches!(uncaught.exit, Some(Exit::ProcExit { .. })) {
            return;
        }
        let test = uncaught.origin.as_ref().map_or(uncaught.isolate, |origin| origin.root);
        let report = shown.render(uncaught);
        let mut reports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = reports.entry(test).or_default();
        text.push_str(&report);
        text.push('\n');
    }

    fn take(&self, test: IsolateId) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&test).unwrap_or_default()
    }
}

impl Plan<'_> {
    /// All tests of the binary.
    pub(super) fn list(&self) -> Result<Vec<Listed>> {
        let (all, ignored) = (self.listed(false)?, self.listed(true)?);
        let ignored: std::collections::HashSet<&str> = libtest::names(&ignored)?.into_iter().collect();
        let listed = |name: &str| Listed { name: name.to_owned(), ignored: ignored.contains(name) };
        Ok(libtest::names(&all)?.into_iter().map(listed).collect())
    }

    fn listed(&self, ignored: bool) -> Result<String> {
        let spawn = self.spawn("the list of tests", libtest::list(ignored), LIST_BYTES_MAX);
        let isolate = self.host.spawn(self.module, spawn).context("cannot list its tests")?;
        let exit = ended(&isolate);
        let reports = self.reports.take(isolate.id());
        let stdout = isolate.stdout();
        if !exit.is_ok() || stdout.bytes_cut > 0 {
            bail!("cannot list its tests: {exit}\n{}{}", isolate.stderr(), anstream::adapter::strip_str(&reports));
        }
        Ok(stdout.to_string())
    }

    /// Runs these tests, and tells of each when it is over.
    pub(super) fn run(&self, tests: &[Listed], threads: usize, mut ended: impl FnMut(Done)) {
        let (next, (sender, done)) = (AtomicUsize::new(0), mpsc::channel());
        std::thread::scope(|scope| {
            for _ in 0..threads.min(tests.len()) {
                let (next, sender) = (&next, sender.clone());
                scope.spawn(move || {
                    while let Some(test) = tests.get(next.fetch_add(1, Ordering::Relaxed)) {
                        // Who listens is there until all are done.
                        let _ = sender.send(self.one(test));
                    }
                });
            }
            drop(sender);
            done.iter().for_each(&mut ended);
        });
    }

    /// Reports that came when their test was over already.
    pub(super) fn leftovers(&self) -> String {
        let mut reports = self.reports.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *reports).into_values().collect()
    }

    fn one(&self, test: &Listed) -> Done {
        let spawn = self.spawn(&test.name, libtest::only(&test.name, self.also_ignored), PRINTED_BYTES_MAX);
        let spawn = spawn.grant(Grant::names(format!("test {}", test.name)));
        let began = Instant::now();
        let isolate = match self.host.spawn(self.module, spawn) {
            Ok(isolate) => isolate,
            Err(error) => return Done::unborn(test, error.to_string()),
        };
        let exit = ended(&isolate);
        let took = began.elapsed();
        // What a test leaves running ends with it.
        isolate.kill_tree();
        let (stdout, stderr) = (isolate.stdout(), isolate.stderr().to_string());
        let is_cut = stdout.bytes_cut > 0;
        // Of one that printed more than is kept, libtest's first words are gone.
        let stdout = if is_cut { libtest::headed(&test.name, &stdout.to_string()) } else { stdout.to_string() };
        let (said, printed) = libtest::read(&test.name, &stdout);
        let told = told_panic(&exit, &stderr);
        let verdict = match &told {
            Some((message, _)) => Verdict::Failed(format!("panicked: {}", message.lines().next().unwrap_or_default())),
            None => self.verdict(&exit, said),
        };
        let stderr = told.map_or(stderr.as_str(), |(_, before)| before).to_owned();
        let reports = self.reports.take(isolate.id());
        Done { name: test.name.clone(), verdict, stdout: printed.to_owned(), stderr, reports, took }
    }

    fn verdict(&self, exit: &Exit, said: Said) -> Verdict {
        match (exit, said) {
            (Exit::Deadline { .. }, _) => Verdict::TimedOut(self.timeout.unwrap_or_default()),
            (exit, Said::Passed) if exit.is_ok() => Verdict::Passed,
            (exit, Said::Ignored(reason)) if exit.is_ok() => Verdict::Ignored(reason),
            (_, Said::Failed) => Verdict::Failed("it returned an error".to_owned()),
            (exit, _) if exit.is_ok() => Verdict::Failed("it ended the program before it was over".to_owned()),
            (exit, _) => Verdict::Failed(exit.to_string()),
        }
    }

    fn spawn(&self, name: &str, words: Vec<String>, bytes_max: usize) -> Spawn {
        let mut limits = Limits::default();
        if let Some(timeout) = self.timeout {
            limits = limits.deadline(timeout);
        }
        let program = std::iter::once(report::file_name(self.module.name()));
        let kept = Output::Capture { bytes_max };
        let spawn = Spawn::main().args(program.chain(words)).debug_name(name).limits(limits);
        let spawn = spawn.stdout(kept.clone()).stderr(kept);
        self.grants.iter().cloned().fold(spawn, Spawn::grant)
    }
}

impl Done {
    fn unborn(test: &Listed, why: String) -> Done {
        let (stdout, stderr, reports, took) = <(String, String, String, Duration)>::default();
        Done { name: test.name.clone(), verdict: Verdict::Failed(why), stdout, stderr, reports, took }
    }

    /// Why it failed, if it did.
    pub(super) fn why(&self) -> Option<String> {
        match &self.verdict {
            Verdict::Passed | Verdict::Ignored(_) => None,
            Verdict::Failed(why) => Some(why.clone()),
            Verdict::TimedOut(limit) => Some(format!("it took longer than {limit:?}")),
        }
    }

    /// What it printed, and what is said of it, as it is.
    pub(super) fn raw(&self) -> String {
        format!("{}{}{}", self.stdout, self.stderr, self.reports)
    }

    /// The same for a reader, with colours.
    pub(super) fn told(&self) -> String {
        let mut text = String::new();
        for (title, part) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !part.trim().is_empty() {
                text.push_str(&format!("---- {} {title} ----\n{}\n\n", self.name, part.trim_end()));
            }
        }
        if !self.reports.is_empty() {
            text.push_str(&format!("{}\n\n", self.reports.trim_end()));
        }
        text
    }
}

/// How it ended, once all that is to be said of that is said.
fn ended(isolate: &Isolate) -> Exit {
    let (sender, exit) = mpsc::channel();
    isolate.on_end(move |exit| drop(sender.send(exit.clone())));
    exit.recv().unwrap_or_else(|_| isolate.join())
}
