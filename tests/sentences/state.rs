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
pub(super) const SHORT: [(&str, Short); 0] = [];
