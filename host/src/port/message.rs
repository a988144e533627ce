//! What travels: bytes, and the capabilities beside them.

use insula_wire::Kind;

use super::SendRight;
use crate::exit::IsolateId;

/// A token that is equal to itself only; the number is never given twice and never shown to a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CapabilityId(pub(crate) u64);

/// A message in flight. Bytes refer to attachments by position.
pub(crate) struct Message {
    pub(crate) kind: Kind,
    pub(crate) bytes: Vec<u8>,
    pub(crate) attachments: Vec<Attachment>,
}

/// What a message can carry beside its bytes.
#[derive(Clone)]
pub(crate) enum Attachment {
    Send(SendRight),
    Capability(CapabilityId),
    Control(IsolateId),
}

impl Message {
    /// What it costs the mailbox that holds it, in bytes (semantics 9.2).
    pub(crate) fn cost(&self) -> u64 {
        const OVERHEAD: usize = 64;
        (self.bytes.len() + OVERHEAD * (1 + self.attachments.len())) as u64
    }

    /// The same message again, as a notice of this kind.
    pub(crate) fn again(&self, kind: Kind) -> Message {
        Message { kind, bytes: self.bytes.clone(), attachments: self.attachments.clone() }
    }
}
