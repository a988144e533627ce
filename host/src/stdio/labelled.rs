//! A guest's output as whole lines, each behind the name of who printed it.
//!
//! What has no end yet is held back, 4 KiB of it at most, so that lines of many isolates do not run into each other. Here
//! text is ours, since the label is: whatever could make a reader take it for somebody else's is shown escaped.

use std::io;

use bytes::Bytes;

use super::queue::Queue;
use crate::exit::IsolateId;
use crate::printable::printable_line;
use crate::sync::{Arc, Mutex};

/// A line that is longer is broken.
const LINE_BYTES_MAX: usize = 4 << 10;

/// Characters of a name that a label shows.
const NAME_CHARS_MAX: usize = 64;

/// Bytes of labelled lines from which on they are written, before more are labelled.
const BLOCK_BYTES: usize = 4 << 10;

/// The lines of one isolate, on their way to a descriptor.
pub(crate) struct Lines {
    queue: Arc<Queue>,
    label: String,
    /// What was printed and is not queued yet.
    pending: Mutex<Vec<u8>>,
}

impl Lines {
    /// Lines of nobody yet.
    pub(super) fn unnamed(queue: &Arc<Queue>) -> Lines {
        Lines { queue: Arc::clone(queue), label: String::new(), pending: Mutex::new(Vec::new()) }
    }

    /// Lines to the same place, of this isolate.
    pub(super) fn named(&self, name: &str, isolate: IsolateId) -> Lines {
        let name: String = name.chars().take(NAME_CHARS_MAX).collect();
        let label = format!("[{} {isolate}] ", printable_line(&name));
        Lines { queue: Arc::clone(&self.queue), label, pending: Mutex::new(Vec::new()) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.lock().is_empty()
    }

    /// Takes bytes, and queues the lines that they complete; waits for room.
    pub(super) async fn write(&self, bytes: &[u8]) -> io::Result<()> {
        self.pending.lock().extend_from_slice(bytes);
        self.write_out(false).await
    }

    /// Queues what is left, with an end.
    pub(crate) async fn finish(self: Arc<Lines>) {
        // A reader that is gone is no fault of whoever ends.
        drop(self.write_out(true).await);
    }

    /// As finish, where there is room at once.
    pub(crate) fn try_finish(&self) {
        drop(self.try_write_out(true));
    }

    async fn write_out(&self, all: bool) -> io::Result<()> {
        while let Some((block, taken)) = self.block(all) {
            let written = self.queue.write(block).await;
            self.done(taken, &written);
            written?;
        }
        Ok(())
    }

    /// As write, where there is room at once.
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<()> {
        self.pending.lock().extend_from_slice(bytes);
        self.try_write_out(false)
    }

    fn try_write_out(&self, all: bool) -> io::Result<()> {
        while let Some((block, taken)) = self.block(all) {
            let written = self.queue.try_write(block);
            self.done(taken, &written);
            written?;
        }
        Ok(())
    }

    /// What was taken is queued; or nothing can be any more, and all is forgotten.
    fn done(&self, taken: usize, written: &io::Result<()>) {
        let mut pending = self.pending.lock();
        let taken = if written.is_ok() { taken } else { pending.len() };
        pending.drain(..taken);
    }

    /// The next lines with their labels, and how many of the pending bytes they are.
    fn block(&self, all: bool) -> Option<(Bytes, usize)> {
        let pending = self.pending.lock();
        let (mut block, mut taken) = (String::new(), 0);
        while block.len() < BLOCK_BYTES
            && let Some(line) = line_of(&pending[taken..], all)
        {
            taken += line.len();
            let text = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(line));
            let text = text.strip_suffix('\r').unwrap_or(&text);
            // Tabs stay: they move on within their line.
            let shown: Vec<_> = text.split('\t').map(printable_line).collect();
            block.extend([&self.label, &shown.join("\t"), "\n"]);
        }
        (taken > 0).then(|| (block.into(), taken))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        // Of one that was killed where it waited.
        self.try_finish();
    }
}

/// The first line, its end included; or what is too long for one; or, if that is `all`, the rest.
fn line_of(bytes: &[u8], all: bool) -> Option<&[u8]> {
    let whole = bytes.iter().take(LINE_BYTES_MAX + 1).position(|byte| *byte == b'\n').map(|end| end + 1);
    // What comes next says whether it is longer, and whether a character goes on there.
    let broken = (bytes.len() > LINE_BYTES_MAX).then(|| start_of_character(bytes, LINE_BYTES_MAX));
    let rest = (all && !bytes.is_empty()).then_some(bytes.len());
    whole.or(broken).or(rest).map(|end| &bytes[..end])
}

/// The last place, at most `end`, that does not cut a character of UTF-8.
fn start_of_character(bytes: &[u8], end: usize) -> usize {
    let inside = |at: &usize| bytes.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80);
    (end.saturating_sub(3)..=end).rev().find(|at| !inside(at)).unwrap_or(end)
}
