//! Errors that no listener hears: never silent, and told once. And what else of the embedder's is called from here.

use std::fmt;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use insula_wire::RemoteError;

use super::origin::{Origin, origin};
use crate::control::{Control, Links};
use crate::exit::{Exit, IsolateId};
use crate::isolate::Module;
use crate::log::{self, Span};
use crate::printable::printable_line as printable;
use crate::stdio::{Captured, Sink, Tail};
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex};

/// An error that nobody listened for.
///
/// ```
/// use insula::{Host, Uncaught};
/// let page = |uncaught: &Uncaught| println!("{}: {}", uncaught.name, uncaught.error.message);
/// let builder = Host::builder().on_uncaught(page);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Uncaught {
    /// Whose it is.
    pub isolate: IsolateId,
    /// The isolate's debug name.
    pub name: String,
    /// What happened; the stack has file and line where the module carries them.
    pub error: RemoteError,
    /// The end that this error is, with its frames; none where the isolate goes on, as one whose errors are not fatal.
    pub exit: Option<Exit>,
    /// What it runs, which knows the lines of those frames; none where it was ended from outside, and is gone.
    pub module: Option<Module>,
    /// Who spawned it; none where the embedder did.
    pub origin: Option<Origin>,
    /// The last of its standard error so far, as much as [its limit](crate::Limits::stderr) says.
    pub stderr: Captured,
}

/// An uncaught error that is still to be told.
pub(super) struct Report {
    uncaught: Uncaught,
    tail: Option<Arc<Tail>>,
    span: Span,
}

impl Report {
    /// Of the isolate's present state. The module adds lines to the error's stack.
    pub(super) fn new(
        control: &Control,
        links: &Links,
        (error, exit): (RemoteError, Option<Exit>),
        module: Option<&Module>,
    ) -> Report {
        let uncaught = Uncaught {
            isolate: control.id,
            name: control.name(),
            error,
            exit,
            module: module.cloned(),
            origin: origin(control, links),
            stderr: Captured::default(),
        };
        Report { uncaught, tail: Tail::of(control), span: log::span(control) }
    }
}

impl fmt::Display for Uncaught {
    /// One block, without a newline at its end. What came from a guest is escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "isolate {} `{}`: uncaught error", self.isolate, printable(&self.name))?;
        for line in self.error.message.lines() {
            write!(f, "\n  {}", printable(line))?;
        }
        for line in self.error.stack.lines() {
            write!(f, "\n    {}", printable(line))?;
        }
        Ok(())
    }
}

#[cfg(feature = "testing")]
impl Uncaught {
    /// Its line in a test's record.
    fn line(&self) -> String {
        let first = self.error.message.lines().next().unwrap_or_default();
        format!("{} `{}` uncaught: {}", self.isolate, printable(&self.name), printable(first))
    }
}

/// What is told by default: the block, on standard error.
pub(super) fn print(uncaught: &Uncaught) {
    // Nobody is left to tell that nobody reads.
    let _ = writeln!(std::io::stderr(), "{uncaught}");
}

/// Bytes of a resolved text after which lines stay as they are: of a line of ten bytes, a stranger's debug sections can
/// make sixteen kilobytes.
const RESOLVED_BYTES_MAX: usize = 64 << 10;

/// Adds file and line to the lines of a stack text, from the module's own debug sections.
pub(super) fn resolve(module: &Module, stack: &str) -> String {
    let mut text = String::new();
    for line in stack.lines() {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(line);
        let offset = offset_of(line).filter(|_| text.len() < RESOLVED_BYTES_MAX);
        let places = offset.map(|offset| module.code().places(offset));
        for place in places.iter().flat_map(|places| places.iter()) {
            text.push_str(&format!("\n     in {place}"));
        }
    }
    if !stack.is_empty() && !module.code().has_lines() {
        text.push_str("\n(no file and line: build the guest with debug = \"line-tables-only\" and strip = false)");
    }
    text
}

/// The offset that a line of a stack text names.
fn offset_of(line: &str) -> Option<u64> {
    line.rsplit_once("@ 0x").and_then(|(_, offset)| u64::from_str_radix(offset, 16).ok())
}

/// Whether [`resolve`] takes no longer than a worker has for a call: all of these lines were asked for before, and they
/// are few. To demangle the names of one can take as long as a stranger likes, up to tens of milliseconds.
pub(super) fn resolves_soon(module: &Module, stack: &str) -> bool {
    /// As many as a trap has frames, and some.
    const LINES_MAX: usize = 32;
    let is_known = |line| offset_of(line).is_none_or(|offset| module.code().knows_places(offset));
    stack.lines().take(LINES_MAX + 1).count() <= LINES_MAX
        && module.code().lines_are_read()
        && stack.lines().all(is_known)
}

/// How long a report waits for whoever reads what guests print.
const PATIENCE: Duration = Duration::from_millis(200);

/// Reports that wait to be told, at most. A guest may fail faster than anybody can read.
const REPORTS_MAX: usize = 1_000;

/// Tells uncaught errors, and calls what the embedder wants called, one after another, on a thread of its own.
pub(crate) struct Reporter {
    /// None when the host is closed.
    sender: Mutex<Option<Sender<Job>>>,
    /// Started with the first that there is to tell or to call: most programs that end soon have nothing.
    thread: Mutex<Option<JoinHandle<()>>>,
    desk: Arc<Desk>,
    #[cfg(feature = "testing")]
    stage: std::sync::OnceLock<Arc<crate::world::stage::Stage>>,
}

/// What the thread works with.
struct Desk {
    jobs: Receiver<Job>,
    told: Arc<Told>,
    printed: [Sink; 2],
    backlog: Backlog,
}

#[derive(Default)]
struct Backlog {
    /// Reports that wait.
    waiting: AtomicUsize,
    /// Reports that found no room, since the last one that did.
    untold: AtomicU64,
}

/// What waits: of reports so many at most, and of all else what the embedder asked for beforehand.
enum Job {
    Tell(Box<Report>),
    Warn(Box<dyn FnOnce() + Send>),
    Run(Box<dyn FnOnce() + Send>),
    Flush(Sender<()>),
}

type Told = dyn Fn(&Uncaught) + Send + Sync;

impl Reporter {
    /// One whose thread starts when there is something to tell.
    pub(super) fn new(told: Arc<Told>, printed: [Sink; 2]) -> Arc<Reporter> {
        let (sender, jobs) = unbounded();
        Arc::new(Reporter {
            sender: Mutex::new(Some(sender)),
            thread: Mutex::new(None),
            desk: Arc::new(Desk { jobs, told, printed, backlog: Backlog::default() }),
            #[cfg(feature = "testing")]
            stage: std::sync::OnceLock::new(),
        })
    }

    /// Has all that is told in a test's record.
    #[cfg(feature = "testing")]
    pub(super) fn note_on(&self, stage: Option<&Arc<crate::world::stage::Stage>>) {
        // Set once, by the one caller that builds the host.
        stage.into_iter().for_each(|stage| drop(self.stage.set(Arc::clone(stage))));
    }

    /// Tells an error, later; resolved by the module's lines if one is given. Never waits.
    pub(super) fn tell(&self, report: Report) {
        #[cfg(feature = "testing")]
        self.stage.get().into_iter().for_each(|stage| stage.note(report.uncaught.line()));
        if self.has_room() {
            // After the end of the thread nobody is told.
            let _ = self.hand_over(Job::Tell(Box::new(report)));
        } else {
            self.desk.backlog.untold.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Warns, later. Where too many reports wait, nobody is warned.
    pub(super) fn warn(&self, call: Box<dyn FnOnce() + Send>) {
        if self.has_room() {
            let _ = self.hand_over(Job::Warn(call));
        }
    }

    /// Takes the room of one report.
    fn has_room(&self) -> bool {
        let waiting = &self.desk.backlog.waiting;
        let has_room = waiting.fetch_add(1, Ordering::Relaxed) < REPORTS_MAX;
        if !has_room {
            waiting.fetch_sub(1, Ordering::Relaxed);
        }
        has_room
    }

    /// Calls this, later. Never waits.
    pub(super) fn run(&self, call: Box<dyn FnOnce() + Send>) {
        if let Err(Job::Run(call)) = self.hand_over(Job::Run(call)) {
            // The host is closed. Where the system gives no thread any more, nobody hears of that either.
            drop(std::thread::Builder::new().name("insula-reporter".to_owned()).spawn(call));
        }
    }

    fn hand_over(&self, job: Job) -> Result<(), Job> {
        let sender = self.sender.lock();
        let Some(sender) = &*sender else { return Err(job) };
        sender.send(job).map_err(|unsent| unsent.0)?;
        let mut thread = self.thread.lock();
        if thread.is_none() {
            let desk = Arc::clone(&self.desk);
            let started = std::thread::Builder::new().name("insula-reporter".to_owned()).spawn(move || work(&desk));
            // Where the system gives no thread now, what waits is told with what comes next.
            *thread = started.ok();
        }
        Ok(())
    }

    /// Whether nobody was to be told anything so far.
    pub(super) fn is_quiet(&self) -> bool {
        self.thread.lock().is_none() && self.desk.jobs.is_empty()
    }

    /// Waits until all that was to be told so far is told.
    pub(super) fn flush(&self) {
        // Who is told of an error may shut the host down: that thread cannot wait for itself.
        let own = self.thread.lock().as_ref().map(|thread| thread.thread().id());
        let Some(own) = own else { return self.desk.tell_what_waits() };
        if own == std::thread::current().id() {
            return;
        }
        let (done, told) = bounded(1);
        if self.hand_over(Job::Flush(done)).is_ok() {
            let _ = told.recv();
        }
    }

    /// Ends the thread.
    pub(super) fn close(&self) {
        drop(self.sender.lock().take());
        let thread = self.thread.lock().take();
        match thread {
            Some(thread) if thread.thread().id() != std::thread::current().id() => drop(thread.join()),
            Some(_) => {}
            None => self.desk.tell_what_waits(),
        }
    }
}

fn work(desk: &Desk) {
    desk.jobs.iter().for_each(|job| desk.do_job(job));
}

impl Desk {
    /// Does what waits, where it is asked for: the system gave no thread for it.
    fn tell_what_waits(&self) {
        self.jobs.try_iter().for_each(|job| self.do_job(job));
    }

    fn do_job(&self, job: Job) {
        match job {
            Job::Tell(report) => {
                self.backlog.waiting.fetch_sub(1, Ordering::Relaxed);
                self.tell(*report);
            }
            Job::Warn(call) => {
                self.backlog.waiting.fetch_sub(1, Ordering::Relaxed);
                drop(catch_unwind(AssertUnwindSafe(call)));
            }
            Job::Run(call) => drop(catch_unwind(AssertUnwindSafe(call))),
            Job::Flush(done) => drop(done.send(())),
        }
    }

    fn tell(&self, Report { mut uncaught, tail, span }: Report) {
        if let Some(module) = &uncaught.module {
            uncaught.error.stack = resolve(module, &uncaught.error.stack);
        }
        uncaught.stderr = tail.map(|tail| tail.captured()).unwrap_or_default();
        let more = self.backlog.untold.swap(0, Ordering::Relaxed);
        if more > 0 {
            uncaught.error.message.push_str(&format!("\n(and {more} uncaught errors that came too fast)"));
        }
        // What the guest printed before it failed comes before the report.
        for sink in &self.printed {
            sink.drain_for(PATIENCE);
        }
        log::uncaught(&span, &uncaught.error, uncaught.exit.as_ref());
        // An embedder's panic is its own; the next error is told all the same.
        drop(catch_unwind(AssertUnwindSafe(|| (self.told)(&uncaught))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::tests::wordy;

    fn loaded() -> (crate::Host, Module, u64) {
        let (wasm, offset) = wordy();
        let host = crate::Host::builder().isolates(1).build().unwrap();
        let module = host.load("wordy", &wasm).unwrap();
        (host, module, offset)
    }

    #[test]
    fn a_text_of_many_lines_is_not_resolved_to_a_thousand_times_its_length() {
        let (host, module, offset) = loaded();
        let stack = format!("@ {offset:#x}\n").repeat(1_500);
        let resolved = resolve(&module, &stack);
        assert!(resolved.starts_with(&format!("@ {offset:#x}\n     in xxx")));
        assert!(resolved.len() < 128 << 10, "{}", resolved.len());
        assert_eq!(resolved.matches('@').count(), 1_500, "every line is there");
        drop(host);
    }

    /// As where the system gives no thread: what was handed over waits, and nobody is there to do it.
    #[test]
    fn what_waits_without_a_thread_is_done_by_who_flushes_or_closes() {
        let reporter = Reporter::new(Arc::new(|_: &Uncaught| ()), [Sink::null(), Sink::null()]);
        let done = Arc::new(AtomicUsize::new(0));
        let wait = || {
            let done = Arc::clone(&done);
            let job = Job::Run(Box::new(move || _ = done.fetch_add(1, Ordering::SeqCst)));
            assert!(reporter.sender.lock().as_ref().unwrap().send(job).is_ok());
        };
        wait();
        reporter.flush();
        assert_eq!(done.load(Ordering::SeqCst), 1);
        wait();
        reporter.close();
        assert_eq!(done.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn only_what_was_resolved_before_is_resolved_by_a_worker() {
        let (host, module, offset) = loaded();
        let stack = format!("0: one @ {offset:#x}\n1: two @ {:#x}", offset + 1);
        assert!(!resolves_soon(&module, &stack));
        let resolved = resolve(&module, &stack);
        assert!(resolves_soon(&module, &stack));
        assert_eq!(resolve(&module, &stack), resolved);
        assert!(!resolves_soon(&module, &format!("{stack}\n2: three @ {:#x}", offset + 2)));
        assert!(!resolves_soon(&module, &format!("{stack}\n").repeat(100)));
        drop(host);
    }
}
