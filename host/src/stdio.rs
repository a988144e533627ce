//! A guest's standard input, output and error, as streams of ours.
//!
//! wasmtime-wasi's own write to the descriptor on the thread that polls the guest: one reader that stalls would hold a
//! worker, and with it other isolates, for good. Ours write what the reader takes at once, and queue the rest ([`Sink`]); a
//! thread for each descriptor writes that out, and a guest that finds the queue full waits as it waits for anything else.
//! What one call of a guest writes, up to 4 KiB, stays in one piece, and what was written first appears first, also across
//! output and error.
//!
//! - `queue`: a descriptor that many isolates write to; `descriptor`: how that is written to.
//! - `lines`: lines of the embedder's beside what guests print.
//! - `labelled`: a queue, a line at a time, with the name of who printed it.
//! - `port`: messages to a port of somebody's.
//! - `input`: the one standard input that many isolates read.
//! - [`Tail`]: the last that a guest wrote, for whoever asks how it ended.
//!
//! A guest's bytes pass as they are: what it prints is its own, and escaping is for text that we print
//! (`printable.rs`), a labelled line among it.

mod descriptor;
mod input;
mod labelled;
mod lines;
mod port;
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

use crate::control::Control;
use crate::spawn::{Outlet, Output};
use crate::sync::{Arc, Mutex};
use descriptor::Descriptor;
pub(crate) use input::{Input, StdinReady};
use labelled::Lines;
pub use lines::StderrLines;
use port::ToPort;
use queue::Queue;

/// What a [`Tail`] keeps unless it is told otherwise (semantics 7.3).
const TAIL_BYTES: usize = 4 << 10;

/// What a caller of `check_write` may write at once, at most.
const WHOLE_BYTES: usize = 4 << 10;

/// Where a guest's output goes. Cheap to clone; isolates share it.
#[derive(Clone)]
pub(crate) struct Sink {
    to: To,
    tail: Option<Arc<Tail>>,
}

#[derive(Clone)]
enum To {
    Nowhere,
    Queue(Arc<Queue>),
    Kept(Arc<Tail>),
    Lines(Arc<Lines>),
    Port(Arc<ToPort>),
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
        Sink { to: To::Nowhere, tail: None }
    }

    /// What was asked for, where a host has this one of its own.
    pub(crate) fn of(outlet: Outlet, own: &Sink) -> Sink {
        let to = match (outlet, &own.to) {
            (Outlet::Port(right), _) => To::Port(Arc::new(ToPort::new(right))),
            (Outlet::Output(Output::Labelled), To::Queue(queue)) => To::Lines(Arc::new(Lines::unnamed(queue))),
            (Outlet::Output(Output::Capture { bytes_max }), _) => To::Kept(Arc::new(Tail::new(bytes_max))),
            (Outlet::Output(Output::Null), _) => To::Nowhere,
            (Outlet::Output(Output::Inherit | Output::Labelled), own) => own.clone(),
        };
        Sink { to, tail: None }
    }

    /// The same for one isolate, whose lines bear its name, and whose messages are counted for it.
    pub(crate) fn of_isolate(&self, isolate: &Control) -> Sink {
        let to = match &self.to {
            To::Lines(lines) => To::Lines(Arc::new(lines.named(&isolate.name(), isolate.id))),
            To::Port(port) => To::Port(Arc::new(port.sent_by(isolate.id))),
            To::Nowhere | To::Queue(_) | To::Kept(_) => self.to.clone(),
        };
        Sink { to, tail: self.tail.clone() }
    }

    /// The same, and the last of it is kept.
    pub(crate) fn with_tail(self, tail: Arc<Tail>) -> Sink {
        Sink { tail: Some(tail), ..self }
    }

    /// What it captures, if it does.
    pub(crate) fn captured(&self) -> Option<&Arc<Tail>> {
        match &self.to {
            To::Kept(kept) => Some(kept),
            To::Nowhere | To::Queue(_) | To::Lines(_) | To::Port(_) => None,
        }
    }

    /// The last line, if it has no end yet: it is to be written before its isolate ends.
    pub(crate) fn unfinished(&self) -> Option<Arc<Lines>> {
        match &self.to {
            To::Lines(lines) if !lines.is_empty() => Some(Arc::clone(lines)),
            To::Nowhere | To::Queue(_) | To::Kept(_) | To::Lines(_) | To::Port(_) => None,
        }
    }

    /// Blocks until all that was written so far is out, or nobody can read it any more.
    pub(crate) fn drain(&self) {
        if let To::Queue(queue) = &self.to {
            queue.drain(None);
        }
    }

    /// As [`Sink::drain`], but a reader that stalls is not waited for longer than `patience`. False: it did.
    pub(crate) fn drain_for(&self, patience: std::time::Duration) -> bool {
        match &self.to {
            To::Queue(queue) => queue.drain(Some(patience)),
            To::Nowhere | To::Kept(_) | To::Lines(_) | To::Port(_) => true,
        }
    }

    fn to(queue: &Arc<Queue>) -> Sink {
        Sink { to: To::Queue(Arc::clone(queue)), tail: None }
    }
}

/// What is kept of an isolate's output, for whoever spawned it.
#[derive(Clone)]
pub(crate) struct Printed {
    /// The last of its standard error, in any case.
    pub(crate) tail: Arc<Tail>,
    /// Its standard output, where that is captured.
    pub(crate) stdout: Option<Arc<Tail>>,
    /// Its standard error, where that is captured.
    pub(crate) stderr: Option<Arc<Tail>>,
}

/// What was captured of an isolate's output; see [`Output::Capture`](crate::Output::Capture). Its text, by `Display`,
/// begins with a line that says so if something was cut off.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::{Host, Output, Spawn};
/// let host = Host::builder().isolates(1).build()?;
/// let module = host.load("silent", b"(module (func (export \"run\")))")?;
/// let isolate = host.spawn(&module, Spawn::entry("run").stderr(Output::Capture { bytes_max: 1_000 }))?;
/// isolate.join();
/// assert_eq!((isolate.stderr().to_string().as_str(), isolate.stderr().bytes_cut), ("", 0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Captured {
    /// What is kept: all of it, or the last.
    pub bytes: Vec<u8>,
    /// How many bytes came before these, and are not kept.
    pub bytes_cut: u64,
}

impl std::fmt::Display for Captured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The cut may have left the end of a character at the start, three bytes at most.
        let ends = |byte: &&u8| self.bytes_cut > 0 && **byte & 0xc0 == 0x80;
        let broken = self.bytes.iter().take(3).take_while(ends).count();
        if self.bytes_cut > 0 {
            writeln!(f, "[{} bytes before this are not kept]", self.bytes_cut + broken as u64)?;
        }
        f.write_str(&String::from_utf8_lossy(&self.bytes[broken..]))
    }
}

/// The queues of standard output and error, one for all hosts of the process.
fn standard() -> &'static (Arc<Queue>, Arc<Queue>) {
    static STANDARD: OnceLock<(Arc<Queue>, Arc<Queue>)> = OnceLock::new();
    STANDARD.get_or_init(|| {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let terminals = (io::IsTerminal::is_terminal(&stdout), io::IsTerminal::is_terminal(&stderr));
        let stdout = Queue::new("insula-stdout", terminals.0, Box::new(Descriptor::new(stdout)));
        let stderr = Queue::new("insula-stderr", terminals.1, Box::new(Descriptor::new(stderr)));
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

    /// That of an isolate's standard error, as long as anybody holds it.
    pub(crate) fn of(control: &Control) -> Option<Arc<Tail>> {
        let tail = control.tail.lock().as_ref()?.upgrade()?;
        tail.downcast().ok()
    }

    /// Whether nothing was printed.
    pub(crate) fn is_empty(&self) -> bool {
        self.kept.lock().bytes.is_empty()
    }

    /// What is kept now.
    pub(crate) fn captured(&self) -> Captured {
        let kept = self.kept.lock();
        let (first, second) = kept.bytes.as_slices();
        Captured { bytes: [first, second].concat(), bytes_cut: kept.cut }
    }

    /// What is kept now of what came after so many bytes.
    pub(crate) fn since(&self, seen: u64) -> Captured {
        let kept = self.kept.lock();
        let known = seen.saturating_sub(kept.cut).min(kept.bytes.len() as u64);
        let bytes = kept.bytes.iter().skip(usize::try_from(known).unwrap_or(usize::MAX)).copied().collect();
        Captured { bytes, bytes_cut: kept.cut + known }
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
        matches!(&self.to, To::Queue(queue) if queue.is_terminal())
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
        match &self.to {
            To::Nowhere => {}
            To::Queue(queue) => queue.try_write(bytes.clone()).map_err(failed)?,
            To::Kept(kept) => kept.add(&bytes),
            To::Lines(lines) => lines.try_write(&bytes).map_err(failed)?,
            To::Port(port) => port.try_write(&bytes).map_err(failed)?,
        }
        self.keep(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        let room = match &self.to {
            To::Queue(queue) => queue.room(),
            To::Nowhere | To::Kept(_) | To::Lines(_) | To::Port(_) => Ok(WHOLE_BYTES),
        };
        Ok(room.map_err(failed)?.min(WHOLE_BYTES))
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        // Kept first: of a guest that is killed while it waits for room, this is what it wanted to say.
        self.keep(&bytes);
        let written = match &self.to {
            To::Nowhere => Ok(()),
            To::Queue(queue) => queue.write(bytes).await,
            To::Kept(kept) => {
                kept.add(&bytes);
                Ok(())
            }
            To::Lines(lines) => lines.write(&bytes).await,
            To::Port(port) => port.write(&bytes).await,
        };
        written.map_err(failed)
    }
}

#[async_trait]
impl Pollable for Sink {
    async fn ready(&mut self) {
        if let To::Queue(queue) = &self.to {
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
