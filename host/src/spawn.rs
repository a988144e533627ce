//! How an isolate is asked for: [`Spawn`] by an embedder, [`Birth`] by either, and the one inversion, [`Spawner`].

use insula_wire::codec::Unsendable;
use insula_wire::{Kind, RemoteError};
use serde::Serialize;

use crate::control::Control;
use crate::error::SpawnError;
use crate::grant::Grant;
use crate::limits::Limits;
use crate::port::codec::{self, Encoded};
use crate::port::{Message, SendRight};
use crate::sync::Arc;
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

/// Where a guest's standard input comes from.
///
/// ```
/// let spawn = insula::Spawn::main().stdin(insula::Stdin::Inherit);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stdin {
    /// It is at its end from the start.
    #[default]
    Empty,
    /// The host program's own.
    Inherit,
}

/// Where a guest's standard output or error goes.
///
/// ```
/// use insula::{Output, Spawn};
/// let spawn = Spawn::main().stdout(Output::Null).stderr(Output::Null);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// The host program's own.
    #[default]
    Inherit,
    /// Nowhere.
    Null,
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
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
    pub(crate) on_exit: Option<(SendRight, Result<Encoded, Unsendable>)>,
    pub(crate) on_error: Option<SendRight>,
    pub(crate) functions: Vec<HostFunction>,
    pub(crate) data: Option<Data>,
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
            stdout: Output::default(),
            stderr: Output::default(),
            on_exit: None,
            on_error: None,
            functions: Vec::new(),
            data: None,
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
        self.stdout = stdout;
        self
    }

    /// Where its standard error goes. Its last 4 KiB are kept in any case.
    pub fn stderr(mut self, stderr: Output) -> Spawn {
        self.stderr = stderr;
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
