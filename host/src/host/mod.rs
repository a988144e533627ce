//! A host: engine, scheduler, the isolates that live, and what an embedder does with them.
//!
//! - [`Host`], [`HostBuilder`]: the embedder's side.
//! - `catalog`: modules that isolates may spawn, by name.
//! - `closing`: the end of all isolates, and who is left behind.
//! - `crew`: the threads of host functions.
//! - `grants`: what an isolate may be given.
//! - `nursery`: admission, for embedder and guests alike; the one implementer of `Spawner`.
//! - `quarters`: engine, code and threads of one kind of isolates: checked, trusted.
//! - `run`: a whole program, from main to the end of all (semantics 5.5).
//! - `uncaught`: errors that no listener hears, told off the workers.

mod builder;
mod catalog;
mod closing;
mod crew;
mod grants;
mod nursery;
mod quarters;
mod run;
mod uncaught;

pub use builder::HostBuilder;
pub(crate) use nursery::room;
pub use run::{Ended, Sleeper, Wait};
pub use uncaught::Uncaught;

use std::path::Path;
use std::time::Duration;

use crate::account::Account;
use crate::control::{Control, Hold, Links};
use crate::digest::Sha256;
use crate::error::{LoadError, SpawnError};
use crate::isolate::{Isolate, Module, Undertaker};
use crate::module::expect;
use crate::scheduler::Ticker;
use crate::spawn::Spawn;
use crate::stdio::Sink;
use crate::sync::{Arc, Mutex};
use crate::usage::Usage;
use crate::warning::Watch;
use crate::world::World;
use catalog::Catalog;
use closing::Bells;
use crew::Crew;
use quarters::{Quarters, Trusted};
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
    checked: Quarters,
    trusted: Trusted,
    catalog: Catalog,
    world: Arc<World>,
    ticker: Arc<Ticker>,
    undertaker: Arc<Undertaker>,
    reporter: Arc<Reporter>,
    io: Mutex<Option<tokio::runtime::Runtime>>,
    io_handle: tokio::runtime::Handle,
    /// Who is told when the host begins to close.
    bells: Bells,
    crew: Crew,
    stdout: Sink,
    stderr: Sink,
    /// Trusted isolates that were declared dead in the middle of their code.
    left_behind: Mutex<Vec<Arc<Control>>>,
    isolates_max: u32,
    /// What all isolates together are charged to, where the host bounds it.
    account: Option<Arc<Account>>,
    /// Who is told of isolates that are near a limit.
    watch: Option<Watch>,
    /// Linear memory that any isolate can be given.
    memory_bytes_max: u64,
}

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

    /// As [`Host::load`], of the bytes that have this sha256 and no others. It is that of the bytes as they are given
    /// here, of a text in the text format too, and looked at before anything else is done with them.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use insula::{Host, LoadError, Sha256};
    /// let host = Host::builder().isolates(1).build()?;
    /// let reviewed: Sha256 = "c8b6cfd2ae1cb2ff4bb43a1fd4f9e9d7d9e5cf1d6f2e8c4b5a697887f6e5d4c3".parse()?;
    /// let error = host.load_expecting("plugin", b"(module)", &reviewed).unwrap_err();
    /// assert!(matches!(error, LoadError::WrongDigest { found, .. } if found == Sha256::of(b"(module)")));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`LoadError::WrongDigest`], and those of [`Host::load`].
    pub fn load_expecting(&self, name: &str, bytes: &[u8], sha256: &Sha256) -> Result<Module, LoadError> {
        expect(name, bytes, sha256)?;
        self.inner.load(name, bytes)
    }

    /// As [`Host::load_expecting`], from a `.wasm` or `.wat` file, which is read once.
    ///
    /// # Errors
    /// As [`Host::load_expecting`], and [`LoadError::Io`].
    pub fn load_file_expecting(&self, path: impl AsRef<Path>, sha256: &Sha256) -> Result<Module, LoadError> {
        let (name, bytes) = read(path.as_ref())?;
        self.load_expecting(&name, &bytes, sha256)
    }

    /// As [`Host::load`], of a module that is trusted to give way by itself.
    ///
    /// Its code is compiled without the checks by which other code is preempted and killed anywhere. Tight loops get up to
    /// 5.5 times as fast by that, serialization 1.3 times, and what waits for messages gains nothing. What is given up, for
    /// all isolates of this module, those that its own isolates spawn included:
    ///
    /// - A kill acts where the isolate waits, sends, receives or returns. One that loops is not killed, ever.
    /// - A deadline and a limit of CPU time act there too, and no sooner.
    /// - It holds its thread until it waits. Trusted isolates have threads of their own
    ///   ([`HostBuilder::trusted_threads`]), so one that loops holds up other trusted ones, and nobody else.
    /// - A host that is closed does not wait for one that loops: it is reported, dead, and its thread
    ///   [left behind](Host::left_behind) with all that it runs on.
    ///
    /// Everything else is as for any isolate: its own memory, its limits, its grants. So it is for code of one's own, built
    /// from sources of one's own, that computes much; never for what a stranger gave. How many may live at once is
    /// [`HostBuilder::trusted_isolates`]. Whoever may spawn a module by the name that it is [offered](Host::offer) under
    /// spawns it as trusted as it was loaded.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use insula::{Exit, Host, Spawn};
    /// let host = Host::builder().isolates(1).trusted_isolates(1).build()?;
    /// let sum = host.load_trusted("sum", b"(module (func (export \"sum\")))")?;
    /// assert!(sum.is_trusted());
    /// assert_eq!(host.spawn(&sum, Spawn::entry("sum"))?.join(), Exit::Returned);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`LoadError`] as [`Host::load`]; [`LoadError::NotTrusted`] where there is no room for trusted isolates, and in a
    /// host with a seed, whose one thread is for isolates that can be preempted.
    pub fn load_trusted(&self, name: &str, bytes: &[u8]) -> Result<Module, LoadError> {
        self.inner.load_trusted(name, bytes)
    }

    /// As [`Host::load_trusted`], from a `.wasm` or `.wat` file.
    ///
    /// # Errors
    /// As [`Host::load_trusted`].
    pub fn load_trusted_file(&self, path: impl AsRef<Path>) -> Result<Module, LoadError> {
        let (name, bytes) = read(path.as_ref())?;
        self.inner.load_trusted(&name, &bytes)
    }

    /// Spawns an isolate. Its listeners and options are in force before any of its code runs.
    ///
    /// # Errors
    /// [`SpawnError`], for what is known at admission. Whatever goes wrong later is the isolate's
    /// [`Exit`](crate::Exit).
    pub fn spawn(&self, module: &Module, spawn: Spawn) -> Result<Isolate, SpawnError> {
        self.inner.spawn_isolate(module, spawn)
    }

    /// What all isolates of this host used so far, the dead too, and what the living have now: the sum of all
    /// [`Isolate::usage`], but for the peak of memory, which is that of all together.
    ///
    /// It looks at each isolate that lives, one after another.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let links = &self.inner.links;
        Usage { memory_bytes_peak: links.census.memory_bytes_peak(), ..links.registry.usage(links.world.now()) }
    }

    /// How many isolates live.
    #[must_use]
    pub fn live(&self) -> usize {
        self.inner.links.census.live()
    }

    /// How many isolates may live at once, those of trusted modules aside.
    #[must_use]
    pub fn isolates_max(&self) -> u32 {
        self.inner.isolates_max
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }
}

impl Inner {
    fn load_file(&self, path: &Path) -> Result<Module, LoadError> {
        let (name, bytes) = read(path)?;
        self.load(&name, &bytes)
    }

    fn load(&self, name: &str, bytes: &[u8]) -> Result<Module, LoadError> {
        self.checked.load(name, bytes)
    }

    fn load_trusted(&self, name: &str, bytes: &[u8]) -> Result<Module, LoadError> {
        let quarters = self.trusted.needed();
        quarters.map_err(|source| LoadError::NotTrusted { name: name.to_owned(), source })?.load(name, bytes)
    }

    /// Where the isolates of a module live. None if it was loaded by another host.
    fn quarters_of(&self, module: &Module) -> Option<&Quarters> {
        let quarters = if module.is_trusted() { self.trusted.made() } else { Some(&self.checked) };
        quarters.filter(|quarters| quarters.has(module))
    }

    pub(crate) fn links(&self) -> &Arc<Links> {
        &self.links
    }

    /// As [`Host::spawn`].
    pub(crate) fn spawn_isolate(self: &Arc<Inner>, module: &Module, spawn: Spawn) -> Result<Isolate, SpawnError> {
        let (control, printed) = self.spawn(module, spawn, false)?;
        Ok(Isolate::new(control, printed, Hold::new(&self.links)))
    }

    /// Where the host's own tasks run, which never block.
    pub(crate) fn tasks(&self) -> &tokio::runtime::Handle {
        &self.io_handle
    }
}

fn read(path: &Path) -> Result<(String, Vec<u8>), LoadError> {
    let name = path.display().to_string();
    match std::fs::read(path) {
        Ok(bytes) => Ok((name, bytes)),
        Err(source) => Err(LoadError::Io { name, source }),
    }
}
