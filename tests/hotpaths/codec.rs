//! The codec by itself: what both ends of a port do to a message.

use std::hint::black_box;

use insula_wire::codec::{Error, decode, encode_into};
use serde::{Deserialize, Serialize};

/// A small typed message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    name: String,
    small: u32,
    negative: i32,
    large: u64,
}

impl Record {
    /// One whose integers take one, two and six bytes.
    #[must_use]
    pub fn example() -> Record {
        Record { name: "a small message".to_owned(), small: 7, negative: -1_000, large: 1 << 40 }
    }

    /// So many of them.
    #[must_use]
    pub fn examples(count: usize) -> Vec<Record> {
        vec![Record::example(); count]
    }
}

/// A step: a record is encoded into a buffer that is used again, and decoded.
pub fn record() -> impl FnMut() -> anyhow::Result<()> {
    let record = Record::example();
    let mut buffer = Vec::new();
    move || {
        encode(black_box(&record), &mut buffer)?;
        let back: Record = decode(black_box(&buffer))?;
        anyhow::ensure!(black_box(back).small == record.small);
        Ok(())
    }
}

/// Encodes into a buffer that is used again.
///
/// # Errors
/// The codec's.
pub fn encode<T: Serialize>(value: &T, buffer: &mut Vec<u8>) -> Result<(), Error> {
    buffer.clear();
    encode_into(value, buffer)
}
