//! A guest's standard input, output and error, as streams of ours.
//!
//! wasmtime-wasi's own write to the descriptor on the thread that polls the guest: one reader that stalls would hold a
//! worker, and with it other isolates, for good. Ours queue what is written ([`Sink`]); a thread for each descriptor
//! writes it out, and a guest that finds the queue full waits as it waits for anything else. What one call of a guest
//! writes, up to 4 KiB, stays in one piece, and what was written first appears first, also across output and error.
//!
//! - `queue`: a descriptor that many isolates write to.
//! - `input`: the one standard input that many isolates read.
//! - [`Tail`]: the last that a guest wrote, for whoever asks how it ended.
//!
//! A guest's bytes pass as they are: what it prints is its own, and escaping is for text that we print
//! (`printable.rs`).

mod input;
mod queue;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use crate::sync::{Arc, Mutex};
pub(crate) use input::{Input, StdinReady};
use queue::Queue;

/// What a [`Tail`] keeps unless it is told otherwise (semantics 7.3).
const TAIL_BYTES: usize = 4 << 10;

/// What a caller of `check_write` may write at once, at most.
const WHOLE_BYTES: usize = 4 << 10;

/// Where a guest's output goes. Cheap to clone; isolates share it.
#[derive(Clone)]
pub(crate) struct Sink {
    queue: Option<Arc<Queue>>,
    tail: Option<Arc<Tail>>,
}

impl Sink {
    /// The process's standard output.
    pub(crate) fn stdout() -> Sink {
        Sink::to(&standard().0)
    }

    /// The process's standard error.
    pub(crate) fn stderr() -> Sink {
        Sink::to(&standard().1)
    }

    /// Nowhere.
    pub(crate) fn null() -> Sink {
        Sink { queue: None, tail: None }
    }

    /// The same, and the last of it is kept. Nowhere and a large tail captures.
    pub(crate) fn with_tail(self, tail: Arc<Tail>) -> Sink {
        Sink { tail: Some(tail), ..self }
    }

    /// Blocks until all that was written so far is out, or nobody can read it any more.
    pub(crate) fn drain(&self) {
        if let Some(queue) = &self.queue {
            queue.drain(None);
        }
    }

    /// As [`Sink::drain`], but a reader that stalls is not waited for longer than `patience`. False: it did.
    pub(crate) fn drain_for(&self, patience: std::time::Duration) -> bool {
        self.queue.as_ref().is_none_or(|queue| queue.drain(Some(patience)))
    }

    fn to(queue: &Arc<Queue>) -> Sink {
        Sink { queue: Some(Arc::clone(queue)), tail: None }
    }
}

/// The queues of standard output and error, one for all hosts of the process.
fn standard() -> &'static (Arc<Queue>, Arc<Queue>) {
    static STANDARD: OnceLock<(Arc<Queue>, Arc<Queue>)> = OnceLock::new();
    STANDARD.get_or_init(|| {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let terminals = (io::IsTerminal::is_terminal(&stdout), io::IsTerminal::is_terminal(&stderr));
        let stdout = Queue::new("insula-stdout", terminals.0, Box::new(stdout));
        let stderr = Queue::new("insula-stderr", terminals.1, Box::new(stderr));
        Queue::pair(&stdout, &stderr);
        (stdout, stderr)
    })
}

/// The last bytes that were written somewhere, and how many came before.
#[derive(Debug)]
pub(crate) struct Tail {
    bytes_max: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    bytes: VecDeque<u8>,
    cut: u64,
}

impl Default for Tail {
    fn default() -> Tail {
        Tail::new(TAIL_BYTES)
    }
}

impl Tail {
    /// Keeps so many bytes.
    pub(crate) fn new(bytes_max: usize) -> Tail {
        Tail { bytes_max, kept: Mutex::new(Kept::default()) }
    }

    /// The text that is kept; a first line says so if something was cut off before it.
    pub(crate) fn text(&self) -> String {
        let kept = self.kept.lock();
        // The cut may have left the end of a character at the start.
        let broken = if kept.cut == 0 { 0 } else { kept.bytes.iter().take_while(|byte| **byte & 0xc0 == 0x80).count() };
        let bytes: Vec<u8> = kept.bytes.iter().copied().skip(broken).collect();
        let text = String::from_utf8_lossy(&bytes);
        match kept.cut + broken as u64 {
            0 => text.into_owned(),
            cut => format!("[{cut} bytes before this are not kept]\n{text}"),
        }
    }

    fn add(&self, bytes: &[u8]) {
        let mut kept = self.kept.lock();
        let (lost, bytes) = bytes.split_at(bytes.len().saturating_sub(self.bytes_max));
        let over = (kept.bytes.len() + bytes.len()).saturating_sub(self.bytes_max);
        kept.bytes.drain(..over);
        kept.bytes.extend(bytes);
        kept.cut += (lost.len() + over) as u64;
    }
}

impl IsTerminal for Sink {
    fn is_terminal(&self) -> bool {
        self.queue.as_ref().is_some_and(|queue| queue.is_terminal())
    }
}

impl StdoutStream for Sink {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(Unsupported)
    }
}

/// WASI preview 1 writes through `blocking_write_and_flush` only, 4 KiB at a time. The default of that method gives up
/// with a trap after losing the race for room eleven times, so it is ours here. Nothing is waited for but room: the
/// queue is drained before the process ends.
#[async_trait]
impl OutputStream for Sink {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let kept = bytes.clone();
        if let Some(queue) = &self.queue {
            queue.try_write(bytes).map_err(failed)?;
        }
        self.keep(&kept);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        let room = self.queue.as_ref().map_or(Ok(WHOLE_BYTES), |queue| queue.room());
        Ok(room.map_err(failed)?.min(WHOLE_BYTES))
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        // Kept first: of a guest that is killed while it waits for room, this is what it wanted to say.
        self.keep(&bytes);
        match &self.queue {
            Some(queue) => queue.write(bytes).await.map_err(failed),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Pollable for Sink {
    async fn ready(&mut self) {
        if let Some(queue) = &self.queue {
            queue.has_room().await;
        }
    }
}

impl Sink {
    fn keep(&self, bytes: &[u8]) {
        if let Some(tail) = &self.tail {
            tail.add(bytes);
        }
    }
}

/// As the guest's errno, `EPIPE` included, which `StreamError::Closed` would turn into `EIO`.
fn failed(error: io::Error) -> StreamError {
    StreamError::LastOperationFailed(error.into())
}

/// The streams of WASI 0.3, which are not linked.
struct Unsupported;

impl AsyncWrite for Unsupported {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }
}

impl AsyncRead for Unsupported {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }
}
