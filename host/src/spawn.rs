//! How an isolate is asked for: [`Spawn`] by an embedder, [`Birth`] by either, and the one inversion, [`Spawner`].

use std::time::Duration;

use insula_wire::codec::Unsendable;
use insula_wire::{Kind, RemoteError};
use serde::Serialize;

use crate::control::Control;
use crate::error::SpawnError;
use crate::exit::Frame;
use crate::grant::Grant;
use crate::limits::Limits;
use crate::port::codec::{self, Encoded};
use crate::port::{Message, SendRight};
use crate::sync::Arc;
use crate::trace_context::TraceContext;
use crate::world::Nanos;

/// What runs in a new isolate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// `_start`, and the event loop after it.
    Main,
    /// An export without parameters and results.
    Export(String),
    /// `insula_entry` with this number.
    Index(u32),
}

/// A module to be spawned by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) module: String,
    pub(crate) arguments: Vec<String>,
}

/// All that an isolate is born with.
pub(crate) struct Birth {
    pub(crate) entry: Entry,
    /// Another module than the spawner's, by the name that the host offers it under, and the program's arguments.
    pub(crate) program: Option<Program>,
    pub(crate) message: Option<Message>,
    pub(crate) name: String,
    pub(crate) paused: bool,
    pub(crate) errors_fatal: bool,
    pub(crate) scoped: bool,
    pub(crate) inherits: bool,
    /// Whoever spawns it hands its exit code on.
    pub(crate) is_main: bool,
    pub(crate) on_exit: Option<(SendRight, Message)>,
    pub(crate) on_error: Option<SendRight>,
    pub(crate) limits: Limits,
    /// When the deadline of whoever spawns it comes.
    pub(crate) ends: Nanos,
    pub(crate) grants: Vec<Grant>,
    /// Where in the spawner's code that is, if it is to be kept; the names as the module has them.
    pub(crate) frames: Vec<Frame>,
    /// Where in a trace that is.
    pub(crate) context: Option<TraceContext>,
    #[cfg(feature = "testing")]
    pub(crate) faults: Option<crate::faults::Faults>,
}

/// Who gives birth for a guest: the host, which knows the isolate's module and what it may pass on.
pub(crate) trait Spawner: Send + Sync {
    /// Admits a child of `parent`.
    fn spawn(&self, parent: &Arc<Control>, birth: Birth) -> Result<Arc<Control>, SpawnError>;
}

/// A function of the embedder's, as it is given to isolates: a port with a name.
#[derive(Clone)]
pub(crate) struct HostFunction {
    pub(crate) name: Arc<str>,
    pub(crate) right: SendRight,
    /// The number of the host that it is of.
    pub(crate) host: u64,
}

/// What an embedder says of an isolate, for its own functions.
pub(crate) type Data = Arc<dyn std::any::Any + Send + Sync>;

/// Where a guest's standard input comes from. What the isolate spawns has the same.
///
/// ```
/// use insula::{Spawn, Stdin};
/// let spawn = Spawn::main().stdin(Stdin::Bytes(b"one\ntwo\n".to_vec()));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stdin {
    /// It is at its end from the start.
    #[default]
    Empty,
    /// The host program's own.
    Inherit,
    /// These bytes, and then its end. Every isolate that has this input reads it from its start.
    Bytes(Vec<u8>),
}

/// Where a guest's standard output or error goes. What the isolate spawns has the same; [`Spawn::stdout_to`] and
/// [`Spawn::stderr_to`] send it to a port.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::{Host, Output, Spawn};
/// let host = Host::builder().isolates(1).build()?;
/// let text = r#"(module
///     (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
///     (memory (export "memory") 1)
///     (data (i32.const 0) "\08\00\00\00\06\00\00\00hello\n")
///     (func (export "greet") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))"#;
/// let module = host.load("greets", text.as_bytes())?;
/// let greets = host.spawn(&module, Spawn::entry("greet").stdout(Output::Capture { bytes_max: 64 << 10 }))?;
/// greets.join();
/// assert_eq!(greets.stdout().bytes, b"hello\n");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// The host program's own, as it is.
    #[default]
    Inherit,
    /// Nowhere.
    Null,
    /// The host program's own, a whole line at a time, behind the name and the number of the isolate that printed it.
    ///
    /// Control characters are shown, not sent, so that no isolate can print another's name. A line of more than 4 KiB
    /// is broken. A last line without an end is printed at the isolate's end; if that was a kill, only where there is
    /// room for it at once.
    Labelled,
    /// Kept for [`Isolate::stdout`](crate::Isolate::stdout) and [`Isolate::stderr`](crate::Isolate::stderr), which
    /// can be asked at any time.
    Capture {
        /// How much is kept: of more than that, the last.
        bytes_max: usize,
    },
}

/// An output, as it is asked for.
#[derive(Clone)]
pub(crate) enum Outlet {
    Output(Output),
    Port(SendRight),
}

/// How an embedder asks for an isolate. Plain data: clone it, change it, use it again.
///
/// Defaults: not paused, errors are fatal, no grants, [`Limits::default`], empty standard input, output and error of
/// the host program.
///
/// ```
/// use insula::{Grant, Limits, Spawn};
/// let spawn = Spawn::entry("score")
///     .message(&("text", 3_u32))
///     .limits(Limits::default().memory(32 << 20))
///     .grant(Grant::read_only("./models", "/models"));
/// ```
#[derive(Clone)]
#[must_use]
pub struct Spawn {
    pub(crate) entry: Entry,
    pub(crate) message: Option<Result<Encoded, Unsendable>>,
    pub(crate) arguments: Vec<String>,
    pub(crate) name: Option<String>,
    pub(crate) paused: bool,
    pub(crate) errors_fatal: bool,
    pub(crate) limits: Limits,
    pub(crate) grants: Vec<Grant>,
    pub(crate) stdin: Stdin,
    pub(crate) stdout: Outlet,
    pub(crate) stderr: Outlet,
    pub(crate) fixed_clock: Option<Duration>,
    pub(crate) seed: Option<u64>,
    pub(crate) on_exit: Option<(SendRight, Result<Encoded, Unsendable>)>,
    pub(crate) on_error: Option<SendRight>,
    pub(crate) functions: Vec<HostFunction>,
    pub(crate) data: Option<Data>,
    pub(crate) context: Option<TraceContext>,
    #[cfg(feature = "testing")]
    pub(crate) faults: Option<crate::faults::Faults>,
}

impl Spawn {
    /// The module's `_start`: a program's `main`.
    pub fn main() -> Spawn {
        Spawn::new(Entry::Main)
    }

    /// An export without parameters and results; the guest fetches its message by itself.
    pub fn entry(name: impl Into<String>) -> Spawn {
        Spawn::new(Entry::Export(name.into()))
    }

    fn new(entry: Entry) -> Spawn {
        Spawn {
            entry,
            message: None,
            arguments: Vec::new(),
            name: None,
            paused: false,
            errors_fatal: true,
            limits: Limits::default(),
            grants: Vec::new(),
            stdin: Stdin::default(),
            stdout: Outlet::Output(Output::default()),
            stderr: Outlet::Output(Output::default()),
            fixed_clock: None,
            seed: None,
            on_exit: None,
            on_error: None,
            functions: Vec::new(),
            data: None,
            context: None,
            #[cfg(feature = "testing")]
            faults: None,
        }
    }

    /// The message that it is born with. One that cannot be sent is an error of the spawn.
    pub fn message<T: Serialize + ?Sized>(mut self, message: &T) -> Spawn {
        self.message = Some(codec::encode(message, Kind::Data));
        self
    }

    /// The program's arguments, its own name first.
    pub fn args<A: Into<String>>(mut self, arguments: impl IntoIterator<Item = A>) -> Spawn {
        self.arguments = arguments.into_iter().map(Into::into).collect();
        self
    }

    /// What reports call it; the entry's name by default.
    pub fn debug_name(mut self, name: impl Into<String>) -> Spawn {
        self.name = Some(name.into());
        self
    }

    /// Whether it waits for a resume before its entry runs.
    pub fn paused(mut self, paused: bool) -> Spawn {
        self.paused = paused;
        self
    }

    /// Whether the first uncaught error ends it.
    pub fn errors_are_fatal(mut self, fatal: bool) -> Spawn {
        self.errors_fatal = fatal;
        self
    }

    /// What bounds it.
    pub fn limits(mut self, limits: Limits) -> Spawn {
        self.limits = limits;
        self
    }

    /// One more piece of authority.
    pub fn grant(mut self, grant: Grant) -> Spawn {
        self.grants.push(grant);
        self
    }

    /// Where its standard input comes from.
    pub fn stdin(mut self, stdin: Stdin) -> Spawn {
        self.stdin = stdin;
        self
    }

    /// Where its standard output goes.
    pub fn stdout(mut self, stdout: Output) -> Spawn {
        self.stdout = Outlet::Output(stdout);
        self
    }

    /// Where its standard error goes. Its last 4 KiB are kept in any case.
    pub fn stderr(mut self, stderr: Output) -> Spawn {
        self.stderr = Outlet::Output(stderr);
        self
    }

    /// Holds the time of day still for it and all its descendants, at so long after the beginning of 1970.
    ///
    /// What measures durations goes on, in the steps that the isolate's grants allow, or no timer would ever be due.
    ///
    /// ```
    /// use std::time::Duration;
    /// let spawn = insula::Spawn::main().fixed_clock(Duration::from_secs(1_000_000_000)); // 2001-09-09
    /// ```
    pub fn fixed_clock(mut self, since_1970: Duration) -> Spawn {
        self.fixed_clock = Some(since_1970);
        self
    }

    /// Has it draw its random numbers by this seed: the same ones each time. The isolates that it spawns have seeds
    /// that follow from this one and the order in which they are spawned.
    ///
    /// Whoever knows the seed knows the numbers: nothing secret may be made of them.
    ///
    /// ```
    /// let spawn = insula::Spawn::main().seeded_random(7);
    /// ```
    pub fn seeded_random(mut self, seed: u64) -> Spawn {
        self.seed = Some(seed);
        self
    }

    /// Has it be born within this context of a trace: what it sends and spawns before it takes a message is within it too.
    pub fn trace_context(mut self, context: TraceContext) -> Spawn {
        self.context = Some(context);
        self
    }

    /// Has it meet these [`Faults`](crate::testing::Faults).
    #[cfg(feature = "testing")]
    pub fn faults(mut self, faults: crate::faults::Faults) -> Spawn {
        self.faults = Some(faults);
        self
    }

    pub(crate) fn printing_to(mut self, stdout: Option<SendRight>, stderr: Option<SendRight>) -> Spawn {
        self.stdout = stdout.map_or(self.stdout, Outlet::Port);
        self.stderr = stderr.map_or(self.stderr, Outlet::Port);
        self
    }

    /// Has a value come after the message, as the second of a pair; alone where there is no message.
    pub(crate) fn followed_by<T: Serialize + ?Sized>(mut self, value: &T) -> Spawn {
        self.message = Some(match self.message {
            Some(message) => message.and_then(|message| message.followed_by(value)),
            None => codec::encode(value, Kind::Data),
        });
        self
    }

    pub(crate) fn told_of_exit(mut self, right: SendRight, response: Result<Encoded, Unsendable>) -> Spawn {
        self.on_exit = Some((right, response));
        self
    }

    pub(crate) fn told_of_errors(mut self, right: SendRight) -> Spawn {
        self.on_error = Some(right);
        self
    }
}

/// The schema that a port of error notices may have, 0 aside.
pub(crate) fn error_schema() -> u64 {
    insula_wire::codec::schema::<RemoteError>()
}
