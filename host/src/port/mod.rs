//! Ports: where messages wait until their receiver takes them.
//!
//! - [`Mailbox`]: an isolate's bounded inbound queue, one lock around all of its ports.
//! - [`Port`]: one address in a mailbox. Its owner and whoever holds a [`SendRight`] point to it.
//! - [`SendRight`]: the counted right to send. When the last one goes, the owner learns that nobody can reach it.
//! - [`Message`], [`Attachments`]: bytes, and the capabilities and the trace context that travel beside them.
//! - [`Bytes`]: those of a message, in place where they are few.
//! - [`Blob`]: bytes that move with a message instead of being copied.
//! - [`Table`]: the numbers by which one guest names what it holds.
//!
//! No guest code, no wasm, no clock and no thread is known here. Nothing is dropped under a lock: what a mailbox gives
//! up is handed out and released by the caller, so that a right in a dropped message can lock another mailbox.

mod attachments;
mod blob;
pub(crate) mod codec;
mod content;
mod door;
mod mailbox;
mod message;
mod table;

pub(crate) use attachments::Attachments;
pub(crate) use blob::{Blob, BlobCell, Claims};
pub(crate) use content::Bytes;
pub(crate) use door::AtTheDoor;
pub(crate) use mailbox::{After, Charged, Mailbox, Refused, Room, Sender, Take, Took, Wanted};
pub(crate) use message::{Attachment, CapabilityId, ControlRef, Message};
pub(crate) use table::{Object, Table};

use crate::sync::{Arc, atomic};

/// One address in a mailbox.
pub(crate) struct Port {
    id: u64,
    slot: u32,
    schema: u64,
    mailbox: Arc<Mailbox>,
    rights: atomic::AtomicU64,
}

impl Port {
    /// What tells this port from every other of its host.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// The schema of its messages, 0 for any.
    pub(crate) fn schema(&self) -> u64 {
        self.schema
    }

    /// The mailbox that it belongs to.
    pub(crate) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// Whether nobody but its owner could send to it.
    fn is_unreachable(&self) -> bool {
        self.rights.load(atomic::Ordering::SeqCst) == 0
    }
}

/// The right to send to a port, counted, in flight included.
pub(crate) struct SendRight(Arc<Port>);

impl SendRight {
    /// One more right.
    pub(crate) fn new(port: &Arc<Port>) -> SendRight {
        port.rights.fetch_add(1, atomic::Ordering::SeqCst);
        SendRight(Arc::clone(port))
    }

    /// The port.
    pub(crate) fn port(&self) -> &Arc<Port> {
        &self.0
    }
}

impl Clone for SendRight {
    fn clone(&self) -> SendRight {
        SendRight::new(&self.0)
    }
}

impl Drop for SendRight {
    fn drop(&mut self) {
        if self.0.rights.fetch_sub(1, atomic::Ordering::SeqCst) == 1 {
            self.0.mailbox.unheld(&self.0);
        }
    }
}
