//! How a value becomes the bytes of a message: postcard, into a buffer that is used again.
//!
//! Measured before the project began: a codec that allocates for each message costs a quarter of a round trip, so
//! [`encode_into`] appends to the caller's buffer.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// A value that could not be encoded, or bytes that are not such a value.
pub type Error = postcard::Error;

/// Appends `value` to `buffer`.
///
/// # Errors
/// When the value refuses to be serialised; the buffer then holds a part of it.
pub fn encode_into<T: Serialize + ?Sized>(value: &T, buffer: &mut Vec<u8>) -> Result<(), Error> {
    struct Append<'a>(&'a mut Vec<u8>);
    impl postcard::ser_flavors::Flavor for Append<'_> {
        type Output = ();

        fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
            self.0.extend_from_slice(bytes);
            Ok(())
        }

        fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
            self.0.push(byte);
            Ok(())
        }

        fn finalize(self) -> postcard::Result<()> {
            Ok(())
        }
    }
    postcard::serialize_with_flavor(value, Append(buffer))
}

/// The value that `bytes` encode, all of them.
///
/// # Errors
/// When the bytes are not a `T`, or go on after it.
pub fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Error> {
    match postcard::take_from_bytes(bytes)? {
        (value, []) => Ok(value),
        (_, _) => Err(Error::DeserializeBadEncoding),
    }
}

/// The value that `bytes` begin with, and the bytes after it.
///
/// # Errors
/// When the bytes do not begin with a `T`.
pub fn decode_front<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<(T, &'a [u8]), Error> {
    postcard::take_from_bytes(bytes)
}

/// The schema of a type: a number that two ends of a port compare, never 0.
///
/// It is taken from the type's name without the paths in front, so that two modules which declare the same message
/// agree. It tells mistakes apart, not attackers.
#[must_use]
pub fn schema<T: ?Sized>() -> u64 {
    hash(core::any::type_name::<T>().as_bytes())
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
mod tests {
    use alloc::{string::String, vec, vec::Vec};

    use super::*;

    mod elsewhere {
        pub(super) struct Job;
    }
    struct Job;

    #[test]
    fn what_is_encoded_decodes() {
        let mut buffer = vec![7];
        encode_into(&(1_u32, "two", [3.0_f64]), &mut buffer).unwrap();
        let (one, two, three): (u32, String, [f64; 1]) = decode(&buffer[1..]).unwrap();
        assert_eq!((one, two.as_str(), three), (1, "two", [3.0]));
    }

    #[test]
    fn trailing_bytes_are_no_value() {
        assert!(decode::<u8>(&[1, 2]).is_err());
        assert!(decode::<u32>(&[0x80]).is_err());
        assert_eq!(decode_front::<u8>(&[1, 2]), Ok((1, &[2][..])));
    }

    #[test]
    fn schemas_differ_by_type_and_not_by_path() {
        assert_eq!(schema::<Job>(), schema::<elsewhere::Job>());
        assert_eq!(schema::<Vec<Job>>(), schema::<Vec<elsewhere::Job>>());
        assert_ne!(schema::<Vec<Job>>(), schema::<Option<Job>>());
        assert_ne!(schema::<u32>(), schema::<u64>());
        assert_ne!(schema::<(u8, u16)>(), schema::<(u16, u8)>());
    }
}
