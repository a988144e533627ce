//! The error that crosses from one isolate to another.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

/// An uncaught error of an isolate, as its error listeners see it: two strings, like Dart's two-element list.
///
/// `message` is the panic's own text and place, a trap's kind in words, or a limit's name and value. `stack` is the
/// guest's frames, innermost first, a line each: position, function, and offset in the module.
///
/// ```
/// let error = insula_wire::RemoteError { message: "integer divide by zero".into(), stack: "0: f @ 0x1a".into() };
/// assert_eq!(error.to_string(), "integer divide by zero");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RemoteError {
    /// What went wrong.
    pub message: String,
    /// Where: one frame a line, `0: function @ 0x1a2b`; empty where there are no frames.
    pub stack: String,
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl core::error::Error for RemoteError {}
