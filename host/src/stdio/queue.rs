//! One file descriptor that many isolates write to: a bounded queue, and the one thread that writes it out.
//!
//! As long as there is no thread, whoever prints writes by themselves what can be written without a wait, one after another;
//! what cannot be is the thread's, and all that comes after it. The room in the queue is a fair semaphore, so isolates that
//! wait for it are served in the order in which they came, a killed one leaves no trace, and no worker waits for a reader.
//! What is pushed at once comes out in one piece.

use std::collections::VecDeque;
use std::io;
use std::sync::{Condvar, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::descriptor::Writes;
use crate::sync::{Arc, Mutex, MutexGuard};

/// What waits to be written, at most. A reader that stalls holds up the writers of this many bytes and no more memory.
const QUEUE_BYTES_MAX: usize = 64 << 10;
/// What waits of lines of the embedder's, at most: they have room of their own, so that no guest takes it from them.
const LINES_BYTES_MAX: usize = 1 << 20;
/// How long one of the pair waits for the other, which may have a reader that stalls.
const PARTNER_PATIENCE: Duration = Duration::from_millis(100);
/// How long to wait for a descriptor that somebody made non-blocking.
const RETRY: Duration = Duration::from_millis(1);

/// The queue of one descriptor.
pub(super) struct Queue {
    name: &'static str,
    is_terminal: bool,
    room: Semaphore,
    state: Mutex<State>,
    /// Something was queued.
    filled: Condvar,
    /// Something was written, or writing failed.
    written: Condvar,
    /// The other one of standard output and error.
    partner: OnceLock<Arc<Queue>>,
}

#[derive(Default)]
struct State {
    chunks: VecDeque<Chunk>,
    /// Bytes that were ever queued, and ever written.
    pushed: u64,
    written: u64,
    /// Until the thread has it.
    outlet: Option<Box<dyn Writes>>,
    /// Whether what was last written before there was a thread ended in the middle of a line.
    within_line: bool,
    /// Why nothing can be written any more.
    failed: Option<Failure>,
    /// Bytes of lines of the embedder's that wait.
    line_bytes: usize,
    /// How far the partner was when it took too long: it is not waited for again until it moved.
    partner_stalled_at: Option<u64>,
}

struct Chunk {
    bytes: Bytes,
    /// What the partner had queued when this came: it is to appear first.
    after: u64,
    /// It is a line of the embedder's, and begins where a line does.
    is_line: bool,
}

/// What is to be written at once.
struct Buffer {
    bytes: Vec<u8>,
    /// How many of them are lines of the embedder's, and ends of lines that were left unfinished before those.
    line_bytes: usize,
    added_bytes: usize,
    /// Whether a line begins behind these bytes.
    at_start: bool,
}

/// An error of the system's, which is told to every later writer.
#[derive(Clone, Copy, Debug)]
struct Failure {
    code: Option<i32>,
    kind: io::ErrorKind,
}

impl Queue {
    /// A queue in front of `outlet`. Its thread starts with the first bytes that may have to wait.
    pub(super) fn new(name: &'static str, is_terminal: bool, outlet: Box<dyn Writes>) -> Arc<Queue> {
        Arc::new(Queue {
            name,
            is_terminal,
            room: Semaphore::new(QUEUE_BYTES_MAX),
            state: Mutex::new(State { outlet: Some(outlet), ..State::default() }),
            filled: Condvar::new(),
            written: Condvar::new(),
            partner: OnceLock::new(),
        })
    }

    /// Makes what is queued first in either of the two appear first, as long as their readers keep up.
    pub(super) fn pair(one: &Arc<Queue>, other: &Arc<Queue>) {
        // Queues that live as long as the process may hold each other.
        let _ = one.partner.set(Arc::clone(other));
        let _ = other.partner.set(Arc::clone(one));
    }

    pub(super) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Queues all of `bytes`, in one piece if they are not more than half of the queue; waits for room.
    ///
    /// Dropped while it waits, it has queued nothing of the current piece.
    pub(super) async fn write(self: &Arc<Queue>, mut bytes: Bytes) -> io::Result<()> {
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(QUEUE_BYTES_MAX / 2));
            let length = u32::try_from(piece.len()).expect("a piece is smaller than the queue");
            let room = self.room.acquire_many(length).await.map_err(|_| self.failure())?;
            self.push(piece, false)?;
            room.forget();
        }
        Ok(())
    }

    /// Queues `bytes` if there is room at once.
    pub(super) fn try_write(self: &Arc<Queue>, bytes: Bytes) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::WouldBlock)?;
        match self.room.try_acquire_many(length) {
            Ok(room) => {
                self.push(bytes, false)?;
                room.forget();
                Ok(())
            }
            Err(tokio::sync::TryAcquireError::NoPermits) => Err(io::ErrorKind::WouldBlock.into()),
            Err(tokio::sync::TryAcquireError::Closed) => Err(self.failure()),
        }
    }

    /// Queues a line of the embedder's, which has its end, if there is room at once.
    pub(super) fn put_line(self: &Arc<Queue>, line: Bytes) -> io::Result<()> {
        self.put_line_within(LINES_BYTES_MAX, line)
    }

    /// As [`Queue::put_line`], of any length and whatever waits. Who puts it waits for that to be read, so that there is
    /// one of each of them at most.
    pub(super) fn put_line_anyway(self: &Arc<Queue>, line: Bytes) -> io::Result<()> {
        self.put_line_within(usize::MAX, line)
    }

    fn put_line_within(self: &Arc<Queue>, bytes_max: usize, line: Bytes) -> io::Result<()> {
        let mut state = self.state.lock();
        if state.failed.is_none() && state.line_bytes.saturating_add(line.len()) > bytes_max {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.line_bytes += line.len();
        drop(state);
        self.push(line, true)
    }

    /// How many bytes there is room for.
    pub(super) fn room(&self) -> io::Result<usize> {
        if self.room.is_closed() { Err(self.failure()) } else { Ok(self.room.available_permits()) }
    }

    /// Waits for room, or for the failure that ends all waiting.
    pub(super) async fn has_room(&self) {
        drop(self.room.acquire().await);
    }

    /// Blocks until everything queued so far is written, or nothing can be, or for `patience`. False: some is not.
    pub(super) fn drain(&self, patience: Option<Duration>) -> bool {
        let state = self.state.lock();
        let all = state.pushed;
        let waits = |state: &mut State| state.written < all && state.failed.is_none();
        let state = match patience {
            None => self.written.wait_while(state, waits).unwrap_or_else(PoisonError::into_inner),
            Some(patience) => {
                self.written.wait_timeout_while(state, patience, waits).unwrap_or_else(PoisonError::into_inner).0
            }
        };
        state.written >= all
    }

    fn push(self: &Arc<Queue>, bytes: Bytes, is_line: bool) -> io::Result<()> {
        // Asked before our own lock is taken: each of the pair looks at the other.
        let (after, is_next) = self.partner.get().map_or((0, true), |partner| {
            let state = partner.state.lock();
            (state.pushed, state.is_past(state.pushed))
        });
        let mut state = self.state.lock();
        if let Some(failure) = state.failed {
            return Err(failure.into());
        }
        let count = bytes.len();
        let written = if is_next && !is_line { state.write_at_once(&bytes) } else { Ok(0) };
        let written = written.and_then(|written| {
            if written < count {
                self.start(&mut state)?;
                state.chunks.push_back(Chunk { bytes: bytes.slice(written..), after, is_line });
                self.filled.notify_one();
            }
            Ok(written)
        });
        match written {
            Ok(written) => {
                state.pushed += count as u64;
                state.written += written as u64;
                drop(state);
                if written > 0 {
                    self.room.add_permits(written);
                }
                Ok(())
            }
            Err(error) => {
                // There is no way out for anybody's bytes.
                self.fail(state, &error);
                Err(error)
            }
        }
    }

    /// Has a thread write out what is queued, if there is none yet.
    fn start(self: &Arc<Queue>, state: &mut State) -> io::Result<()> {
        let Some(outlet) = state.outlet.take() else { return Ok(()) };
        let (queue, at_start) = (Arc::clone(self), !state.within_line);
        let thread = std::thread::Builder::new().name(self.name.to_owned());
        thread.spawn(move || queue.write_out(outlet, at_start))?;
        Ok(())
    }

    fn failure(&self) -> io::Error {
        self.state.lock().failed.map_or(io::ErrorKind::BrokenPipe.into(), io::Error::from)
    }

    fn fail(&self, mut state: MutexGuard<'_, State>, error: &io::Error) {
        state.failed = Some(Failure { code: error.raw_os_error(), kind: error.kind() });
        state.chunks.clear();
        self.written.notify_all();
        // Wakes isolates, so no lock is held.
        drop(state);
        self.room.close();
    }

    /// The thread: all that is queued at a time becomes one write, as long as the order of the pair allows it.
    fn write_out(&self, mut outlet: Box<dyn Writes>, at_start: bool) {
        let bytes = Vec::with_capacity(QUEUE_BYTES_MAX);
        let mut buffer = Buffer { bytes, line_bytes: 0, added_bytes: 0, at_start };
        loop {
            let chunks = self.take_all();
            for chunk in chunks {
                if !self.partner_is_past(chunk.after) {
                    if !self.put(&mut outlet, &mut buffer) {
                        return;
                    }
                    self.wait_for_partner(chunk.after);
                }
                buffer.add(&chunk);
            }
            if !self.put(&mut outlet, &mut buffer) {
                return;
            }
        }
    }

    fn take_all(&self) -> VecDeque<Chunk> {
        let state = self.state.lock();
        let mut state =
            self.filled.wait_while(state, |state| state.chunks.is_empty()).unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut state.chunks)
    }

    /// Writes the buffer and gives its room back; false when writing has come to an end.
    fn put(&self, outlet: &mut Box<dyn Writes>, buffer: &mut Buffer) -> bool {
        if buffer.bytes.is_empty() {
            return true;
        }
        let result = write_all(outlet, &buffer.bytes);
        let queued = buffer.bytes.len() - buffer.added_bytes;
        if result.is_ok() {
            // Before whoever drains is told, and with no lock held: this wakes isolates.
            self.room.add_permits(queued - buffer.line_bytes);
        }
        let mut state = self.state.lock();
        match result {
            Ok(()) => {
                state.written += queued as u64;
                state.line_bytes -= buffer.line_bytes;
                self.written.notify_all();
                buffer.clear();
                true
            }
            Err(error) => {
                self.fail(state, &error);
                false
            }
        }
    }

    fn partner_is_past(&self, mark: u64) -> bool {
        self.partner.get().is_none_or(|partner| partner.state.lock().is_past(mark))
    }

    fn wait_for_partner(&self, mark: u64) {
        let Some(partner) = self.partner.get() else { return };
        let stalled_at = self.state.lock().partner_stalled_at;
        let state: MutexGuard<'_, State> = partner.state.lock();
        if stalled_at == Some(state.written) {
            return;
        }
        let waits = |state: &mut State| !state.is_past(mark);
        let waited = partner.written.wait_timeout_while(state, PARTNER_PATIENCE, waits);
        let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        let written = state.written;
        drop(state);
        self.state.lock().partner_stalled_at = timeout.timed_out().then_some(written);
    }
}

impl Buffer {
    fn add(&mut self, chunk: &Chunk) {
        if chunk.is_line {
            self.line_bytes += chunk.bytes.len();
            if !self.at_start {
                self.bytes.push(b'\n');
                self.added_bytes += 1;
            }
        }
        self.bytes.extend_from_slice(&chunk.bytes);
        self.at_start = self.bytes.last().map_or(self.at_start, |last| *last == b'\n');
    }

    /// It is written; where a line begins stays known.
    fn clear(&mut self) {
        self.bytes.clear();
        (self.line_bytes, self.added_bytes) = (0, 0);
    }
}

impl State {
    /// Writes what needs no wait, as long as there is no thread, and answers how much that is.
    fn write_at_once(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(outlet) = &mut self.outlet else { return Ok(0) };
        match outlet.write_at_once(bytes) {
            Ok(count) => {
                self.within_line = bytes[..count].last().map_or(self.within_line, |last| *last != b'\n');
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error),
        }
    }

    fn is_past(&self, mark: u64) -> bool {
        self.written >= mark || self.failed.is_some()
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> io::Error {
        failure.code.map_or_else(|| failure.kind.into(), io::Error::from_raw_os_error)
    }
}

/// `Write::write_all` and `flush`, also to a descriptor that somebody else made non-blocking.
fn write_all(outlet: &mut Box<dyn Writes>, mut bytes: &[u8]) -> io::Result<()> {
    loop {
        let result = if bytes.is_empty() { outlet.flush().map(|()| None) } else { outlet.write(bytes).map(Some) };
        match result {
            Ok(None) => return Ok(()),
            Ok(Some(0)) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(Some(count)) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(RETRY),
            Err(error) => return Err(error),
        }
    }
}
