//! The embedder's blobs.

use std::fmt;

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::port::{self, BlobCell, codec};
use crate::sync::{Arc, Mutex};

/// Bytes that are put together once, move with a send whatever their length, and are taken out once (semantics 6.6).
///
/// A blob is sent as a part of any message. Once the message was accepted it is gone here, and a use of it is an error;
/// a send that fails leaves it where it was.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::Blob;
/// let host = insula::Host::builder().isolates(1).build()?;
/// let port = host.receive_port::<Blob>();
/// let image = Blob::from_parts(&[b"P6 2 2 255\n", &[0; 12]]);
/// port.send_port().send_ref(&image)?;
/// assert!(image.into_bytes().is_err());
/// assert_eq!(port.recv()?.into_bytes()?.len(), 23);
/// # Ok(())
/// # }
/// ```
pub struct Blob(BlobCell);

/// The blob was taken or sent.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::{Blob, BlobError};
/// let host = insula::Host::builder().isolates(1).build()?;
/// let (port, blob) = (host.receive_port::<Blob>(), Blob::new(vec![1, 2, 3]));
/// port.send_port().send_ref(&blob)?;
/// assert_eq!(blob.length(), Err(BlobError));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the blob is gone: it was sent, or taken")]
pub struct BlobError;

impl Blob {
    /// A blob of these bytes, which are not copied.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Blob {
        Blob(Arc::new(Mutex::new(Some(port::Blob::new(bytes)))))
    }

    /// A blob of these parts, one after another.
    #[must_use]
    pub fn from_parts(parts: &[&[u8]]) -> Blob {
        Blob::new(parts.concat())
    }

    /// How many bytes.
    ///
    /// # Errors
    /// When the blob was sent.
    pub fn length(&self) -> Result<u64, BlobError> {
        self.0.lock().as_ref().map(|blob| blob.len()).ok_or(BlobError)
    }

    /// Copies bytes from `offset` on, until the buffer or the blob ends, and says how many.
    ///
    /// # Errors
    /// When the blob was sent.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, BlobError> {
        let blob = self.0.lock().clone().ok_or(BlobError)?;
        let rest = usize::try_from(offset).ok().and_then(|offset| blob.bytes().get(offset..)).unwrap_or_default();
        let copied = rest.len().min(buffer.len());
        buffer[..copied].copy_from_slice(&rest[..copied]);
        Ok(copied)
    }

    /// Takes all bytes out.
    ///
    /// # Errors
    /// When the blob was sent.
    pub fn into_bytes(self) -> Result<Vec<u8>, BlobError> {
        let blob = self.0.lock().take().ok_or(BlobError)?;
        Ok(blob.into_bytes())
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.length() {
            Ok(length) => write!(f, "Blob({length} bytes)"),
            Err(_) => f.write_str("Blob(gone)"),
        }
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let position = codec::attach_blob(&self.0);
        serializer.serialize_u8(position.ok_or_else(|| S::Error::custom("a blob is sent once, and in a message only"))?)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Blob, D::Error> {
        let cell = codec::detach_blob(u8::deserialize(deserializer)?);
        cell.map(Blob).ok_or_else(|| D::Error::custom("there is no blob at this position of the message"))
    }
}
