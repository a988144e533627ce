//! The bytes of large messages, kept for the next ones.
//!
//! Memory that is allocated anew for each of them costs more than the copy: the allocator gives large pieces back to the
//! system, and the kernel fills every page of the next one with zeros. What is kept is bounded, and belongs to all hosts
//! of the process; nobody reads what was in it, since a buffer is handed out empty.

use crate::port::Bytes;
use crate::sync::Mutex;

/// A smaller message is the allocator's affair, which is good at that.
const LENGTH_MIN: usize = 16 << 10;

/// Bytes that are kept at most.
const KEPT_BYTES_MAX: usize = 16 << 20;

/// How many buffers of about the right length are looked at.
const LOOKS_MAX: usize = 8;

/// Lengths by their highest bit.
const CLASSES: usize = usize::BITS as usize;

struct Kept {
    classes: [Vec<Vec<u8>>; CLASSES],
    bytes: usize,
}

static KEPT: Mutex<Kept> = Mutex::new(Kept { classes: [const { Vec::new() }; CLASSES], bytes: 0 });

/// A copy of a message's bytes.
pub(super) fn copy(bytes: &[u8]) -> Bytes {
    if bytes.len() < LENGTH_MIN {
        return Bytes::copy(bytes);
    }
    let mut copy = KEPT.lock().take(bytes.len()).unwrap_or_else(|| Vec::with_capacity(bytes.len()));
    copy.extend_from_slice(bytes);
    Bytes::Long(copy)
}

/// The bytes of a message that was received are not needed any more.
pub(super) fn give_back(bytes: Bytes) {
    if let Bytes::Long(bytes) = bytes
        && bytes.capacity() >= LENGTH_MIN
    {
        let left = KEPT.lock().keep(bytes);
        drop(left);
    }
}

impl Kept {
    /// A buffer for so many bytes, and not for many more: its message is charged for what it has.
    fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        let class = &mut self.classes[class(length)];
        let fits = |buffer: &Vec<u8>| (length..=length + length / 8).contains(&buffer.capacity());
        let looks = class.len().min(LOOKS_MAX);
        let from = class.len() - looks;
        let found = from + class[from..].iter().rposition(fits)?;
        let buffer = class.swap_remove(found);
        self.bytes -= buffer.capacity();
        Some(buffer)
    }

    /// Keeps a buffer, or hands it back where enough is kept.
    fn keep(&mut self, mut buffer: Vec<u8>) -> Option<Vec<u8>> {
        if self.bytes + buffer.capacity() > KEPT_BYTES_MAX {
            return Some(buffer);
        }
        buffer.clear();
        self.bytes += buffer.capacity();
        self.classes[class(buffer.capacity())].push(buffer);
        None
    }
}

fn class(length: usize) -> usize {
    length.ilog2() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none() -> Kept {
        Kept { classes: [const { Vec::new() }; CLASSES], bytes: 0 }
    }

    #[test]
    fn a_buffer_serves_again_where_it_fits_and_comes_empty() {
        let mut kept = none();
        assert!(kept.keep(vec![7; 100_000]).is_none());
        assert!(kept.take(70_000).is_none(), "its message would hold more than it is charged for");
        assert!(kept.take(100_001).is_none());
        let again = kept.take(95_000).expect("one is kept");
        assert!(again.is_empty() && again.capacity() >= 95_000);
        assert_eq!(kept.bytes, 0);
    }

    #[test]
    fn no_more_is_kept_than_the_bound() {
        let mut kept = none();
        let handed_back = (0..100).filter(|_| kept.keep(Vec::with_capacity(1 << 20)).is_some()).count();
        assert_eq!((handed_back, kept.bytes), (84, KEPT_BYTES_MAX));
    }
}
