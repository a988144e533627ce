//! Blobs: bytes that move with a message, whatever their length (semantics 6.6).

use crate::sync::{Arc, Mutex};

/// Bytes that were put together once. They never change, and whoever holds the blob is charged for them.
pub(crate) struct Blob(Vec<u8>);

impl Blob {
    /// A blob of these bytes.
    pub(crate) fn new(bytes: Vec<u8>) -> Arc<Blob> {
        Arc::new(Blob(bytes))
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// What tells this blob from every other that lives.
    pub(super) fn key(self: &Arc<Blob>) -> u64 {
        Arc::as_ptr(self) as usize as u64
    }

    /// The bytes themselves where nobody else holds the blob, else a copy.
    pub(crate) fn into_bytes(self: Arc<Blob>) -> Vec<u8> {
        Arc::try_unwrap(self).map_or_else(|shared| shared.0.clone(), |blob| blob.0)
    }
}

/// A place of the embedder's that a blob may be in: empty after it was taken or sent.
pub(crate) type BlobCell = Arc<Mutex<Option<Arc<Blob>>>>;

/// Blobs on their way out of an embedder's cells. Dropped, it puts them back; [`Claims::settle`] leaves them gone.
#[derive(Default)]
pub(crate) struct Claims(Vec<(BlobCell, Arc<Blob>)>);

impl Claims {
    /// Takes the blob out of each cell. Nothing is taken if one of them is empty.
    pub(crate) fn take(cells: &[BlobCell]) -> Option<Claims> {
        let mut claims = Claims::default();
        for cell in cells {
            let again = claims.0.iter().any(|(claimed, _)| Arc::ptr_eq(claimed, cell));
            if !again {
                let blob = cell.lock().take()?;
                claims.0.push((Arc::clone(cell), blob));
            }
        }
        Some(claims)
    }

    /// The message was accepted: the blobs are its receiver's.
    pub(crate) fn settle(mut self) {
        self.0.clear();
    }
}

impl Drop for Claims {
    fn drop(&mut self) {
        for (cell, blob) in self.0.drain(..) {
            *cell.lock() = Some(blob);
        }
    }
}
