//! How an embedder's value becomes a message: postcard, with capabilities as positions in the message's list.
//!
//! A SendPort or an isolate handle may stand anywhere in a serde value. While a message is encoded or decoded, a
//! thread-local list takes or gives what the positions mean; outside of that, such a value refuses to be serialised.

use std::cell::RefCell;

use insula_wire::{CAPABILITIES_MAX, Kind, Status, codec};
use serde::{Serialize, de::DeserializeOwned};

use super::{Attachment, Message};

thread_local! {
    static OUTGOING: RefCell<Option<Outgoing>> = const { RefCell::new(None) };
    static INCOMING: RefCell<Option<Vec<Attachment>>> = const { RefCell::new(None) };
}

#[derive(Default)]
struct Outgoing {
    attachments: Vec<Attachment>,
    host: Option<u64>,
}

/// An encoded message, and the host that the capabilities in it belong to, if there are any.
pub(crate) struct Encoded {
    message: Message,
    host: Option<u64>,
}

impl Encoded {
    /// The message, for the host of this number.
    ///
    /// # Errors
    /// `Unsendable` where it holds a capability of another host.
    pub(crate) fn into_message(self, host: u64) -> Result<Message, Status> {
        if self.host.is_some_and(|other| other != host) { Err(Status::Unsendable) } else { Ok(self.message) }
    }
}

impl Clone for Encoded {
    fn clone(&self) -> Encoded {
        Encoded { message: self.message.again(self.message.kind), host: self.host }
    }
}

/// Encodes a value.
///
/// # Errors
/// `Unsendable` where the value refuses.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T, kind: Kind) -> Result<Encoded, Status> {
    let list = List::begin(|list| OUTGOING.replace(list), Outgoing::default());
    let mut bytes = Vec::new();
    let result = codec::encode_into(value, &mut bytes);
    let outgoing = list.end().unwrap_or_default();
    result.map_err(|_| Status::Unsendable)?;
    let message = Message { kind, bytes, attachments: outgoing.attachments };
    Ok(Encoded { message, host: outgoing.host })
}

/// Decodes a message; what it carried and the value did not take is released.
///
/// # Errors
/// The codec's, where the bytes are not a `T`.
pub(crate) fn decode<T: DeserializeOwned>(message: Message) -> Result<T, codec::Error> {
    let list = List::begin(|list| INCOMING.replace(list), message.attachments);
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

/// The attachment at a position of the message that is being decoded.
pub(crate) fn detach(position: u8) -> Option<Attachment> {
    INCOMING.with_borrow(|incoming| incoming.as_ref()?.get(usize::from(position)).cloned())
}

#[cfg(test)]
mod tests;
