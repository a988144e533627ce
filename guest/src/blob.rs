//! Blobs: bytes that lie with the host and move with a send.

use insula_wire::{HandleKind, Status};
use serde::de::Deserializer;
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::error::Refused;
use crate::handle::Handle;
use crate::sys;

/// Bytes that are built once, move with a send whatever their length, and are taken out once (semantics 6.6).
///
/// Dart's `TransferableTypedData`. A blob is sent as a part of any message; once sent it is gone here, and a use of it
/// is an error.
///
/// ```no_run
/// # use insula_guest::{Blob, SendPort};
/// # fn worker(port: SendPort<Blob>) -> Result<(), Box<dyn std::error::Error>> {
/// let image = Blob::from_parts(&[b"P6 2 2 255\n", &[0; 12]])?;
/// port.send(image)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Blob {
    handle: Handle,
}

impl Blob {
    /// A blob of these bytes.
    ///
    /// # Errors
    /// When this isolate may hold no more bytes in blobs.
    pub fn new(bytes: &[u8]) -> Result<Blob, Refused> {
        Blob::from_parts(&[bytes])
    }

    /// A blob of these parts, one after another.
    ///
    /// # Errors
    /// When this isolate may hold no more bytes in blobs.
    pub fn from_parts(parts: &[&[u8]]) -> Result<Blob, Refused> {
        crate::report::install_hook();
        sys::blob(parts).map(|number| Blob { handle: Handle::own(number) }).map_err(Refused::by_host)
    }

    /// How many bytes.
    ///
    /// # Errors
    /// When the blob was sent.
    pub fn length(&self) -> Result<u64, Refused> {
        self.length_or_status().map_err(Refused::by_host)
    }

    fn length_or_status(&self) -> Result<u64, Status> {
        sys::result(|length| sys::blobs_length(self.handle.number(), length))
    }

    /// Copies bytes from `offset` on, until the buffer or the blob ends, and says how many.
    ///
    /// # Errors
    /// When the blob was sent.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Refused> {
        let read = sys::blob_read(self.handle.number(), offset, buffer).map_err(Refused::by_host)?;
        Ok(read as usize)
    }

    /// Takes all bytes out.
    ///
    /// # Errors
    /// When the blob was sent.
    pub fn into_bytes(self) -> Result<Vec<u8>, Refused> {
        let length = self.length()?;
        let length = usize::try_from(length).map_err(|_| Refused::by_host(Status::TooLarge))?;
        sys::blob_take(self.handle.number(), length).map_err(Refused::by_host)
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.handle.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Blob, D::Error> {
        Ok(Blob { handle: Handle::deserialize(deserializer, HandleKind::Blob)? })
    }
}
