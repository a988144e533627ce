//! Standard input for many isolates: one thread reads it, and only when somebody asks.
//!
//! wasmtime-wasi's own reader wakes all who wait for each piece of input, and ends a reader with a trap that lost the
//! race eleven times. Here readers queue up fairly, and whoever comes to the front stays there until it has input.

use std::io::{self, Read};
use std::pin::Pin;
use std::sync::{Condvar, OnceLock, PoisonError};
use std::task::{Context, Waker};

use bytes::Bytes;
use tokio::io::AsyncRead;
use tokio::sync::Notify;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdinStream};
use wasmtime_wasi::p2::{InputStream, Pollable, StreamError, StreamResult};

use super::Unsupported;
use crate::sync::{Arc, Mutex};

/// What is read ahead, at most.
const INPUT_BYTES_MAX: usize = 64 << 10;

/// The host program's standard input, as a guest's.
pub(crate) struct Input(Arc<Source>);

/// Waits until standard input has something to read, or is at its end; for `poll_oneoff`.
pub(crate) struct StdinReady {
    source: Arc<Source>,
    ready: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// Where input comes from, for all who read it.
pub(super) struct Source {
    state: Mutex<State>,
    wanted: Condvar,
    arrived: Notify,
    /// Held by the reader that is served next; fair.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// What the thread is asked for; 0 is nothing.
    wanted: usize,
    data: Bytes,
    end: Option<End>,
    /// Taken by the thread, once there is one.
    reader: Option<Box<dyn Read + Send>>,
}

/// How input ended.
enum End {
    /// To be told once; after that it is closed.
    Failed(io::Error),
    Closed,
}

impl Input {
    /// The process's own.
    pub(crate) fn inherit() -> Input {
        Input(Arc::clone(standard()))
    }
}

impl StdinReady {
    /// Of the process's own standard input.
    pub(crate) fn new() -> StdinReady {
        StdinReady { source: Arc::clone(standard()), ready: None }
    }

    /// Whether there is something; if not, the waker is woken once there may be.
    pub(crate) fn poll(&mut self, waker: &Waker) -> bool {
        let source = Arc::clone(&self.source);
        let ready = self.ready.get_or_insert_with(|| Box::pin(async move { source.ready().await }));
        let is_ready = ready.as_mut().poll(&mut Context::from_waker(waker)).is_ready();
        if is_ready {
            // A future that is done is not polled again.
            self.ready = None;
        }
        is_ready
    }
}

fn standard() -> &'static Arc<Source> {
    static STANDARD: OnceLock<Arc<Source>> = OnceLock::new();
    STANDARD.get_or_init(|| Source::new(Box::new(io::stdin())))
}

impl Source {
    pub(super) fn new(reader: Box<dyn Read + Send>) -> Arc<Source> {
        Arc::new(Source {
            state: Mutex::new(State { reader: Some(reader), ..State::default() }),
            wanted: Condvar::new(),
            arrived: Notify::new(),
            turn: tokio::sync::Mutex::new(()),
        })
    }

    /// Input for whoever came first; waits for it. Dropped while it waits, it has taken nothing.
    pub(super) async fn read(self: &Arc<Source>, size: usize) -> StreamResult<Bytes> {
        if size == 0 {
            return Ok(Bytes::new());
        }
        let _turn = self.turn.lock().await;
        loop {
            // Made before the look, so that what arrives in between wakes it.
            let arrived = self.arrived.notified();
            if let Some(input) = self.take(size) {
                return input;
            }
            arrived.await;
        }
    }

    pub(super) async fn ready(self: &Arc<Source>) {
        loop {
            let arrived = self.arrived.notified();
            if self.has_some() {
                return;
            }
            arrived.await;
        }
    }

    /// Whether a read would be answered; if not, input is asked for.
    fn has_some(self: &Arc<Source>) -> bool {
        let mut state = self.state.lock();
        if state.data.is_empty() && state.end.is_none() {
            self.ask(&mut state, INPUT_BYTES_MAX);
        }
        !state.data.is_empty() || state.end.is_some()
    }

    /// What is there; if nothing is, it is asked for.
    fn take(self: &Arc<Source>, size: usize) -> Option<StreamResult<Bytes>> {
        let mut state = self.state.lock();
        if !state.data.is_empty() {
            let size = size.min(state.data.len());
            return Some(Ok(state.data.split_to(size)));
        }
        match state.end.take() {
            Some(end) => {
                state.end = Some(End::Closed);
                Some(Err(match end {
                    End::Failed(error) => StreamError::LastOperationFailed(error.into()),
                    End::Closed => StreamError::Closed,
                }))
            }
            None => {
                self.ask(&mut state, size);
                None
            }
        }
    }

    fn ask(self: &Arc<Source>, state: &mut State, size: usize) {
        state.wanted = state.wanted.max(size.min(INPUT_BYTES_MAX));
        self.wanted.notify_one();
        let Some(reader) = state.reader.take() else { return };
        let source = Arc::clone(self);
        let thread = std::thread::Builder::new().name("insula-stdin".to_owned());
        if let Err(error) = thread.spawn(move || source.read_in(reader)) {
            state.end = Some(End::Failed(error));
            self.arrived.notify_waiters();
        }
    }

    /// The thread. It reads no more than it is asked for: others in this process may want the rest.
    fn read_in(&self, mut reader: Box<dyn Read + Send>) {
        let mut buffer = vec![0; INPUT_BYTES_MAX];
        loop {
            let state = self.state.lock();
            let state =
                self.wanted.wait_while(state, |state| state.wanted == 0).unwrap_or_else(PoisonError::into_inner);
            let size = state.wanted;
            drop(state);
            let result = reader.read(&mut buffer[..size]);
            let mut state = self.state.lock();
            match result {
                Ok(0) => state.end = Some(End::Closed),
                Ok(count) => state.data = Bytes::copy_from_slice(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => state.end = Some(End::Failed(error)),
            }
            state.wanted = 0;
            let is_over = state.end.is_some();
            // Wakes isolates, so no lock is held.
            drop(state);
            self.arrived.notify_waiters();
            if is_over {
                return;
            }
        }
    }
}

impl IsTerminal for Input {
    fn is_terminal(&self) -> bool {
        io::IsTerminal::is_terminal(&io::stdin())
    }
}

impl StdinStream for Input {
    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(Reader(Arc::clone(&self.0)))
    }

    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(Unsupported)
    }
}

/// One guest's descriptor 0.
struct Reader(Arc<Source>);

#[async_trait]
impl InputStream for Reader {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if size == 0 { Ok(Bytes::new()) } else { self.0.take(size).unwrap_or(Ok(Bytes::new())) }
    }

    async fn blocking_read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.0.read(size).await
    }
}

#[async_trait]
impl Pollable for Reader {
    async fn ready(&mut self) {
        self.0.ready().await;
    }
}
