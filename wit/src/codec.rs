//! How a value becomes the bytes of a message: postcard, into a buffer that is used again, to a bounded depth.
//!
//! Measured before the project began: a codec that allocates for each message costs a quarter of a round trip, so
//! [`encode_into`] appends to the caller's buffer. Both directions refuse what is nested deeper than [`DEPTH_MAX`].

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

mod decode;
mod encode;
mod error;
mod key;
mod level;

pub use error::{Cause, Error, Unsendable};
use level::Level;
pub use level::{DEPTH_MAX, TOO_DEEP};

/// Appends `value` to `buffer`.
///
/// # Errors
/// When the value refuses to be serialised, or is nested too deep; the buffer then holds a part of it.
#[inline]
pub fn encode_into<T: Serialize + ?Sized>(value: &T, buffer: &mut Vec<u8>) -> Result<(), Error> {
    let start = buffer.len();
    let encoded = value.serialize(&mut encode::Encoder::new(buffer));
    encoded.map_err(|cause| Error { cause, position: buffer.len() - start })
}

/// The value that `bytes` encode, all of them.
///
/// # Errors
/// When the bytes are not a `T`, are nested too deep, or go on after it.
#[inline]
pub fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Error> {
    match decode_front(bytes)? {
        (value, []) => Ok(value),
        (_, rest) => {
            let cause = Cause::Encoding(postcard::Error::DeserializeBadEncoding);
            Err(Error { cause, position: bytes.len() - rest.len() })
        }
    }
}

/// The value that `bytes` begin with, and the bytes after it.
///
/// # Errors
/// When the bytes do not begin with a `T`, or it is nested too deep.
#[inline]
pub fn decode_front<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<(T, &'a [u8]), Error> {
    let mut decoder = decode::Decoder::new(bytes);
    let decoded = T::deserialize(&mut decoder);
    let rest = decoder.rest();
    decoded.map(|value| (value, rest)).map_err(|cause| Error { cause, position: bytes.len() - rest.len() })
}

/// The schema of a type: a number that two ends of a port compare, never 0.
///
/// It is taken from the type's name without the paths in front, so that two modules which declare the same message
/// agree. It tells mistakes apart, not attackers.
#[must_use]
pub fn schema<T: ?Sized>() -> u64 {
    schema_of(core::any::type_name::<T>())
}

/// As [`schema`], of a type of this name.
#[must_use]
pub fn schema_of(name: &str) -> u64 {
    hash(name.as_bytes())
}

/// Fowler, Noll and Vo's hash, of the last word of each path. Not generic, so that a guest has it once.
#[inline(never)]
fn hash(name: &[u8]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let mut hash = OFFSET;
    let mut segment = 0;
    for at in 0..=name.len() {
        let part_of_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        if name.get(at).is_some_and(part_of_word) {
            continue;
        }
        if name.get(at) != Some(&b':') {
            for byte in &name[segment..name.len().min(at + 1)] {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
            }
        }
        segment = at + 1;
    }
    hash.max(1)
}

#[cfg(test)]
mod tests;
