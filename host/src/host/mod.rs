//! A host: engine, scheduler, the isolates that live, and what an embedder does with them.
//!
//! - [`Host`], [`HostBuilder`]: the embedder's side.
//! - `catalog`: modules that isolates may spawn, by name.
//! - `nursery`: admission, for embedder and guests alike; the one implementer of `Spawner`.
//! - `run`: a whole program, from main to the end of all (semantics 5.5).
//! - `uncaught`: errors that no listener hears, told off the workers.

mod builder;
mod catalog;
mod nursery;
mod run;
mod uncaught;

pub use builder::HostBuilder;
pub(crate) use nursery::room;
pub use run::{Ended, Sleeper};
pub use uncaught::Uncaught;

use std::path::Path;
use std::time::Duration;

use wasmtime::Linker;

use crate::abi::State;
use crate::account::Account;
use crate::control::{Control, Hold, Links};
use crate::error::{LoadError, SpawnError};
use crate::exit::{Exit, IsolateId};
use crate::isolate::{Isolate, Module, Undertaker};
use crate::module::Compiler;
use crate::scheduler::{Hooks, Scheduler, Ticker};
use crate::spawn::Spawn;
use crate::stdio::Sink;
use crate::sync::{Arc, Mutex};
use crate::world::World;
use catalog::Catalog;
use uncaught::Reporter;

/// A house of isolates. Cheap to clone; when the last clone goes, all isolates end.
///
/// Every isolate of a host has a linear memory of its own, and no failure of one reaches another or the host.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::{Exit, Host, Spawn};
/// let host = Host::builder().isolates(10).build()?;
/// let module = host.load("zero", b"(module (func (export \"go\") (drop (i32.div_s (i32.const 1) (i32.const 0)))))")?;
/// let isolate = host.spawn(&module, Spawn::entry("go"))?;
/// assert!(matches!(isolate.join(), Exit::Trapped { kind, .. } if kind == "integer divide by zero"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Host {
    inner: Arc<Inner>,
    _door: Arc<Door>,
}

/// What the host shares with its isolates.
pub(crate) struct Inner {
    links: Arc<Links>,
    compiler: Compiler,
    linker: Linker<State>,
    catalog: Catalog,
    world: Arc<World>,
    scheduler: Arc<dyn Scheduler>,
    ticker: Arc<Ticker>,
    hooks: Arc<Hooks>,
    undertaker: Arc<Undertaker>,
    reporter: Arc<Reporter>,
    io: Mutex<Option<tokio::runtime::Runtime>>,
    io_handle: tokio::runtime::Handle,
    stdout: Sink,
    stderr: Sink,
    isolates_max: u32,
    /// What all isolates together are charged to, where the host bounds it.
    account: Option<Arc<Account>>,
    /// Linear memory that any isolate can be given.
    memory_bytes_max: u64,
}

/// How long a host that is shut down waits for whoever reads what its guests printed.
const LAST_WORDS_PATIENCE: Duration = Duration::from_secs(1);

/// Closes the host when its last user goes; isolates hold the inner part, and are no users.
struct Door(Arc<Inner>);

impl Drop for Door {
    fn drop(&mut self) {
        self.0.shutdown(Duration::ZERO);
        self.0.close();
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("live", &self.live()).finish_non_exhaustive()
    }
}

impl Host {
    /// Settings with safe defaults.
    pub fn builder() -> HostBuilder {
        HostBuilder::default()
    }

    /// Loads a module from a `.wasm` or `.wat` file and compiles it, unless the same bytes were compiled before.
    ///
    /// # Errors
    /// [`LoadError`] names the file and what is wrong with it.
    pub fn load_file(&self, path: impl AsRef<Path>) -> Result<Module, LoadError> {
        self.inner.load_file(path.as_ref())
    }

    /// Loads a module from bytes, binary or text.
    ///
    /// # Errors
    /// [`LoadError`] says what is wrong with it, under this name.
    pub fn load(&self, name: &str, bytes: &[u8]) -> Result<Module, LoadError> {
        self.inner.load(name, bytes)
    }

    /// Spawns an isolate. Its listeners and options are in force before any of its code runs.
    ///
    /// # Errors
    /// [`SpawnError`], for what is known at admission. Whatever goes wrong later is the isolate's
    /// [`Exit`](crate::Exit).
    pub fn spawn(&self, module: &Module, spawn: Spawn) -> Result<Isolate, SpawnError> {
        let (control, tail) = self.inner.spawn(module, spawn, false)?;
        Ok(Isolate::new(control, tail, Hold::new(&self.inner.links)))
    }

    /// How many isolates live.
    #[must_use]
    pub fn live(&self) -> usize {
        self.inner.links.census.live()
    }

    /// How many isolates may live at once.
    #[must_use]
    pub fn isolates_max(&self) -> u32 {
        self.inner.isolates_max
    }

    /// Asks every isolate to end by itself: its `stop_requested` becomes true.
    pub fn request_stop(&self) {
        self.inner.links.registry.all().iter().for_each(|control| control.request_stop());
    }

    /// Admits nobody any more, asks all to end, waits for `grace`, and ends the rest. Says who was ended, and how.
    ///
    /// Blocks the calling thread. Every isolate that ends here does so with [`Exit::HostClosed`], or by itself.
    pub fn shutdown(&self, grace: Duration) -> Vec<(IsolateId, Exit)> {
        self.inner.shutdown(grace)
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }
}

impl Inner {
    fn load_file(&self, path: &Path) -> Result<Module, LoadError> {
        let name = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|source| LoadError::Io { name: name.clone(), source })?;
        self.load(&name, &bytes)
    }

    fn load(&self, name: &str, bytes: &[u8]) -> Result<Module, LoadError> {
        let code = self.compiler.compile(name, bytes)?;
        Module::link(&self.linker, code)
    }

    pub(crate) fn links(&self) -> &Arc<Links> {
        &self.links
    }

    fn shutdown(&self, grace: Duration) -> Vec<(IsolateId, Exit)> {
        self.links.registry.close();
        let living = self.links.registry.all();
        living.iter().for_each(|control| control.request_stop());
        if !grace.is_zero() {
            let census = &self.links.census;
            census.changed().wait_timeout(grace, || census.live() == 0);
        }
        self.end_all();
        self.wait_for(&living);
        self.stdout.drain_for(LAST_WORDS_PATIENCE);
        self.stderr.drain_for(LAST_WORDS_PATIENCE);
        self.reporter.flush();
        living.iter().filter_map(|control| Some((control.id, control.exit()?))).collect()
    }

    /// Ends whoever lives, and waits until nobody does.
    fn end_all(&self) {
        loop {
            let living = self.links.registry.all();
            Control::end_together(&living, &Exit::HostClosed);
            if living.is_empty() {
                break;
            }
            self.wait_for(&living);
        }
        let census = &self.links.census;
        census.changed().wait_until(|| (census.live() == 0).then_some(()));
    }

    fn wait_for(&self, dying: &[Arc<Control>]) {
        self.links.census.changed().wait_until(|| dying.iter().all(|control| control.exit().is_some()).then_some(()));
    }

    /// Everything that was printed and reported is out when this returns.
    fn flush(&self) {
        self.stdout.drain();
        self.stderr.drain();
        self.reporter.flush();
    }

    fn close(&self) {
        self.scheduler.close();
        self.ticker.close();
        self.reporter.close();
        let io = self.io.lock().take();
        if let Some(io) = io {
            io.shutdown_background();
        }
    }
}
