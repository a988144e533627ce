//! Standard input for many isolates: one thread reads it, and only when somebody asks.
//!
//! wasmtime-wasi's own reader wakes all who wait for each piece of input, and ends a reader with a trap that lost the
//! race eleven times. Here readers queue up fairly, and whoever comes to the front stays there until it has input.

use std::io::{self, Read};
use std::pin::Pin;
use std::sync::{Condvar, OnceLock, PoisonError};
use std::task::{Context, Waker};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
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
    /// Of the `Arc` beside it, which outlives it: fields are dropped in order.
    arrived: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// Where input comes from, for all who read it.
pub(super) struct Source {
    state: Mutex<State>,
    wanted: Condvar,
    arrived: Notify,
    /// Held by the reader that is served next; fair.
    turn: tokio::sync::Mutex<()>,
}

struct State {
    /// What the thread is asked for; 0 is nothing.
    wanted: usize,
    data: Bytes,
    end: Option<End>,
    reader: Option<Box<dyn Read + Send>>,
}

/// How input ended.
enum End {
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
        StdinReady { source: Arc::clone(standard()), arrived: None }
    }

    /// Whether there is something; if not, the waker is woken once there may be.
    pub(crate) fn poll(&mut self, waker: &Waker) -> bool {
        loop {
            let source = Arc::clone(&self.source);
            let arrived = self.arrived.get_or_insert_with(|| Box::pin(async move { source.ready().await }));
            if arrived.as_mut().poll(&mut Context::from_waker(waker)).is_pending() {
                return false;
            }
            self.arrived = None;
            if self.source.has_something() {
                return true;
            }
        }
    }
}

fn standard() -> &'static Arc<Source> {
    static STANDARD: OnceLock<Arc<Source>> = OnceLock::new();
    STANDARD.get_or_init(|| Source::new(Box::new(io::stdin())))
}
