//! What a host and a child that compiles say to each other, over the child's standard input and output.
//!
//! The host: a head, which is a [`Request`], and the module. The child: a head, which is an [`Answer`], and, where it says
//! so, the code. A head begins with its own length, which is bounded, and whoever reads believes no other length before
//! so many bytes came.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::engine::Kind;

/// What a head begins with; a change of what follows changes it.
const MAGIC: &[u8; 17] = b"insula-compile-1\n";

/// Bytes of a head.
const HEAD_BYTES_MAX: u32 = 64 << 10;

/// Bytes of code that are taken from a child.
pub(super) const CODE_BYTES_MAX: u64 = 512 << 20;

/// The version of whoever speaks.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a child is to do.
#[derive(Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub(super) struct Request {
    pub(super) version: String,
    /// The digest of the engine that the code is for.
    pub(super) engine: [u8; 32],
    pub(super) kind: Kind,
    pub(super) memory_reservation_bytes: u64,
    /// Address space of the child.
    pub(super) memory_bytes_max: u64,
    pub(super) cpu_seconds_max: u64,
    /// Bytes of the module.
    pub(super) length: u64,
}

/// What a child found.
#[derive(Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub(super) enum Answer {
    /// So many bytes of code follow.
    Compiled { length: u64 },
    /// It is no module.
    NotWasm(String),
    /// The compiler does not take it.
    Compile(String),
    /// The child has another engine.
    OtherEngine { version: String },
    /// The child cannot bound itself.
    Unbounded(String),
}

/// Why a head cannot be read.
#[derive(Debug)]
pub(super) enum Broken {
    /// There is no more, or not all of it.
    Ended,
    /// It is something else.
    Garbage,
}

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Broken {
        Broken::Ended
    }
}

/// Writes a head.
pub(super) fn write(mut to: impl Write, head: &impl Serialize) -> io::Result<()> {
    let head = postcard::to_allocvec(head).map_err(io::Error::other)?;
    let length = u32::try_from(head.len()).ok().filter(|length| *length <= HEAD_BYTES_MAX);
    let length = length.ok_or(io::ErrorKind::InvalidInput)?;
    to.write_all(&[&MAGIC[..], &length.to_le_bytes(), &head].concat())
}

/// Reads a head.
pub(super) fn read<T: DeserializeOwned>(mut from: impl Read) -> Result<T, Broken> {
    let mut magic = [0; MAGIC.len()];
    // A byte at a time: who writes something else may write no more of it, and wait.
    for (at, byte) in magic.iter_mut().enumerate() {
        from.read_exact(std::slice::from_mut(byte))?;
        if *byte != MAGIC[at] {
            return Err(Broken::Garbage);
        }
    }
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length > HEAD_BYTES_MAX {
        return Err(Broken::Garbage);
    }
    let head = read_bytes(from, length.into())?;
    postcard::from_bytes(&head).map_err(|_| Broken::Garbage)
}

/// Reads so many bytes, and takes no more memory than came.
pub(super) fn read_bytes(from: impl Read, length: u64) -> Result<Vec<u8>, Broken> {
    let mut bytes = Vec::new();
    from.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(Broken::Ended) }
}

/// A text that surely fits into a head.
pub(super) fn short(mut text: String) -> String {
    const TEXT_BYTES_MAX: usize = 4 << 10;
    text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_comes_back_and_what_is_none_is_told_apart() {
        let mut bytes = Vec::new();
        write(&mut bytes, &Answer::Compile("why".to_owned())).unwrap();
        assert_eq!(read::<Answer>(&bytes[..]).unwrap(), Answer::Compile("why".to_owned()));
        for length in 0..bytes.len() {
            assert!(matches!(read::<Answer>(&bytes[..length]), Err(Broken::Ended)), "{length}");
        }
        for at in 0..MAGIC.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(matches!(read::<Answer>(&changed[..=at]), Err(Broken::Garbage)), "{at}");
        }
        let long = [&MAGIC[..], &u32::MAX.to_le_bytes()].concat();
        assert!(matches!(read::<Answer>(&long[..]), Err(Broken::Garbage)));
        let other = [&MAGIC[..], &1_u32.to_le_bytes(), &[99]].concat();
        assert!(matches!(read::<Answer>(&other[..]), Err(Broken::Garbage)));
        assert!(write(Vec::new(), &Answer::Compile("x".repeat(1 << 20))).is_err());
        assert_eq!(short("é".repeat(4 << 10)).len(), 4 << 10);
    }
}
