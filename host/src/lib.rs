//! insula: a WebAssembly isolate host.
//!
//! Programs compiled to `wasm32-wasip1` get Dart's isolate model. Each isolate is its own wasm instance with its own
//! linear memory; isolates talk through ports; a trap or a panic of one arrives at others as an error notice, its end
//! as an exit notice. Nothing that one isolate does can hurt another, or the host.
//!
//! ```text
//!   embedder ── Host ── engine, pool ─┐
//!                │                    │ one instance, one Store, one fiber each
//!        spawn   ▼                    ▼
//!   Isolate ── Control ◄── Task ── [ guest ]  imports: ports, handles, isolates, control, clock, report, WASI
//!                │ mailbox, handle table
//!   ReceivePort ◄┴─ messages and notices ─► SendPort
//! ```
//!
//! What this crate refuses: it takes no raw id from anybody, gives a guest no file, variable, network or fine clock that
//! was not granted, never enters an instance again that trapped, and shows no type of wasmtime's or tokio's.
//!
//! It is one layer of defence. Around modules of strangers put a process per tenant, or a virtual machine, as well.

mod abi;
mod account;
mod cache;
mod compile;
mod control;
mod digest;
mod engine;
mod error;
mod event;
mod exit;
#[cfg(feature = "testing")]
mod faults;
mod files;
mod grant;
mod hash;
mod host;
mod inspect;
mod isolate;
mod limits;
mod lines;
mod log;
#[cfg(feature = "metrics")]
mod metrics;
mod module;
mod names;
#[cfg(feature = "otlp")]
pub mod otlp;
mod outfit;
mod plugin;
mod port;
mod ports;
mod printable;
mod restart;
mod scheduler;
mod spawn;
mod stdio;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
mod trace_context;
mod until;
mod usage;
mod warning;
mod wasi;
mod world;

#[doc(hidden)]
pub use abi::{Import, imports};
pub use compile::{CompileChild, CompileLimits, compile_child};
pub use digest::{NotSha256, Sha256};
pub use error::{BuildError, ChildFailure, LoadError, SendError, SpawnError};
pub use event::{Event, Happened, Notice, Then};
pub use exit::{Exit, Frame, IsolateId, Killer, Phase};
pub use grant::Grant;
pub use host::{
    Ahead, CoreDump, Ended, Host, HostBuilder, LastWords, Loading, Observation, Origin, Recorded, Recording, Sleeper,
    Summons, Uncaught, Wait,
};
pub use inspect::{
    ExportInfo, ImportInfo, ImportOrigin, ItemType, ModuleInfo, PrecompiledInfo, SectionInfo, inspect,
    inspect_precompiled, is_precompiled,
};
pub use insula_wire::codec::Unsendable;
pub use insula_wire::{MailboxPolicy, Priority, RemoteError, Status};
pub use isolate::{Capability, Doing, Isolate, Module, Stack, StackError, Unmet, UnmetReason};
pub use limits::Limits;
pub use lines::{Place, Spot};
#[cfg(feature = "metrics")]
pub use metrics::Metrics;
pub use plugin::{Group, Plugin, PluginEvent, Strategy, UpgradeError};
pub use ports::{
    Answers, AskError, Blob, BlobError, Broadcast, CallError, Caller, CheckedOut, Computation, Duplex, DuplexEnd,
    Either, ErrorNotice, Function, Listener, Messages, NameError, Names, PoolSize, RawReceivePort, ReceivePort,
    Received, RecvError, Request, RunError, SendPort, Service, ServicePool, Subscription, Traced, Value, recv_any,
    recv_either,
};
pub use printable::{printable, printable_line};
pub use restart::Restart;
pub use spawn::{Output, Spawn, Stdin};
pub use stdio::{Captured, StderrLines};
pub use trace_context::{NotTraceContext, TraceContext};
pub use usage::Usage;
pub use warning::Warning;

/// The programs in the guide compile, and those that need no guest run.
#[cfg(doctest)]
mod guides {
    #[doc = include_str!("../../docs/embedding.md")]
    struct Embedding;

    #[doc = include_str!("../../docs/loading.md")]
    struct Loading;

    #[doc = include_str!("../../docs/supervision.md")]
    struct Supervision;

    #[doc = include_str!("../../docs/observing.md")]
    struct Observing;

    #[doc = include_str!("../../docs/threats.md")]
    struct Threats;

    #[cfg(feature = "testing")]
    #[doc = include_str!("../../docs/testing.md")]
    struct Testing;
}
