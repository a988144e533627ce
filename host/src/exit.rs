//! How an isolate ended: one closed list, with fields.

use std::fmt;

use insula_wire::RemoteError;
use serde::{Deserialize, Serialize};

use crate::printable::printable_line;

/// The number of an isolate, unique within its host.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::Spawn;
/// let host = insula::Host::builder().isolates(2).build()?;
/// let module = host.load("run", b"(module (func (export \"run\")))")?;
/// let (one, two) = (host.spawn(&module, Spawn::entry("run"))?, host.spawn(&module, Spawn::entry("run"))?);
/// assert_ne!(one.id(), two.id());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IsolateId(pub(crate) u64);

impl IsolateId {
    /// The number, as reports show it after a `#`: from 1 on, and never given again by the same host.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for IsolateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// Why and how an isolate ended. Every isolate that was ever born has exactly one.
///
/// An end is a value, not an error: `match` on it. `Display` is one line, in which what a guest said is escaped and cut to
/// 300 characters; `Debug` is all of it.
///
/// ```
/// use insula::Exit;
/// assert_eq!(Exit::ProcExit { code: 3 }.to_string(), "exit code 3");
/// assert!(Exit::Returned.is_ok());
/// let forged = Exit::Trapped { kind: "done\nError: all lost".to_owned(), frames: vec![] };
/// assert_eq!(forged.to_string(), "trapped: done\\nError: all lost");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Exit {
    /// The entry is done and nothing kept the isolate alive.
    Returned,
    /// The guest called `Isolate::exit`.
    Exited,
    /// The guest's code returned or reported an error, and errors were fatal.
    Failed {
        /// The error.
        error: RemoteError,
    },
    /// A Rust panic.
    Panicked {
        /// The panic's text.
        message: String,
        /// `file:line:column`.
        place: String,
        /// The guest's frames, innermost first.
        frames: Vec<Frame>,
    },
    /// A wasm trap.
    Trapped {
        /// Its kind in words.
        kind: String,
        /// The guest's frames, innermost first.
        frames: Vec<Frame>,
    },
    /// WASI's `proc_exit`.
    ProcExit {
        /// The code; 0 is no error.
        code: u32,
    },
    /// Somebody who may did kill it.
    Killed {
        /// Who.
        by: Killer,
    },
    /// A limit was exceeded.
    Limit {
        /// Its name.
        which: String,
        /// Its value, in the limit's unit.
        value: u64,
    },
    /// The deadline passed.
    Deadline {
        /// What it was doing.
        phase: Phase,
    },
    /// A trap in its start function, a message it cannot decode, or a bad entry.
    StartFailed {
        /// What went wrong.
        error: RemoteError,
    },
    /// A panic or failure of the host's own, or a panic of a host function that it called; it ended this isolate only.
    HostFault {
        /// What went wrong.
        message: String,
    },
    /// The host was shut down, or the run ended.
    HostClosed,
}

/// Who killed an isolate.
///
/// ```
/// use insula::{Exit, Killer};
/// assert_eq!(Exit::Killed { by: Killer::Embedder }.to_string(), "killed by the embedder");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Killer {
    /// The program that embeds the host.
    Embedder,
    /// An isolate; perhaps itself.
    Isolate(IsolateId),
}

/// Where a deadline found an isolate.
///
/// ```
/// use insula::{Exit, Phase};
/// let phase = Phase::Waiting { call: "ports.receive".to_owned() };
/// assert_eq!(Exit::Deadline { phase }.to_string(), "deadline passed while waiting in ports.receive");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Phase {
    /// Before its entry was called, whatever was done there: queued, paused, in its start function or a constructor, or
    /// where it fetched its message.
    Start,
    /// In the guest's code, be it on a CPU or queued for one.
    Guest,
    /// In a call of the host's that waits.
    Waiting {
        /// The interface and the name of what it called: `ports.receive`, or `wasi.fd_read`.
        call: String,
    },
}

/// One frame of a guest's stack.
///
/// ```
/// let frame = insula::Frame { function: Some("app::work".to_owned()), index: 7, offset: 0x1a2b };
/// assert_eq!(frame.to_string(), "app::work @ 0x1a2b");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// The function, demangled; none where the module has no names.
    pub function: Option<String>,
    /// Its index in the module.
    pub index: u32,
    /// Bytes from the module's start.
    pub offset: u64,
}

impl Exit {
    /// Whether the isolate ended as it meant to: returned, exited, or exit code 0.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        matches!(self, Exit::Returned | Exit::Exited | Exit::ProcExit { code: 0 })
    }

    /// Whether it is an error of the isolate's own (semantics 5, the table): neither meant, nor brought about by somebody.
    pub(crate) fn is_failure(&self) -> bool {
        !self.is_ok() && !matches!(self, Exit::Killed { .. } | Exit::HostClosed)
    }

    /// The guest's frames where it panicked or trapped, innermost first; none where it ended otherwise.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use insula::{Host, Spawn};
    /// let host = Host::builder().isolates(1).on_uncaught(|_| ()).build()?;
    /// let module = host.load("traps", b"(module (func $deep unreachable) (func (export \"run\") call $deep))")?;
    /// let exit = host.spawn(&module, Spawn::entry("run"))?.join();
    /// assert_eq!(exit.frames()[0].function.as_deref(), Some("deep"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn frames(&self) -> &[Frame] {
        match self {
            Exit::Panicked { frames, .. } | Exit::Trapped { frames, .. } => frames,
            _ => &[],
        }
    }

    /// What [`Exit::reason`] says, in the order of the cases.
    pub const REASONS: &'static [&'static str] = &[
        "returned",
        "exited",
        "failed",
        "panicked",
        "trapped",
        "proc-exit",
        "killed",
        "limit",
        "deadline",
        "start-failed",
        "host-fault",
        "host-closed",
    ];

    /// The kind of end as a word that programs can match, and the only part of an end that a metric has as a label: one of
    /// [`Exit::REASONS`].
    ///
    /// ```
    /// use insula::Exit;
    /// assert_eq!(Exit::ProcExit { code: 3 }.reason(), "proc-exit");
    /// assert!(Exit::REASONS.contains(&Exit::HostClosed.reason()));
    /// ```
    #[must_use]
    pub fn reason(&self) -> &'static str {
        Exit::REASONS[self.kind()]
    }

    /// The place of its reason among all.
    pub(crate) fn kind(&self) -> usize {
        match self {
            Exit::Returned => 0,
            Exit::Exited => 1,
            Exit::Failed { .. } => 2,
            Exit::Panicked { .. } => 3,
            Exit::Trapped { .. } => 4,
            Exit::ProcExit { .. } => 5,
            Exit::Killed { .. } => 6,
            Exit::Limit { .. } => 7,
            Exit::Deadline { .. } => 8,
            Exit::StartFailed { .. } => 9,
            Exit::HostFault { .. } => 10,
            Exit::HostClosed => 11,
        }
    }

    /// Whether it is an error that listeners are told; see [`Exit::error`].
    pub(crate) fn is_error(&self) -> bool {
        match self {
            Exit::Returned | Exit::Exited | Exit::ProcExit { code: 0 } | Exit::Killed { .. } | Exit::HostClosed => {
                false
            }
            Exit::Failed { .. } | Exit::Panicked { .. } | Exit::Trapped { .. } | Exit::ProcExit { .. } => true,
            Exit::Limit { .. } | Exit::Deadline { .. } | Exit::StartFailed { .. } | Exit::HostFault { .. } => true,
        }
    }

    /// What error listeners are told; none where the end is no error (semantics 5, the table).
    #[must_use]
    pub fn error(&self) -> Option<RemoteError> {
        let message = match self {
            Exit::Returned | Exit::Exited | Exit::ProcExit { code: 0 } => return None,
            Exit::Killed { .. } | Exit::HostClosed => return None,
            Exit::Failed { error } | Exit::StartFailed { error } => return Some(error.clone()),
            Exit::Panicked { message, place, .. } if place.is_empty() => message.clone(),
            Exit::Panicked { message, place, .. } => format!("{message}, at {place}"),
            Exit::Trapped { kind, .. } => kind.clone(),
            Exit::HostFault { message } => format!("host fault: {message}"),
            Exit::ProcExit { .. } | Exit::Limit { .. } | Exit::Deadline { .. } => self.to_string(),
        };
        Some(RemoteError { message, stack: stack_text(self.frames()) })
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Returned => f.write_str("returned"),
            Exit::Exited => f.write_str("exited with a message"),
            Exit::Failed { error } => write!(f, "failed: {}", Line(&error.message)),
            Exit::Panicked { message, place, .. } if place.is_empty() => write!(f, "panicked: {}", Line(message)),
            Exit::Panicked { message, place, .. } => write!(f, "panicked at {}: {}", Line(place), Line(message)),
            Exit::Trapped { kind, .. } => write!(f, "trapped: {}", Line(kind)),
            Exit::ProcExit { code } => write!(f, "exit code {code}"),
            Exit::Killed { by: Killer::Embedder } => f.write_str("killed by the embedder"),
            Exit::Killed { by: Killer::Isolate(id) } => write!(f, "killed by isolate {id}"),
            Exit::Limit { which, value } => write!(f, "limit exceeded: {which} {value}"),
            Exit::Deadline { phase } => write!(f, "deadline passed {phase}"),
            Exit::StartFailed { error } => write!(f, "failed to start: {}", Line(&error.message)),
            Exit::HostFault { message } => write!(f, "host fault: {}", Line(message)),
            Exit::HostClosed => f.write_str("the host closed"),
        }
    }
}

/// Other people's text within a line of ours.
struct Line<'a>(&'a str);

/// Characters of it that are shown.
const LINE_CHARS_MAX: usize = 300;

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shown, cut) = match self.0.char_indices().nth(LINE_CHARS_MAX) {
            Some((end, _)) => (&self.0[..end], "[...]"),
            None => (self.0, ""),
        };
        write!(f, "{}{cut}", printable_line(shown))
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Phase::Start => f.write_str("before the entry was called"),
            Phase::Guest => f.write_str("in guest code"),
            Phase::Waiting { call } => write!(f, "while waiting in {call}"),
        }
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.function {
            Some(name) => write!(f, "{} @ {:#x}", Line(name), self.offset),
            None => write!(f, "function {} @ {:#x}", self.index, self.offset),
        }
    }
}

/// The frames as [`RemoteError::stack`] has them.
pub(crate) fn stack_text(frames: &[Frame]) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    for (at, frame) in frames.iter().enumerate() {
        let newline = if at == 0 { "" } else { "\n" };
        write!(text, "{newline}{at}: {frame}").expect("writing to a String cannot fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_is_one_line_whatever_a_guest_says() {
        let text = "a\n\u{1b}[31m\u{202e}b";
        let error = RemoteError { message: text.into(), stack: "0: x\n1: y".into() };
        let said = [
            Exit::Failed { error: error.clone() },
            Exit::StartFailed { error },
            Exit::Panicked { message: text.into(), place: text.into(), frames: vec![] },
            Exit::Panicked { message: text.into(), place: String::new(), frames: vec![] },
            Exit::Trapped { kind: text.into(), frames: vec![] },
            Exit::HostFault { message: text.into() },
        ];
        for exit in said {
            let line = exit.to_string();
            assert!(line.ends_with("a\\n\\u{1b}[31m\\u{202e}b"), "{line}");
            assert!(!line.contains(char::is_control), "{line:?}");
        }
        let long = Exit::Trapped { kind: "é".repeat(LINE_CHARS_MAX + 1), frames: vec![] }.to_string();
        assert_eq!(long, format!("trapped: {}[...]", "é".repeat(LINE_CHARS_MAX)));
    }

    #[test]
    fn the_table_of_semantics_5_says_who_is_told() {
        let error = RemoteError { message: "x".into(), stack: String::new() };
        let frames = vec![Frame { function: None, index: 3, offset: 16 }];
        let silent = [
            Exit::Returned,
            Exit::Exited,
            Exit::ProcExit { code: 0 },
            Exit::Killed { by: Killer::Embedder },
            Exit::HostClosed,
        ];
        assert!(silent.iter().all(|exit| exit.error().is_none() && !exit.is_error()));
        let told = [
            Exit::Failed { error: error.clone() },
            Exit::Panicked { message: "m".into(), place: "p".into(), frames: frames.clone() },
            Exit::Trapped { kind: "integer divide by zero".into(), frames },
            Exit::ProcExit { code: 7 },
            Exit::Limit { which: "memory".into(), value: 1 },
            Exit::Deadline { phase: Phase::Guest },
            Exit::StartFailed { error },
            Exit::HostFault { message: "m".into() },
        ];
        assert!(told.iter().all(|exit| exit.error().is_some() && exit.is_error()));
        assert_eq!(told[2].error().unwrap().stack, "0: function 3 @ 0x10");
        assert_eq!(told[3].error().unwrap().message, "exit code 7");
    }
}
