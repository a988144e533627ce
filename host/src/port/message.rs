//! What travels: bytes, and the capabilities beside them.

use std::any::Any;

use insula_wire::Kind;

use super::{Attachments, Blob, Bytes, SendRight};
use crate::exit::IsolateId;
use crate::sync::Arc;

/// A token that is equal to itself only; the number is never given twice and never shown to a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CapabilityId(pub(crate) u64);

/// The control of an isolate, held by whoever may ask for something there. This module knows what it is called, and
/// [`Control`](crate::control::Control) what it is.
#[derive(Clone)]
pub(crate) struct ControlRef {
    pub(crate) id: IsolateId,
    pub(crate) control: Arc<dyn Any + Send + Sync>,
}

/// A message in flight. Bytes refer to attachments by position.
pub(crate) struct Message {
    pub(crate) kind: Kind,
    pub(crate) bytes: Bytes,
    pub(crate) attachments: Attachments,
}

/// What a message can carry beside its bytes.
#[derive(Clone)]
pub(crate) enum Attachment {
    Send(SendRight),
    Capability(CapabilityId),
    Control(ControlRef),
    Blob(Arc<Blob>),
}

impl Message {
    /// What it costs the mailbox that holds it, in bytes (semantics 9.2).
    #[inline]
    pub(crate) fn cost(&self) -> u64 {
        const OVERHEAD: usize = 64;
        if self.attachments.is_none() {
            return (self.bytes.len() + OVERHEAD) as u64;
        }
        (self.bytes.len() + OVERHEAD * (1 + self.attachments.len())) as u64 + self.blob_bytes()
    }

    /// The bytes of the blobs that it carries.
    pub(crate) fn blob_bytes(&self) -> u64 {
        self.blobs().map(|blob| blob.len()).sum()
    }

    /// The blobs that it carries.
    pub(crate) fn blobs(&self) -> impl Iterator<Item = &Arc<Blob>> {
        self.attachments.iter().filter_map(|attachment| match attachment {
            Attachment::Blob(blob) => Some(blob),
            Attachment::Send(_) | Attachment::Capability(_) | Attachment::Control(_) => None,
        })
    }

    /// The same message again, as a notice of this kind.
    pub(crate) fn again(&self, kind: Kind) -> Message {
        Message { kind, bytes: self.bytes.clone(), attachments: self.attachments.clone() }
    }
}
