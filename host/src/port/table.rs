//! The numbers by which one guest names what it holds.
//!
//! A handle is 20 bits of index and 12 of generation (semantics 3.5). The same object received twice is the same
//! handle, counted. A number that was freed is a status for ever after, never another object: its generation moves on,
//! and a slot whose generation would wrap is retired.

use insula_wire::{HandleKind, Status};

use super::{Attachment, Blob, CapabilityId, ControlRef, Message, Port, SendRight};
use crate::account::{Account, Charge};
use crate::hash::NumberMap;
use crate::sync::Arc;
use crate::warning::{Alarm, Watched};

const INDEX_BITS: u32 = 20;
const INDEX_MAX: u32 = (1 << INDEX_BITS) - 1;
const GENERATION_MAX: u32 = (1 << (32 - INDEX_BITS)) - 1;

/// What a handle can name.
pub(crate) enum Object {
    /// The receiving end of a port of this isolate.
    Receive(Arc<Port>),
    /// A SendPort of this isolate's own port: it does not count as a holder.
    Own(Arc<Port>),
    /// A SendPort of somebody else's port.
    Send(SendRight),
    /// A token.
    Capability(CapabilityId),
    /// The control port of an isolate.
    Control(ControlRef),
    /// Bytes that can be taken or sent, once.
    Blob(Arc<Blob>),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key(u32, u64);

impl Object {
    /// Its kind, as a guest may ask for it.
    pub(crate) fn kind(&self) -> HandleKind {
        match self {
            Object::Receive(_) => HandleKind::ReceivePort,
            Object::Own(_) | Object::Send(_) => HandleKind::SendPort,
            Object::Capability(_) => HandleKind::Capability,
            Object::Control(_) => HandleKind::Control,
            Object::Blob(_) => HandleKind::Blob,
        }
    }

    fn key(&self) -> Key {
        let id = match self {
            Object::Receive(port) | Object::Own(port) => port.id(),
            Object::Send(right) => right.port().id(),
            Object::Capability(id) => id.0,
            Object::Control(control) => control.id.0,
            Object::Blob(blob) => blob.key(),
        };
        Key(self.kind().code(), id)
    }

    /// Bytes that whoever holds it is charged for.
    fn blob_bytes(&self) -> u64 {
        match self {
            Object::Blob(blob) => blob.len(),
            Object::Receive(_) | Object::Own(_) | Object::Send(_) | Object::Capability(_) | Object::Control(_) => 0,
        }
    }
}

#[derive(Default)]
struct Entry {
    object: Option<Object>,
    count: u32,
    generation: u32,
}

/// The table of one isolate.
pub(crate) struct Table {
    entries: Vec<Entry>,
    free: Vec<u32>,
    known: NumberMap<Key, u32>,
    handles_max: u32,
    blob_bytes: u64,
    blob_bytes_max: u64,
    account: Option<Arc<Account>>,
    alarm: Option<Arc<Alarm>>,
}

impl Table {
    /// An empty table that never holds more than `handles_max` objects, and blobs of more than `blob_bytes_max` bytes.
    pub(crate) fn new(handles_max: u64, blob_bytes_max: u64) -> Table {
        let handles_max = u32::try_from(handles_max).unwrap_or(INDEX_MAX).min(INDEX_MAX);
        let (entries, free, known) = (Vec::new(), Vec::new(), NumberMap::default());
        Table { entries, free, known, handles_max, blob_bytes: 0, blob_bytes_max, account: None, alarm: None }
    }

    /// The same, with blobs charged to this account too.
    pub(crate) fn charging(self, account: Option<&Arc<Account>>) -> Table {
        Table { account: account.cloned(), ..self }
    }

    /// The same, with somebody who is shown how full it is.
    pub(crate) fn watched_by(self, alarm: Option<&Arc<Alarm>>) -> Table {
        Table { alarm: alarm.cloned(), ..self }
    }

    /// Whether `count` objects fit, be they all new. Slots that can be used again count as room.
    pub(crate) fn has_room(&self, count: usize) -> bool {
        let unused = (INDEX_MAX as usize).saturating_sub(self.entries.len()) + self.free.len();
        count <= unused && self.known.len() + count <= self.handles_max as usize
    }

    /// Whether blobs of so many bytes in all can be held beside those that are.
    pub(crate) fn has_room_for_blobs(&self, bytes: u64) -> bool {
        self.blob_bytes.saturating_add(bytes) <= self.blob_bytes_max
            && self.account.as_ref().is_none_or(|account| account.has_room(Charge::Memory, bytes))
    }

    /// Whether all that a message carries fits.
    pub(crate) fn has_room_for(&self, message: &Message) -> bool {
        message.attachments.is_empty()
            || (self.has_room(message.attachments.len()) && self.has_room_for_blobs(message.blob_bytes()))
    }

    /// A handle for the object: the one it has, counted once more, or a new one.
    ///
    /// # Errors
    /// `TooMany`, with the object dropped by the caller's leave, where the table is full.
    pub(crate) fn insert(&mut self, object: Object) -> Result<u32, Status> {
        let key = object.key();
        if let Some(index) = self.known.get(&key).copied() {
            let entry = &mut self.entries[index as usize - 1];
            entry.count = entry.count.checked_add(1).ok_or(Status::TooMany)?;
            return Ok(handle(index, entry.generation));
        }
        let blob_bytes = object.blob_bytes();
        // The accounts above were looked at before, and others may have charged them since.
        if !self.has_room(1) || self.blob_bytes.saturating_add(blob_bytes) > self.blob_bytes_max {
            return Err(Status::TooMany);
        }
        self.hold(blob_bytes);
        let index = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry::default());
            self.entries.len() as u32
        });
        let entry = &mut self.entries[index as usize - 1];
        (entry.object, entry.count) = (Some(object), 1);
        let handle = handle(index, entry.generation);
        self.known.insert(key, index);
        if let Some(alarm) = &self.alarm {
            alarm.look(Watched::Handles, self.known.len() as u64, self.handles_max.into());
            alarm.look(Watched::BlobBytes, self.blob_bytes, self.blob_bytes_max);
        }
        Ok(handle)
    }

    /// What the handle names.
    ///
    /// # Errors
    /// `BadHandle` for a number that is not in the table.
    pub(crate) fn find(&self, handle: u32) -> Result<&Object, Status> {
        let (index, generation) = (handle & INDEX_MAX, handle >> INDEX_BITS);
        let entry = index.checked_sub(1).and_then(|at| self.entries.get(at as usize));
        let entry = entry.filter(|entry| entry.generation == generation);
        entry.and_then(|entry| entry.object.as_ref()).ok_or(Status::BadHandle)
    }

    /// The handle of a receive port of this isolate.
    pub(crate) fn handle_of_receive(&self, port: &Arc<Port>) -> Option<u32> {
        let index = *self.known.get(&Key(HandleKind::ReceivePort.code(), port.id()))?;
        Some(handle(index, self.entries[index as usize - 1].generation))
    }

    /// Counts one more.
    ///
    /// # Errors
    /// `BadHandle`; `TooMany` where the count would wrap.
    pub(crate) fn duplicate(&mut self, handle: u32) -> Result<(), Status> {
        self.find(handle)?;
        let entry = &mut self.entries[(handle & INDEX_MAX) as usize - 1];
        entry.count = entry.count.checked_add(1).ok_or(Status::TooMany)?;
        Ok(())
    }

    /// Counts one less. The object comes out when it was the last, to be dropped where no lock is held.
    ///
    /// # Errors
    /// `BadHandle`.
    pub(crate) fn release(&mut self, handle: u32) -> Result<Option<Object>, Status> {
        self.find(handle)?;
        let index = handle & INDEX_MAX;
        let entry = &mut self.entries[index as usize - 1];
        entry.count -= 1;
        if entry.count > 0 {
            return Ok(None);
        }
        Ok(self.vacate(index))
    }

    /// Takes a blob out, however often it was counted: its number means nothing any more.
    ///
    /// # Errors
    /// `BadHandle`; `WrongKind` for what is no blob.
    pub(crate) fn take_blob(&mut self, handle: u32) -> Result<Arc<Blob>, Status> {
        match self.find(handle)? {
            Object::Blob(blob) => {
                let blob = Arc::clone(blob);
                drop(self.vacate(handle & INDEX_MAX));
                Ok(blob)
            }
            Object::Receive(_) | Object::Own(_) | Object::Send(_) | Object::Capability(_) | Object::Control(_) => {
                Err(Status::WrongKind)
            }
        }
    }

    /// The blobs that a message carried are its receiver's now.
    pub(crate) fn moved(&mut self, blobs: &[Arc<Blob>]) {
        for blob in blobs {
            if let Some(index) = self.known.get(&Key(HandleKind::Blob.code(), blob.key())).copied() {
                drop(self.vacate(index));
            }
        }
    }

    /// Empties a slot for good, or until its next generation.
    fn vacate(&mut self, index: u32) -> Option<Object> {
        let entry = &mut self.entries[index as usize - 1];
        let object = entry.object.take()?;
        if entry.generation < GENERATION_MAX {
            entry.generation += 1;
            self.free.push(index);
        }
        self.known.remove(&object.key());
        self.let_go(object.blob_bytes());
        Some(object)
    }

    fn hold(&mut self, blob_bytes: u64) {
        self.blob_bytes += blob_bytes;
        if let Some(account) = self.account.as_ref().filter(|_| blob_bytes > 0) {
            account.charge_in_any_case(Charge::Memory, blob_bytes);
        }
    }

    fn let_go(&mut self, blob_bytes: u64) {
        self.blob_bytes -= blob_bytes;
        if let Some(account) = self.account.as_ref().filter(|_| blob_bytes > 0) {
            account.credit(Charge::Memory, blob_bytes);
        }
    }

    /// Everything, to be dropped where no lock is held.
    #[must_use = "the objects are released by the caller"]
    pub(crate) fn clear(&mut self) -> Vec<Object> {
        // With their memory: whoever holds a handle of the dead keeps the table too.
        (self.known, self.free) = (NumberMap::default(), Vec::new());
        let entries = std::mem::take(&mut self.entries);
        self.let_go(self.blob_bytes);
        (self.handles_max, self.blob_bytes_max) = (0, 0);
        entries.into_iter().filter_map(|entry| entry.object).collect()
    }

    /// How many objects it holds.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// Bytes of the blobs that it holds.
    pub(crate) fn blob_bytes(&self) -> u64 {
        self.blob_bytes
    }

    /// What travels in a message for this handle.
    ///
    /// # Errors
    /// `BadHandle`; `Unsendable` for a receive port.
    pub(crate) fn attach(&self, handle: u32) -> Result<Attachment, Status> {
        match self.find(handle)? {
            Object::Receive(_) => Err(Status::Unsendable),
            Object::Own(port) => Ok(Attachment::Send(SendRight::new(port))),
            Object::Send(right) => Ok(Attachment::Send(right.clone())),
            Object::Capability(id) => Ok(Attachment::Capability(*id)),
            Object::Control(control) => Ok(Attachment::Control(control.clone())),
            Object::Blob(blob) => Ok(Attachment::Blob(Arc::clone(blob))),
        }
    }
}

const fn handle(index: u32, generation: u32) -> u32 {
    (generation << INDEX_BITS) | index
}

#[cfg(test)]
mod tests;
