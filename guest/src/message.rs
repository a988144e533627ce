//! Messages on their way out and in: encoded bytes, and the handles that the bytes refer to by position.
//!
//! [`Outgoing`] and [`Incoming`] borrow one pair of buffers that an isolate keeps and uses again, so that a message
//! costs no allocation once the buffers have grown (notes: a codec that allocates is a quarter of a round trip).
//! While a value is encoded or decoded, the list of its handles lies in a thread-local, where [`leave`] and
//! [`arrive`] find it from inside of serde. Serialising within a `Serialize` impl nests; the outer list comes back.

use std::cell::Cell;

use insula_wire::codec::Cause;
use insula_wire::layout::Received;
use insula_wire::{CAPABILITIES_MAX, Kind, Status, codec};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::call::{Body, Source};
use crate::error::{SendError, Undecodable};
use crate::event_loop;
use crate::handle::Handle;
use crate::{sys, value};

/// A buffer that grew beyond this is given back to the allocator.
const BUFFER_KEPT_BYTES_MAX: usize = 1 << 20;

/// Room that a receive offers at least, so that a small message is never asked for twice.
const BUFFER_BYTES_MIN: usize = 1 << 10;

/// The same for handles. Few messages carry more, and an isolate that waits is to have touched little.
const HANDLES_MIN: usize = 16;

#[derive(Default)]
struct Buffers {
    bytes: Vec<u8>,
    handles: Vec<u32>,
}

/// Receives that wait at once after one that found nothing. A look is cheaper than a wait that finds a message, and for
/// nothing where there is none, which is what a program finds that asks and waits for the answer.
const WAITS_AFTER_NOTHING: u8 = 7;

thread_local! {
    static WAITS: Cell<u8> = const { Cell::new(0) };
    static SPARE: Cell<Buffers> = const { Cell::new(Buffers { bytes: Vec::new(), handles: Vec::new() }) };
    static LEAVING: Cell<Option<Vec<u32>>> = const { Cell::new(None) };
    static ARRIVING: Cell<Vec<u32>> = const { Cell::new(Vec::new()) };
}

impl Buffers {
    fn take() -> Buffers {
        let mut buffers = SPARE.take();
        buffers.bytes.clear();
        buffers.handles.clear();
        buffers
    }

    fn give_back(&mut self) {
        if (1..=BUFFER_KEPT_BYTES_MAX).contains(&self.bytes.capacity()) {
            SPARE.set(std::mem::take(self));
        }
    }
}

/// Puts a handle on the list of the message that is being encoded, and says where.
pub(crate) fn leave(handle: u32) -> Option<u8> {
    let mut list = LEAVING.take()?;
    let position = list.len();
    list.push(handle);
    LEAVING.set(Some(list));
    if position < CAPABILITIES_MAX { u8::try_from(position).ok() } else { None }
}

/// Takes the handle at this position out of the message that is being decoded; each can be taken once.
pub(crate) fn arrive(position: u8) -> Option<Handle> {
    let mut list = ARRIVING.take();
    let number = list.get_mut(usize::from(position)).map_or(0, std::mem::take);
    ARRIVING.set(list);
    (number != 0).then(|| Handle::own(number))
}

/// An encoded message. The value that it was made of must live until it is sent: it holds the counts of the handles.
pub(crate) struct Outgoing(Buffers);

// What does not depend on a message's type is in functions of their own, here and elsewhere: it is compiled once.
impl Outgoing {
    pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Outgoing, SendError> {
        let (mut outgoing, outer) = Outgoing::begin();
        let encoded = codec::encode_into(value, &mut outgoing.0.bytes);
        outgoing.end(outer, encoded.err())
    }

    #[inline(never)]
    fn begin() -> (Outgoing, Option<Vec<u32>>) {
        let mut outgoing = Outgoing(Buffers::take());
        let outer = LEAVING.replace(Some(std::mem::take(&mut outgoing.0.handles)));
        (outgoing, outer)
    }

    #[inline(never)]
    fn end(mut self, outer: Option<Vec<u32>>, error: Option<codec::Error>) -> Result<Outgoing, SendError> {
        self.0.handles = LEAVING.replace(outer).unwrap_or_default();
        match error.map(|error| error.cause) {
            None => Ok(self),
            Some(Cause::TooDeep) => Err(SendError::TooDeep),
            Some(_) if self.0.handles.len() > CAPABILITIES_MAX => Err(SendError::TooManyCapabilities),
            Some(cause) => Err(SendError::Unsendable(cause.into_unsendable())),
        }
    }

    pub(crate) fn body(&self) -> Body<'_> {
        Body { bytes: &self.0.bytes, capabilities: &self.0.handles }
    }

    /// A copy that holds its own counts.
    pub(crate) fn keep(&self) -> Kept {
        Kept {
            bytes: self.0.bytes.clone(),
            _counts: self.0.handles.iter().copied().map(Handle::another).collect(),
            capabilities: self.0.handles.clone(),
        }
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

/// An encoded message for later.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    bytes: Vec<u8>,
    capabilities: Vec<u32>,
    _counts: Vec<Handle>,
}

impl Kept {
    pub(crate) fn body(&self) -> Body<'_> {
        Body { bytes: &self.bytes, capabilities: &self.capabilities }
    }

    /// What the message says after so many bytes.
    pub(crate) fn body_from(&self, start: usize) -> Body<'_> {
        Body { bytes: self.bytes.get(start..).unwrap_or_default(), capabilities: &self.capabilities }
    }

    /// The value that the message begins with, and where the next one begins. The message keeps its own counts.
    pub(crate) fn front<T: DeserializeOwned>(&self) -> Option<(T, usize)> {
        let copies = self.capabilities.iter().inspect(|number| std::mem::forget(Handle::another(**number)));
        let outer = ARRIVING.replace(copies.copied().collect());
        let decoded = codec::decode_front(&self.bytes).ok();
        let untaken = ARRIVING.replace(outer).into_iter().filter(|number| *number != 0);
        untaken.for_each(|number| drop(Handle::own(number)));
        decoded.map(|(value, rest)| (value, self.bytes.len() - rest.len()))
    }
}

/// A message that arrived. What is not decoded out of it is released on drop.
pub(crate) struct Incoming {
    buffers: Buffers,
    pub(crate) kind: Kind,
    pub(crate) port: u32,
}

impl Incoming {
    /// Takes what is there at once, or waits until `deadline`.
    #[inline(never)]
    pub(crate) fn next(port: u32, deadline: u64) -> Result<Incoming, Status> {
        let waits = WAITS.get();
        if waits == 0 {
            match Incoming::take(Source::Ready(port)) {
                Err(Status::WouldWait) => {}
                taken => return taken,
            }
        }
        WAITS.set(waits.checked_sub(1).unwrap_or(WAITS_AFTER_NOTHING));
        Incoming::take(Source::Port(port, deadline))
    }

    /// Takes a message, with a larger buffer where the first was too small.
    pub(crate) fn take(from: Source<'_>) -> Result<Incoming, Status> {
        Incoming::take_noting(from, &mut Received::default())
    }

    /// As `take`, and notes what was found also where it was not taken.
    #[inline(never)]
    pub(crate) fn take_noting(from: Source<'_>, found: &mut Received) -> Result<Incoming, Status> {
        if let Some(held) = event_loop::held(from) {
            return Ok(held);
        }
        let mut buffers = Buffers::take();
        buffers.handles.reserve(HANDLES_MIN);
        buffers.bytes.reserve(BUFFER_BYTES_MIN);
        loop {
            match sys::receive(from, &mut buffers.bytes, &mut buffers.handles, found) {
                Ok(()) => break,
                Err(Status::BufferTooSmall) => {
                    buffers.bytes.reserve(found.length as usize);
                    buffers.handles.reserve(found.capabilities as usize);
                }
                Err(status) => {
                    buffers.give_back();
                    return Err(status);
                }
            }
        }
        let kind = Kind::from_code(found.kind).unwrap_or(Kind::Data);
        Ok(Incoming { buffers, kind, port: found.port })
    }

    /// What it lies in is used for the next message, whatever its size.
    pub(crate) fn make_room(mut self) {
        self.release();
        SPARE.set(std::mem::take(&mut self.buffers));
    }

    fn release(&mut self) {
        for number in self.buffers.handles.drain(..) {
            if number != 0 {
                drop(Handle::own(number));
            }
        }
    }

    /// What an isolate finds that was born without a message.
    pub(crate) fn none() -> Incoming {
        Incoming { buffers: Buffers::default(), kind: Kind::Data, port: 0 }
    }

    /// The same message, for later.
    pub(crate) fn keep(mut self) -> Kept {
        let capabilities = std::mem::take(&mut self.buffers.handles);
        let counts = capabilities.iter().copied().map(Handle::own).collect();
        Kept { bytes: self.buffers.bytes.clone(), capabilities, _counts: counts }
    }

    pub(crate) fn decode<T: DeserializeOwned>(mut self) -> Result<T, Undecodable> {
        self.decode_here()
    }

    /// As `decode`, for a value that may borrow from this message.
    pub(crate) fn decode_here<'b, T: Deserialize<'b>>(&'b mut self) -> Result<T, Undecodable> {
        if self.kind == Kind::Error && value::is::<T>() {
            self.retell();
        }
        let port = self.port;
        let outer = ARRIVING.replace(std::mem::take(&mut self.buffers.handles));
        let Buffers { bytes, handles } = &mut self.buffers;
        let decoded = codec::decode(bytes);
        *handles = ARRIVING.replace(outer);
        let type_name = std::any::type_name::<T>();
        decoded.map_err(|error| Undecodable {
            type_name,
            port,
            position: error.position,
            too_deep: error.cause == Cause::TooDeep,
        })
    }

    /// An error notice on a port of any type says what it says as a [`Value`](crate::Value).
    #[cold]
    fn retell(&mut self) {
        self.buffers.bytes = insula_wire::value::retold(&self.buffers.bytes).unwrap_or_default();
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.release();
        self.buffers.give_back();
    }
}
