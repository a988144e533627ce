//! Lines of the embedder's on standard error, where guests print as well.

use std::io::{self, Write};

use bytes::Bytes;

use super::standard;

/// The process's standard error, for lines of the embedder's beside what guests print there: its logs.
///
/// What is written at once is a line, or several, and stays whole. It appears in its turn, after what was printed before it
/// and before what comes later, and begins where a line begins: one that a guest left unfinished is ended first. Writing
/// holds nobody up, whoever reads: up to 1 MiB is kept that nobody read yet, and beyond that a write is an error of the kind
/// [`WouldBlock`](io::ErrorKind::WouldBlock), and its lines are lost. To flush it takes until all is read. What must not be
/// lost goes by [`StderrLines::write_waiting`].
///
/// ```
/// use std::io::Write;
/// let mut lines = insula::StderrLines::new();
/// writeln!(lines, "3 plugins loaded")?;
/// lines.flush()?;
/// # std::io::Result::Ok(())
/// ```
///
/// A subscriber of tracing-subscriber's writes there by `with_writer(insula::StderrLines::new)`.
#[derive(Clone, Copy, Debug, Default)]
pub struct StderrLines(());

impl StderrLines {
    /// That of the process; there is one.
    #[must_use]
    pub fn new() -> StderrLines {
        StderrLines(())
    }

    /// Writes what must not be lost, of any length: blocks until all that was written before is read, and leaves this to be
    /// read next. A [`flush`](Write::flush) after it waits for that too.
    ///
    /// ```
    /// use std::io::Write;
    /// let mut lines = insula::StderrLines::new();
    /// lines.write_waiting(b"the last word\n")?;
    /// lines.flush()?;
    /// # std::io::Result::Ok(())
    /// ```
    ///
    /// # Errors
    /// That of the system, where nothing can be written there any more.
    pub fn write_waiting(&mut self, lines: &[u8]) -> io::Result<()> {
        let standard_error = &standard().1;
        standard_error.drain(None);
        standard_error.put_line_anyway(ended(lines))
    }
}

impl Write for StderrLines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        standard().1.put_line(ended(bytes)).map(|()| bytes.len())
    }

    fn write_fmt(&mut self, text: std::fmt::Arguments<'_>) -> io::Result<()> {
        self.write_all(text.to_string().as_bytes())
    }

    fn flush(&mut self) -> io::Result<()> {
        standard().1.drain(None);
        Ok(())
    }
}

/// With the end of its last line, which may be missing.
fn ended(lines: &[u8]) -> Bytes {
    let is_ended = lines.last().is_none_or(|last| *last == b'\n');
    if is_ended { Bytes::copy_from_slice(lines) } else { [lines, b"\n"].concat().into() }
}
