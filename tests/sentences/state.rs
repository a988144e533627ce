//! What does not hold yet, and why: the only place that says so. A sentence that is not here holds, and has a test.

use std::fmt;

/// How far a sentence falls short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Short {
    /// Something of it is missing.
    Partly(&'static str),
    /// Nothing of it is there.
    NotYet(&'static str),
}

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Short::Partly(missing) => write!(f, "partly: {missing}"),
            Short::NotYet(reason) => write!(f, "not yet: {reason}"),
        }
    }
}

/// By number of the sentence.
pub(super) const SHORT: [(&str, Short); 15] = [
    ("2.2", Short::NotYet("isolates of another module")),
    ("2.3", Short::Partly("an export whose message does not decode ends as Failed, not as StartFailed")),
    ("5.3", Short::Partly("there are no tasks yet that could keep an isolate alive")),
    ("5.5", Short::Partly("there is no `--wait main`")),
    ("5 HostFault", Short::Partly("tested at the death step only: no guest can provoke a failure of the host's own")),
    ("6.2", Short::Partly("several listeners in turn, in the host; not in the SDK")),
    ("6.3", Short::Partly("a port that keeps nobody alive; no handler that can be swapped")),
    ("6.4", Short::Partly("no untyped messages; an error does not say the position")),
    ("6.5", Short::NotYet("the name server")),
    ("6.6", Short::NotYet("blobs")),
    ("8", Short::Partly("no grants for names, modules and the network")),
    ("9.1", Short::Partly("no `run_deadline`")),
    ("9.2", Short::Partly("a sender has no allowance at a receiver")),
    ("9.3", Short::NotYet("accounts of a whole tree")),
    ("9.4", Short::NotYet("modules that are trusted")),
];
