//! How an embedder's value becomes a message: postcard, with capabilities as positions in the message's list.
//!
//! A SendPort or an isolate handle may stand anywhere in a serde value. While a message is encoded or decoded, a
//! thread-local list takes or gives what the positions mean; outside of that, such a value refuses to be serialised.

use std::cell::RefCell;

use insula_wire::codec::{self, Unsendable};
use insula_wire::{CAPABILITIES_MAX, Kind, Status};
use serde::{Serialize, de::DeserializeOwned};

use super::{Attachment, Attachments, Blob, BlobCell, Claims, Message};
use crate::sync::{Arc, Mutex};
use crate::trace_context::TraceContext;

thread_local! {
    static OUTGOING: RefCell<Option<Outgoing>> = const { RefCell::new(None) };
    static INCOMING: RefCell<Option<Incoming>> = const { RefCell::new(None) };
}

#[derive(Default)]
struct Outgoing {
    attachments: Vec<Attachment>,
    host: Option<u64>,
    blobs: Vec<BlobCell>,
    context: Option<TraceContext>,
}

struct Incoming {
    attachments: Attachments,
    /// Blobs that were decoded already: one that is named twice is taken once.
    blobs: Vec<(Arc<Blob>, BlobCell)>,
}

/// An encoded message, the host that the capabilities in it belong to, if there are any, and where its blobs are.
pub(crate) struct Encoded {
    message: Message,
    host: Option<u64>,
    blobs: Vec<BlobCell>,
}

impl Encoded {
    /// The message, for the host of this number, with the blobs taken out of where they were: they go back there
    /// unless the claims are settled.
    ///
    /// # Errors
    /// `Unsendable` where it holds a capability of another host, or a blob that is gone.
    pub(crate) fn into_message(self, host: u64) -> Result<(Message, Claims), Status> {
        if self.host.is_some_and(|other| other != host) {
            return Err(Status::Unsendable);
        }
        let claims = Claims::take(&self.blobs).ok_or(Status::Unsendable)?;
        Ok((self.message, claims))
    }

    /// The message of a pair: what this one says, and a value after it.
    ///
    /// # Errors
    /// As [`encode`].
    pub(crate) fn followed_by<T: Serialize + ?Sized>(self, value: &T) -> Result<Encoded, Unsendable> {
        let Message { kind, bytes, attachments } = self.message;
        let context = attachments.trace_context();
        let attachments = attachments.into_iter().collect();
        let before = Outgoing { attachments, host: self.host, blobs: self.blobs, context };
        append(value, bytes.to_vec(), kind, before)
    }
}

impl Clone for Encoded {
    fn clone(&self) -> Encoded {
        let message = self.message.again(self.message.kind);
        Encoded { message, host: self.host, blobs: self.blobs.clone() }
    }
}

/// Encodes a value.
///
/// # Errors
/// Where the value refuses, which part of it and why.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T, kind: Kind) -> Result<Encoded, Unsendable> {
    append(value, Vec::new(), kind, Outgoing::default())
}

#[inline]
fn append<T: Serialize + ?Sized>(
    value: &T,
    mut bytes: Vec<u8>,
    kind: Kind,
    before: Outgoing,
) -> Result<Encoded, Unsendable> {
    let list = List::begin(|list| OUTGOING.replace(list), before);
    let result = codec::encode_into(value, &mut bytes);
    let outgoing = list.end().unwrap_or_default();
    result.map_err(|error| error.cause.into_unsendable())?;
    let mut attachments = Attachments::from(outgoing.attachments);
    if let Some(context) = outgoing.context {
        attachments = attachments.traced(context);
    }
    let message = Message { kind, bytes: bytes.into(), attachments };
    Ok(Encoded { message, host: outgoing.host, blobs: outgoing.blobs })
}

/// Decodes a message; what it carried and the value did not take is released.
///
/// # Errors
/// The codec's, where the bytes are not a `T`.
pub(crate) fn decode<T: DeserializeOwned>(message: Message) -> Result<T, codec::Error> {
    let incoming = Incoming { attachments: message.attachments, blobs: Vec::new() };
    let list = List::begin(|list| INCOMING.replace(list), incoming);
    let result = codec::decode(&message.bytes);
    drop(list.end());
    result
}

/// A thread's list, for as long as one message is encoded or decoded, also where that panics; then the outer one's again.
struct List<T> {
    replace: fn(Option<T>) -> Option<T>,
    outer: Option<T>,
}

impl<T> List<T> {
    fn begin(replace: fn(Option<T>) -> Option<T>, list: T) -> List<T> {
        List { replace, outer: replace(Some(list)) }
    }

    /// What is in the list.
    fn end(self) -> Option<T> {
        (self.replace)(None)
    }
}

impl<T> Drop for List<T> {
    fn drop(&mut self) {
        drop((self.replace)(self.outer.take()));
    }
}

/// Puts an attachment of a host beside the message that is being encoded, and says its position.
pub(crate) fn attach(attachment: Attachment, host: u64) -> Option<u8> {
    OUTGOING.with_borrow_mut(|outgoing| {
        let outgoing = outgoing.as_mut()?;
        if outgoing.attachments.len() >= CAPABILITIES_MAX || *outgoing.host.get_or_insert(host) != host {
            return None;
        }
        outgoing.attachments.push(attachment);
        u8::try_from(outgoing.attachments.len() - 1).ok()
    })
}

/// Puts a blob beside the message that is being encoded, and says its position. None for one that is gone.
pub(crate) fn attach_blob(cell: &BlobCell) -> Option<u8> {
    let blob = cell.lock().clone()?;
    OUTGOING.with_borrow_mut(|outgoing| {
        let outgoing = outgoing.as_mut().filter(|outgoing| outgoing.attachments.len() < CAPABILITIES_MAX)?;
        outgoing.attachments.push(Attachment::Blob(blob));
        outgoing.blobs.push(Arc::clone(cell));
        u8::try_from(outgoing.attachments.len() - 1).ok()
    })
}

/// Has the message that is being encoded carry this trace context.
pub(crate) fn trace(context: TraceContext) {
    OUTGOING.with_borrow_mut(|outgoing| {
        if let Some(outgoing) = outgoing {
            outgoing.context = Some(context);
        }
    });
}

/// The trace context of the message that is being decoded.
pub(crate) fn traced() -> Option<TraceContext> {
    INCOMING.with_borrow(|incoming| incoming.as_ref()?.attachments.trace_context())
}

/// The attachment at a position of the message that is being decoded.
pub(crate) fn detach(position: u8) -> Option<Attachment> {
    INCOMING.with_borrow(|incoming| incoming.as_ref()?.attachments.get(usize::from(position)).cloned())
}

/// The blob at a position of the message that is being decoded.
pub(crate) fn detach_blob(position: u8) -> Option<BlobCell> {
    INCOMING.with_borrow_mut(|incoming| {
        let Incoming { attachments, blobs } = incoming.as_mut()?;
        let Attachment::Blob(blob) = attachments.get(usize::from(position))? else { return None };
        if let Some((_, cell)) = blobs.iter().find(|(known, _)| Arc::ptr_eq(known, blob)) {
            return Some(Arc::clone(cell));
        }
        let cell = Arc::new(Mutex::new(Some(Arc::clone(blob))));
        blobs.push((Arc::clone(blob), Arc::clone(&cell)));
        Some(cell)
    })
}

#[cfg(test)]
mod tests;
