//! Errors that no listener hears: never silent, and told once.

use std::fmt;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded, unbounded};
use insula_wire::RemoteError;

use crate::exit::IsolateId;
use crate::isolate::Module;
use crate::printable::printable_line as printable;
use crate::stdio::Sink;
use crate::sync::{Arc, Mutex};

/// An error that nobody listened for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Uncaught {
    /// Whose it is.
    pub isolate: IsolateId,
    /// The isolate's debug name.
    pub name: String,
    /// What happened; the stack has file and line where the module carries them.
    pub error: RemoteError,
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

/// What is told by default: the block, on standard error.
pub(super) fn print(uncaught: &Uncaught) {
    eprintln!("{uncaught}");
}

/// Adds file and line to the lines of a stack text, from the module's own debug sections.
pub(super) fn resolve(module: &Module, stack: &str) -> String {
    let mut text = String::new();
    for line in stack.lines() {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(line);
        let offset = line.rsplit_once("@ 0x").and_then(|(_, offset)| u64::from_str_radix(offset, 16).ok());
        let places = offset.map(|offset| module.code().places(offset)).unwrap_or_default();
        for place in places {
            let function = place.function.as_deref().unwrap_or("?");
            let spot = place.spot.map(|spot| format!(" at {spot}")).unwrap_or_default();
            text.push_str(&format!("\n     in {function}{spot}"));
        }
    }
    if !stack.is_empty() && !module.code().has_lines() {
        text.push_str("\n(no file and line: build the guest with debug = \"line-tables-only\" and strip = false)");
    }
    text
}

/// How long a report waits for whoever reads standard error.
const PATIENCE: Duration = Duration::from_secs(1);

/// Tells uncaught errors, one after another, on a thread of its own.
pub(crate) struct Reporter {
    sender: Mutex<Option<Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

enum Job {
    Tell { uncaught: Uncaught, module: Option<Module> },
    Flush(Sender<()>),
}

impl Reporter {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(told: Arc<dyn Fn(&Uncaught) + Send + Sync>, stderr: Sink) -> std::io::Result<Arc<Reporter>> {
        let (sender, jobs) = unbounded();
        let work = move || {
            for job in jobs {
                match job {
                    Job::Tell { mut uncaught, module } => {
                        if let Some(module) = module {
                            uncaught.error.stack = resolve(&module, &uncaught.error.stack);
                        }
                        // What the guest printed before it failed comes before the report.
                        stderr.drain_for(PATIENCE);
                        told(&uncaught);
                    }
                    Job::Flush(done) => drop(done.send(())),
                }
            }
        };
        let thread = std::thread::Builder::new().name("insula-reporter".to_owned()).spawn(work)?;
        Ok(Arc::new(Reporter { sender: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)) }))
    }

    /// Tells an error, later; resolved by the module's lines if one is given.
    pub(super) fn tell(&self, uncaught: Uncaught, module: Option<Module>) {
        if let Some(sender) = &*self.sender.lock() {
            drop(sender.send(Job::Tell { uncaught, module }));
        }
    }

    /// Waits until all that was to be told so far is told.
    pub(super) fn flush(&self) {
        let sender = self.sender.lock().clone();
        let (done, told) = bounded(1);
        if let Some(sender) = sender
            && sender.send(Job::Flush(done)).is_ok()
        {
            let _ = told.recv();
        }
    }

    /// Ends the thread.
    pub(super) fn close(&self) {
        drop(self.sender.lock().take());
        let thread = self.thread.lock().take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
        {
            drop(thread.join());
        }
    }
}
