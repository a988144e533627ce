//! Whoever waits for somebody that dies at the worst moment is told, and waits no longer.
//!
//! `public_api/waits.rs` has the table of all calls that wait, and of the tests that hold each. Those of calls, pools,
//! joins and functions are beside what else is tested of them; the rest is here.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use insula::{Exit, Host, Isolate, Module, Priority, Spawn};

use crate::harness;

mod ends;
mod receives;
mod sends;

/// How long a wait that is given a time is given: none of it passes.
const LONG: Duration = Duration::from_secs(3_600);

/// After which a test says that something hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Isolates that loop, or wait in a call of the host's. A message that they were born with stays in their mailbox.
const TEXT: &str = r#"(module
    (import "insula:isolate/clock@0.1.0" "sleep" (func $sleep (param i64) (result i32)))
    (func (export "loops") (loop (br 0)))
    (func (export "waits") (drop (call $sleep (i64.const -1)))))"#;

/// What happens to the other side, and where it finds it.
#[derive(Clone, Copy, Debug)]
enum Moment {
    KilledInItsCode,
    KilledInACall,
    KilledBeforeItsEntry,
    ClosedInItsCode,
    ClosedInACall,
}

const MOMENTS: [Moment; 5] = [
    Moment::KilledInItsCode,
    Moment::KilledInACall,
    Moment::KilledBeforeItsEntry,
    Moment::ClosedInItsCode,
    Moment::ClosedInACall,
];

impl Moment {
    /// The entry, as it has one of these names, and whether it is held before that.
    fn spawn(self) -> Spawn {
        let entry = match self {
            Moment::KilledInItsCode | Moment::KilledBeforeItsEntry | Moment::ClosedInItsCode => "loops",
            Moment::KilledInACall | Moment::ClosedInACall => "waits",
        };
        Spawn::entry(entry).paused(matches!(self, Moment::KilledBeforeItsEntry))
    }

    /// Brings it about.
    fn comes(self, host: &Host, isolate: &Isolate) {
        match self {
            Moment::KilledInItsCode | Moment::KilledInACall | Moment::KilledBeforeItsEntry => {
                isolate.kill(Priority::Immediate);
            }
            Moment::ClosedInItsCode | Moment::ClosedInACall => drop(host.shutdown(Duration::ZERO)),
        }
    }

    fn is_end(self, exit: &Exit) -> bool {
        match self {
            Moment::ClosedInItsCode | Moment::ClosedInACall => *exit == Exit::HostClosed,
            _ => matches!(exit, Exit::Killed { .. }),
        }
    }
}

fn host() -> Host {
    let builder = Host::builder().isolates(4).threads(2).cache_folder(harness::cache()).on_uncaught(|_| ());
    builder.build().expect("there is room for a small host")
}

fn module(host: &Host) -> Module {
    host.load("moments", TEXT.as_bytes()).expect("the text is a module")
}

/// A wait on a thread of its own.
struct Begun<R>(mpsc::Receiver<R>);

/// Begins something that takes a while.
fn started<R: Send + 'static>(takes: impl FnOnce() -> R + Send + 'static) -> Begun<R> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(takes()).ok());
    Begun(told)
}

/// Begins a wait, and comes back when it does wait: its thread sleeps.
fn begun<R: Send + 'static>(waits: impl FnOnce() -> R + Send + 'static) -> Begun<R> {
    let (began, begins) = mpsc::channel();
    let begun = started(move || {
        let own = std::fs::read_link("/proc/thread-self").expect("a thread can ask who it is");
        began.send(own).expect("it is waited for");
        drop(began);
        waits()
    });
    let thread = std::path::Path::new("/proc").join(begins.recv().expect("it begins")).join("status");
    // One that is gone by now has not waited; what it says will tell.
    while std::fs::read_to_string(&thread).is_ok_and(|status| !status.contains("State:\tS")) {
        thread::yield_now();
    }
    begun
}

impl<R> Begun<R> {
    /// Holds that it waits still.
    fn waits(self) -> Begun<R> {
        assert!(matches!(self.0.try_recv(), Err(mpsc::TryRecvError::Empty)), "it does not wait");
        self
    }

    /// What it came to, which is an error where it waits for ever.
    fn ends(self, what: impl std::fmt::Debug) -> R {
        self.0.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{what:?}: it waits for what cannot come"))
    }
}

/// Waits for a future on this thread.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("there are threads").block_on(future)
}
