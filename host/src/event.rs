//! What happens in a host, one thing after another: births, turns, messages, ends, for whoever observes.
//!
//! - [`Event`], [`Happened`], [`Then`], [`Notice`]: what an observer is given.
//! - `recorder`: where it is put down when somebody observes, and what that costs when nobody does: one look at a word.
//! - `lane`: how one thread puts it down and another takes it out; `entry`: as what.

#[path = "event/entry.rs"] // the tests include this file by its path
mod entry;
#[path = "event/lane.rs"]
pub(crate) mod lane;
#[path = "event/recorder.rs"]
mod recorder;

use std::time::Duration;

use crate::exit::{Exit, Frame, IsolateId};
use crate::trace_context::TraceContext;
pub(crate) use entry::{Extra, ExtraKind, Left};
pub(crate) use lane::{Part, has_extra};
pub(crate) use recorder::{Batch, Detail, Found, Recorder};

/// One thing that happened in a host.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::{Happened, Host, Spawn};
/// let host = Host::builder().isolates(1).build()?;
/// let (seen, births) = std::sync::mpsc::channel();
/// let observation = host.observe(move |events| {
///     for event in events {
///         if let Happened::Born { name, .. } = &event.what {
///             seen.send(name.clone()).ok();
///         }
///     }
/// })?;
/// let module = host.load("page", b"(module (func (export \"run\")))")?;
/// host.spawn(&module, Spawn::entry("run"))?.join();
/// drop(observation);
/// assert_eq!(births.iter().collect::<Vec<_>>(), ["run"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// When, since the host was built. Of what lasted, when it began.
    pub at: Duration,
    /// Who did it, or whom it befell; none is the embedder.
    pub isolate: Option<IsolateId>,
    /// What it was.
    pub what: Happened,
}

/// What happened.
///
/// ```
/// use insula::Happened;
/// let is_news = |what: &Happened| matches!(what, Happened::Born { .. } | Happened::Ended { .. });
/// assert!(!is_news(&Happened::Missed { events: 3 }));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Happened {
    /// It was admitted: from here on it has exactly one end.
    Born {
        /// Its debug name.
        name: String,
        /// The name of its module.
        module: String,
        /// Who spawned it; none is the embedder.
        parent: Option<IsolateId>,
    },
    /// It had a CPU.
    Ran {
        /// For so long.
        took: Duration,
        /// The worker thread, by a number from 0 on that is its own in the process.
        thread: u32,
        /// Why no longer.
        then: Then,
    },
    /// It had a CPU when a sample was due; told to who asks for samples only ([`Host::observe_samples`]).
    ///
    /// [`Host::observe_samples`]: crate::Host::observe_samples
    Sampled {
        /// The time that the sample stands for: since the one before was due.
        took: Duration,
        /// The name of its module.
        module: String,
        /// Where it was in its code, innermost first: the innermost 20.
        frames: Vec<Frame>,
    },
    /// A message of its was accepted.
    Sent {
        /// Whose port it went to; none is the embedder's.
        to: Option<IsolateId>,
        /// The message, as [`Happened::Received`] names it: the how-manieth that its mailbox accepted.
        message: u64,
        /// What it costs the mailbox: 64 more than its length for it and for each capability, and the lengths of blobs.
        bytes: u64,
    },
    /// It took a message.
    Received {
        /// The how-manieth that its mailbox accepted.
        message: u64,
        /// As those of [`Happened::Sent`].
        bytes: u64,
        /// What the host told by it, if it is no message of a sender's.
        notice: Option<Notice>,
    },
    /// What it does from here on is within this span of a trace, until it enters another one or ends; told where spans
    /// are observed ([`Host::observe_spans`](crate::Host::observe_spans)), after its birth and after each message that it
    /// takes.
    Entered {
        /// The span, which is new.
        context: TraceContext,
        /// The span that it is part of: of who sent the message, or spawned the isolate. None begins a trace.
        parent: Option<u64>,
    },
    /// An error of its had no listener.
    Uncaught {
        /// The error's text, the first 4 KiB of it.
        message: String,
    },
    /// It ended; nothing more happens to it.
    Ended {
        /// How.
        exit: Exit,
    },
    /// More happened than could be kept until an observer was told.
    Missed {
        /// How many events.
        events: u64,
    },
}

/// Why an isolate does not run any longer.
///
/// ```
/// let then = insula::Then::Waits { call: Some("ports.receive") };
/// assert_ne!(then, insula::Then::Over);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Then {
    /// It waits, in this call; in none before it runs.
    Waits {
        /// The interface and the function, as in `ports.receive`.
        call: Option<&'static str>,
    },
    /// Its slice is over: it is ready, and others run.
    Preempted,
    /// It is paused.
    Paused,
    /// It ended.
    Over,
}

/// What a message of the host's tells.
///
/// ```
/// assert_eq!(format!("{:?}", insula::Notice::Exit), "Exit");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// That an isolate ended.
    Exit,
    /// That an isolate had an error.
    Error,
    /// The answer to a ping, or a stop request.
    Ping,
}

impl Happened {
    /// Whether it is where somebody was who had a CPU.
    pub(crate) fn is_sample(&self) -> bool {
        matches!(self, Happened::Sampled { .. })
    }

    /// Bytes of what a guest says in it, about.
    pub(crate) fn text_bytes(&self) -> usize {
        match self {
            Happened::Born { name, module, .. } => name.len() + module.len(),
            Happened::Uncaught { message } => message.len(),
            Happened::Ended { exit } => format!("{exit:?}").len(),
            _ => 0,
        }
    }

    /// Whether it is of a life as a whole, and no turn or message.
    pub(crate) fn is_of_lives(&self) -> bool {
        match self {
            Happened::Born { .. } | Happened::Uncaught { .. } | Happened::Ended { .. } | Happened::Missed { .. } => {
                true
            }
            Happened::Entered { .. } | Happened::Sampled { .. } => false,
            Happened::Ran { .. } | Happened::Sent { .. } | Happened::Received { .. } => false,
        }
    }
}
