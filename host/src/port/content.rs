//! The bytes of a message: those of a small one lie where the message lies.
//!
//! Most messages are some numbers and a name. Without a piece of memory of their own they cost neither the allocator's
//! time nor its overhead, which for 16 bytes is as much again.

use std::ops::Deref;

/// Bytes that are kept in place: the whole is four words then.
const SHORT_MAX: usize = 30;

/// The bytes of a message.
#[derive(Clone)]
pub(crate) enum Bytes {
    /// The first so many of these.
    Short {
        length: u8,
        bytes: [u8; SHORT_MAX],
    },
    Long(Vec<u8>),
}

impl Bytes {
    /// A copy of a few bytes. None where they are too many to be kept in place.
    pub(crate) fn short(from: &[u8]) -> Option<Bytes> {
        let mut bytes = [0; SHORT_MAX];
        bytes.get_mut(..from.len())?.copy_from_slice(from);
        Some(Bytes::Short { length: from.len() as u8, bytes })
    }

    /// A copy of these bytes.
    pub(crate) fn copy(from: &[u8]) -> Bytes {
        Bytes::short(from).unwrap_or_else(|| Bytes::Long(from.to_vec()))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Short { length, bytes } => &bytes[..usize::from(*length)],
            Bytes::Long(bytes) => bytes,
        }
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Bytes {
        Bytes::short(&bytes).unwrap_or(Bytes::Long(bytes))
    }
}

impl From<&str> for Bytes {
    fn from(text: &str) -> Bytes {
        Bytes::copy(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_every_length_come_out_as_they_went_in() {
        for length in 0..100_u8 {
            let bytes: Vec<u8> = (0..length).collect();
            for made in [Bytes::copy(&bytes), Bytes::from(bytes.clone())] {
                assert_eq!(*made, *bytes);
                assert_eq!(matches!(made, Bytes::Short { .. }), bytes.len() <= SHORT_MAX);
            }
        }
        assert_eq!(size_of::<Bytes>(), 32);
    }
}
