//! Hashing of numbers that the host itself gives: of isolates, ports and capabilities.
//!
//! Nobody outside can choose such numbers so that they collide, so they need no keyed hash, which costs a spawn more than
//! all of its tables do.

use std::hash::{BuildHasherDefault, Hasher};

/// A map whose keys are the host's numbers.
pub(crate) type NumberMap<K, V> = std::collections::HashMap<K, V, BuildHasherDefault<NumberHasher>>;

/// Spreads numbers over a table.
#[derive(Default)]
pub(crate) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        self.0 = (self.0 ^ number).wrapping_mul(SPREAD).rotate_left(29);
    }
}
