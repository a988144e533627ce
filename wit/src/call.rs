//! What comes back of a request: answers of a plugin, and of a host function.
//!
//! A request is a message of two fields: an optional SendPort for what comes back, in front so that it is the first
//! capability of the message, and the question. Both crates have a type of their own for it, since each has its own
//! SendPort.

use serde::{Deserialize, Serialize};

use crate::RemoteError;

/// One message on the way back. A call gets one of these; a stream gets values until its end.
///
/// ```
/// use insula_wire::{Answer, codec};
/// let mut bytes = Vec::new();
/// codec::encode_into(&Answer::Value(7_u8), &mut bytes)?;
/// assert_eq!(bytes, [0, 7]);
/// # Ok::<(), codec::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer<A> {
    /// What was asked for, or a part of it.
    Value(A),
    /// There is no answer, for this reason.
    Failed(RemoteError),
    /// No more will come.
    End,
}
