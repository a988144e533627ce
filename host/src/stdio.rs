//! stub
use std::task::Waker;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use crate::sync::Arc;
#[derive(Clone)]
pub(crate) struct Sink(u8);
#[derive(Default)]
pub(crate) struct Tail;
impl Tail { pub(crate) fn text(&self) -> String { String::new() } }
impl Sink {
    pub(crate) fn stdout() -> Sink { Sink(1) }
    pub(crate) fn stderr() -> Sink { Sink(2) }
    pub(crate) fn null() -> Sink { Sink(0) }
    pub(crate) fn with_tail(self, _tail: Arc<Tail>) -> Sink { self }
    pub(crate) fn drain(&self) {}
}
impl IsTerminal for Sink { fn is_terminal(&self) -> bool { false } }
impl StdoutStream for Sink {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> { match self.0 { 1 => Box::new(tokio::io::stdout()), 2 => Box::new(tokio::io::stderr()), _ => Box::new(tokio::io::sink()) } }
}
pub(crate) struct StdinReady;
impl StdinReady { pub(crate) fn new() -> Self { StdinReady } pub(crate) fn poll(&mut self, _: &Waker) -> bool { true } }
