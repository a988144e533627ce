//! What a guest program of *insula* is written with: Dart's isolates in Rust.
//!
//! An isolate is an instance of a wasm module with a memory of its own. Isolates share nothing; they send each other
//! copies of messages through ports. None can be harmed by what another does: a panic, a trap or a kill ends one isolate,
//! and whoever asked to be told is told.
//!
//! ```no_run
//! use insula_guest::{Isolate, ReceivePort, SendPort};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! enum Greeting {
//!     Port(SendPort<String>),
//!     Pong,
//! }
//!
//! fn worker(main_port: SendPort<Greeting>) -> Result<(), insula_guest::SendError> {
//!     let worker_port = ReceivePort::new();
//!     main_port.send(Greeting::Port(worker_port.send_port()))?;
//!     for message in worker_port.take(1) {
//!         println!("Worker received: {message}");
//!         main_port.send(Greeting::Pong)?;
//!     }
//!     Ok(())
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let port = ReceivePort::new();
//!     Isolate::spawn(worker, port.send_port())?;
//!     for greeting in port {
//!         match greeting {
//!             Greeting::Port(worker_port) => worker_port.send("ping".to_owned())?,
//!             Greeting::Pong => println!("Main received: pong"),
//!         }
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # What is where
//! | to | there is |
//! |---|---|
//! | begin and end | [`Isolate::spawn`], [`Isolate::build`] with [`Spawn`]'s options, [`Isolate::run`], [`Isolate::exit`] |
//! | talk | [`ReceivePort`] and [`SendPort`], both of a serde type; [`recv_either`], [`recv_any`]; [`Blob`]; [`names`] |
//! | talk otherwise | [`SendPort::ask`]; [`Duplex`], a link; [`Value`], the untyped message; [`Broadcast`]; [`RawReceivePort`] |
//! | control | [`Isolate`]: pause, resume, kill, ping, exit and error listeners; [`Capability`] |
//! | react | the event loop: [`ReceivePort::listen`], [`Timer`], [`on_stop`]; it runs after the entry or `main` returned |
//! | wait for many things | [`run`], [`task`]: futures on the event loop; [`ReceivePort::recv_async`], [`MessageStream`] |
//! | share work out | [`Isolate::compute`], and [`Pool`] for many jobs on few isolates |
//! | be called by an embedder, and call it | [`export_service!`], [`ServiceEnd`]; [`host_function`] |
//! | fail | return an error ([`Outcome`]), [`report_error`], or panic; a [`RemoteError`] is what others see of it |
//! | be found by a host | [`export!`] |
//!
//! # Features
//! `paths`, off unless asked for: a [`SendError`] names the part of the message that cannot be sent
//! (`jobs[2].callback: already mutably borrowed`), at a send, an exit, a spawn and a response alike. Turn it on in
//! development builds; it makes a guest 7 to 10 KB larger.
//!
//! # What it does not do
//! There are no threads, no shared memory, and no way to name an isolate or a port that one was not given. A value that is
//! sent is encoded with serde: what cannot be serialised cannot be sent.
//!
//! It compiles on native targets too, for editors and lints; there every call that needs a host panics and says so.

// A foreign function is no `FnOnce`, but its stand-in off wasm is.
#![cfg_attr(not(target_family = "wasm"), allow(clippy::redundant_closure))]

mod ask;
mod blob;
mod broadcast;
mod call;
mod compute;
mod duplex;
mod encoded;
mod entry;
mod error;
mod event_loop;
mod function;
mod handle;
mod isolate;
mod limits;
mod message;
pub mod names;
mod outcome;
mod pool;
mod raw_receive_port;
mod receive_port;
mod report;
mod send_port;
mod service;
mod spawn;
mod stream;
mod sys;
pub mod task;
mod time;
mod value;

pub use insula_wire::codec::Unsendable;
pub use insula_wire::{Kind, MailboxPolicy, Priority, RemoteError, Status};

pub use blob::Blob;
pub use broadcast::{Broadcast, Subscription};
pub use compute::Computation;
pub use duplex::{Duplex, DuplexEnd};
pub use encoded::{Encoded, MessageBuffer};
pub use entry::{config, initial_message};
#[doc(hidden)]
pub use entry::{enter_computation, enter_export};
pub use error::{
    AskError, CallError, ControlError, JobError, RecvError, RecvTimeoutError, Refused, RunError, SendError,
    SingleError, SpawnError, SubmitError, TimedOut, TryRecvError, Undecodable,
};
pub use event_loop::Listener;
pub use function::{HostFunction, host_function};
pub use handle::Capability;
pub use isolate::{Isolate, notify_stop, on_stop, stop_requested};
pub use limits::{Grant, Limits};
pub use outcome::Outcome;
pub use pool::{Job, Pool, PoolHandle, PoolOptions, PoolStats, Submit};
pub use raw_receive_port::RawReceivePort;
pub use receive_port::{Either, Message, Messages, ReceivePort, TimedMessages, recv_any, recv_either};
pub use report::{report_error, resolve};
pub use send_port::SendPort;
#[doc(hidden)]
pub use service::enter_service;
pub use service::{Reply, Request, ServiceEnd};
pub use spawn::Spawn;
pub use stream::MessageStream;
pub use task::run;
pub use time::{Timer, sleep};
pub use value::{ErrorNotice, Value};

/// The programs in the guides compile.
#[cfg(doctest)]
mod guides {
    #[doc = include_str!("../../docs/dart.md")]
    struct Dart;

    #[doc = include_str!("../../docs/erlang.md")]
    struct Erlang;

    #[doc = include_str!("../../docs/messages.md")]
    struct Messages;

    #[doc = include_str!("../../docs/plugins.md")]
    struct Plugins;
}
