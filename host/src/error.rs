//! What can go wrong for an embedder: one small enum per operation.
//!
//! How an isolate ended is no error; that is [`Exit`](crate::Exit).

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use insula_wire::Status;
use insula_wire::codec::Unsendable;

use crate::digest::Sha256;
use crate::grant::Grant;

/// Why a host could not be built.
///
/// ```
/// use insula::{BuildError, Host};
/// let refused = Host::builder().isolates(1_000_000).build();
/// assert!(matches!(refused, Err(BuildError::TooManyIsolates { wanted: 1_000_000, .. })));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The hosts of this process want room for more isolates than the kernel's memory maps allow.
    #[error(
        "{wanted} isolates do not fit: this process may hold {budget} (vm.max_map_count), {taken} are taken already; ask \
         for fewer (HostBuilder::isolates, HostBuilder::trusted_isolates, --isolates), or raise the sysctl"
    )]
    TooManyIsolates {
        /// What was asked for.
        wanted: u32,
        /// What the whole process may hold.
        budget: u32,
        /// What is taken: by other hosts, and by this one's isolates of the other kind.
        taken: u32,
    },
    /// A setting has no meaning.
    #[error("{0}")]
    Invalid(&'static str),
    /// The engine or its threads could not be made.
    #[error("the engine could not be made: {0}")]
    Engine(String),
}

/// Why a module could not be loaded.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::LoadError;
/// let host = insula::Host::builder().isolates(1).build()?;
/// let refused = host.load("elsewhere", b"(module (import \"env\" \"dance\" (func)))");
/// assert!(matches!(refused, Err(LoadError::UnknownImport { field, .. }) if field == "dance"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file could not be read.
    #[error("{name}: {source}")]
    Io {
        /// The path.
        name: String,
        /// Why.
        source: std::io::Error,
    },
    /// The bytes are not those that were expected.
    #[error("{name}: its sha256 is {found}, and not {expected}")]
    WrongDigest {
        /// The file, or what the embedder called it.
        name: String,
        /// What was expected.
        expected: Sha256,
        /// What the bytes have.
        found: Sha256,
    },
    /// The bytes are no module.
    #[error("{name}: not a WebAssembly module: {reason}")]
    NotWasm {
        /// The file, or what the embedder called it.
        name: String,
        /// Why.
        reason: String,
    },
    /// The bytes are a component.
    #[error("{name}: this is a component; insula runs core modules (build for wasm32-wasip1)")]
    Component {
        /// The file, or what the embedder called it.
        name: String,
    },
    /// The bytes are compiled code of wasmtime's, or of [`Module::precompile`](crate::Module::precompile)'s.
    #[error("{name}: precompiled code is not loaded, since it runs unchecked; give the .wasm that it came from")]
    Precompiled {
        /// The file, or what the embedder called it.
        name: String,
    },
    /// The bytes are not what [`Module::precompile`](crate::Module::precompile) made, or not all of it.
    #[error("{name}: not what Module::precompile made: {reason}")]
    NotPrecompiled {
        /// What the embedder called it.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The bytes were precompiled for another engine: by another version or build of insula, for another machine or
    /// processor, or in a host with another
    /// [`HostBuilder::memory_reservation`](crate::HostBuilder::memory_reservation).
    #[error("{name}: precompiled {}; precompile it again here, from the .wasm", other_engine(version, machine))]
    OtherEngine {
        /// What the embedder called it.
        name: String,
        /// The version of insula that made it.
        version: String,
        /// The machine that it is for: its architecture and system.
        machine: String,
    },
    /// The module imports what the host does not have.
    #[error("{name}: imports `{field}` from `{module}`, which this host does not have")]
    UnknownImport {
        /// The file, or what the embedder called it.
        name: String,
        /// The import's module.
        module: String,
        /// The import's field.
        field: String,
    },
    /// The module imports something of the host's with another type.
    #[error("{name}: {reason}")]
    ImportType {
        /// The file, or what the embedder called it.
        name: String,
        /// The import, and both types.
        reason: String,
    },
    /// The module was built for a newer ABI.
    #[error("{name}: built for {module}, this host has {host}: use a newer insula, or an older insula-guest")]
    NewerAbi {
        /// The file, or what the embedder called it.
        name: String,
        /// What it imports.
        module: String,
        /// What the host has.
        host: String,
    },
    /// The module is beyond the shape that the host has room for.
    #[error("{name}: {reason}")]
    Shape {
        /// The file, or what the embedder called it.
        name: String,
        /// What is too large, and the builder's knob.
        reason: String,
    },
    /// The host has no room, or no threads, for trusted modules.
    #[error("{name}: cannot be loaded as trusted: {source}")]
    NotTrusted {
        /// The file, or what the embedder called it.
        name: String,
        /// Why.
        source: BuildError,
    },
    /// The compiler refused the module.
    #[error("{name}: does not compile: {reason}")]
    Compile {
        /// The file, or what the embedder called it.
        name: String,
        /// Why.
        reason: String,
    },
    /// The system has no room for what the module's isolates would live in: mostly since the address space of the process is
    /// limited.
    #[error("{name}: there is no room for an isolate of it (ulimit -v, HostBuilder::memory_reservation): {reason}")]
    NoRoom {
        /// The file, or what the embedder called it.
        name: String,
        /// What the system said.
        reason: String,
    },
    /// The module exceeds one of the [`CompileLimits`](crate::CompileLimits).
    #[error("{name}: {which}: {found}, and at most {limit} is compiled (CompileLimits::{which})")]
    Limit {
        /// The file, or what the embedder called it.
        name: String,
        /// The limit: `bytes`, `functions` or `function_bytes`, by the method that sets it.
        which: &'static str,
        /// Its value.
        limit: u64,
        /// What the module has; of functions that are too large, the first.
        found: u64,
    },
    /// The module was not compiled in time.
    #[error("{name}: not compiled within {limit:?} (CompileLimits::wall)")]
    TimedOut {
        /// The file, or what the embedder called it.
        name: String,
        /// The time that it had.
        limit: Duration,
    },
    /// The host compiles as many modules as it may, and none of them was done in time.
    #[error(
        "{name}: not compiled, since {at_once} compiles are under way, {left_behind} of them for longer than they may \
         (CompileLimits::at_once)"
    )]
    Busy {
        /// The file, or what the embedder called it.
        name: String,
        /// How many may be compiled at once.
        at_once: u32,
        /// Of them, those that [took too long](crate::Host::compiles_left_behind) and go on.
        left_behind: u32,
    },
    /// The child process that was to compile the module failed; the module may be to blame.
    #[error("{name}: not compiled: the child process `{}` {failure}", .program.display())]
    Child {
        /// The file, or what the embedder called it.
        name: String,
        /// The program of the [`CompileChild`](crate::CompileChild).
        program: PathBuf,
        /// What happened to it.
        failure: ChildFailure,
    },
    /// The host was closed before the module was loaded.
    #[error("{name}: not loaded, since the host is closed")]
    HostClosed {
        /// The file, or what the embedder called it.
        name: String,
    },
}

/// What happened to a child process that was to compile a module; see [`CompileChild`](crate::CompileChild).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::{ChildFailure, CompileChild, Host, LoadError};
/// let host = Host::builder().isolates(1).compile_in_child(CompileChild::program("/bin/false")).build()?;
/// let Err(LoadError::Child { failure, .. }) = host.load("empty", b"(module)") else { panic!("it compiled") };
/// assert!(matches!(failure, ChildFailure::Ended { code: 1 } | ChildFailure::NotStarted { .. }), "{failure}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChildFailure {
    /// There is no such program, or the system gives no process, or none that is limited.
    #[error("cannot be started: {reason}")]
    NotStarted {
        /// Why.
        reason: String,
    },
    /// A signal ended it: 6 is what it does to itself where there is no more memory, 9 what the system does where the
    /// machine has none.
    #[error("was ended by signal {signal}; it has {memory_bytes_max} bytes of address space (CompileChild::memory)")]
    Signal {
        /// Which.
        signal: i32,
        /// The address space that it had.
        memory_bytes_max: u64,
    },
    /// It used up its CPU time.
    #[error("exceeded its CPU time of {limit:?} (CompileChild::cpu_time)")]
    CpuTime {
        /// How much it had.
        limit: Duration,
    },
    /// It ended without an answer.
    #[error("ended with code {code} and without an answer: it has to call insula::compile_child")]
    Ended {
        /// Its exit code.
        code: i32,
    },
    /// It wrote something else than an answer.
    #[error("wrote something that is no answer: it has to call insula::compile_child, and to print nothing else")]
    NoAnswer,
    /// It makes code for another engine than the host's.
    #[error(
        "is of insula {version} and makes other code than this host takes, which is of insula {host}: build both from the \
         same version, with the same Cargo.lock",
        host = env!("CARGO_PKG_VERSION")
    )]
    OtherEngine {
        /// Its version of insula.
        version: String,
    },
}

/// Why an isolate was not born.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::{Spawn, SpawnError};
/// let host = insula::Host::builder().isolates(1).build()?;
/// let module = host.load("empty", b"(module)")?;
/// let refused = host.spawn(&module, Spawn::entry("run")).map(|_| ());
/// assert!(matches!(&refused, Err(SpawnError::NoEntry { entry, .. }) if entry == "run"));
/// assert_eq!(refused.unwrap_err().to_string(), "empty: no export `run`");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// The module has no such export.
    #[error("{module}: no export `{entry}`")]
    NoEntry {
        /// The module.
        module: String,
        /// What was asked for.
        entry: String,
    },
    /// The export is no function, or takes something.
    #[error("{module}: export `{entry}` is not a function without parameters and results")]
    EntryType {
        /// The module.
        module: String,
        /// What was asked for.
        entry: String,
    },
    /// The host offers no module of this name.
    #[error("there is no module `{module}` here")]
    NoModule {
        /// What was asked for.
        module: String,
    },
    /// As many isolates as the host was built for are alive.
    #[error("the limit of {max} live isolates is reached")]
    TooManyIsolates {
        /// The limit.
        max: u32,
    },
    /// As many isolates of trusted modules as the host was built for are alive.
    #[error("the limit of {max} live trusted isolates is reached (HostBuilder::trusted_isolates)")]
    TooManyTrusted {
        /// The limit.
        max: u32,
    },
    /// The system does not have what the host needs for as many isolates as it was built for, threads among it. That is known
    /// when the first of them live: a host makes room for all after some births, and threads when they are needed.
    #[error("the system has no room for {max} isolates (HostBuilder::isolates): {reason}")]
    NoRoom {
        /// As many as the host was built for.
        max: u32,
        /// What the system does not have.
        reason: String,
    },
    /// A bound of an ancestor's tree, or of the host, leaves no room.
    #[error("the limit `{which}` of {value} is reached")]
    Limit {
        /// The limit's name.
        which: &'static str,
        /// Its value, in the limit's unit.
        value: u64,
    },
    /// The message cannot be sent.
    #[error("the initial message cannot be sent: {}", .0.reason())]
    Message(SendError),
    /// A listener's mailbox has no room for its notice, or its port is closed.
    #[error("a listener cannot be registered: {}", .0.reason())]
    Listener(SendError),
    /// A grant that the spawner would hand on, and does not have.
    #[error("the grant `{grant}` is not within what the parent has")]
    MissingGrant {
        /// The grant, as it was asked for.
        grant: Grant,
    },
    /// A grant that cannot be given, since there is no such folder.
    #[error("the grant `{grant}` cannot be given: {reason}")]
    InvalidGrant {
        /// The grant.
        grant: Grant,
        /// Why.
        reason: String,
    },
    /// Options that contradict each other or have no meaning.
    #[error("{0}")]
    Invalid(String),
    /// The host is shut down.
    #[error("the host is shut down")]
    HostClosed,
}

/// This machine, as errors and precompiled code name one.
pub(crate) fn machine() -> String {
    format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS)
}

/// The first thing by which code is another engine's. Processors and settings are in a digest that names neither.
fn other_engine(version: &str, made_for: &str) -> String {
    let (ours, here) = (env!("CARGO_PKG_VERSION"), machine());
    if version != ours {
        return format!("by insula {version}, and this is insula {ours}");
    }
    if made_for != here {
        return format!("for {made_for}, and this is {here}");
    }
    "for another engine than this host's (another processor, build of insula, or memory_reservation)".to_owned()
}

impl SpawnError {
    /// What a guest is told.
    pub(crate) fn status(&self) -> Status {
        match self {
            SpawnError::NoEntry { .. }
            | SpawnError::EntryType { .. }
            | SpawnError::NoModule { .. }
            | SpawnError::InvalidGrant { .. } => Status::NotFound,
            SpawnError::TooManyIsolates { .. }
            | SpawnError::TooManyTrusted { .. }
            | SpawnError::NoRoom { .. }
            | SpawnError::Limit { .. } => Status::Limit,
            SpawnError::Message(error) | SpawnError::Listener(error) => error.status,
            SpawnError::MissingGrant { .. } => Status::Denied,
            SpawnError::Invalid(_) => Status::Invalid,
            SpawnError::HostClosed => Status::Closed,
        }
    }
}

/// Why a message was not sent. Nothing of it was delivered, and the blobs in it are where they were.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let host = insula::Host::builder().isolates(1).build()?;
/// let port = host.receive_port::<u8>();
/// let to_port = port.send_port();
/// port.close();
/// let error = to_port.send(1).unwrap_err();
/// assert_eq!(error.status, insula::Status::Closed);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message was not sent: {}", self.reason())]
#[non_exhaustive]
pub struct SendError {
    /// The kind of the reason.
    pub status: Status,
    /// With [`Status::Unsendable`], the way to the part of the message that refused, and what it says.
    pub unsendable: Unsendable,
}

impl SendError {
    pub(crate) fn reason(&self) -> &dyn fmt::Display {
        if self.status == Status::Unsendable { &self.unsendable } else { &self.status }
    }
}

impl From<Status> for SendError {
    fn from(status: Status) -> SendError {
        SendError { status, unsendable: Unsendable::default() }
    }
}

impl From<Unsendable> for SendError {
    fn from(unsendable: Unsendable) -> SendError {
        SendError { status: Status::Unsendable, unsendable }
    }
}
