//! How modules are loaded: from bytes and from files, on the caller's thread, or off it.
//!
//! A load returns at the latest when its compile exceeds the wall limit, so none of the threads here is held for good. A
//! load off the caller's thread belongs to nobody: who drops its [`Loading`] drops the answer, and when the host closes the
//! answer is that.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::{Semaphore, oneshot};

use super::quarters::Quarters;
use super::tasks::NoTasks;
use super::{Host, Inner};
use crate::digest::Sha256;
use crate::error::LoadError;
use crate::isolate::Module;
use crate::module::expect;
use crate::sync::Arc;

/// Turns of loads off the caller's thread: as many at once as can be compiled at once.
pub(super) struct Loads(Arc<Semaphore>);

/// A load that is under way, as a future; see [`Host::load_async`]. It needs no executor of a certain kind.
///
/// Dropping it takes nothing back: what is compiled goes to the cache.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::{Host, LoadError};
/// let host = Host::builder().isolates(1).build()?;
/// async fn both(host: &Host) -> Result<bool, LoadError> {
///     let (one, two) = (host.load_async("one", "(module)"), host.load_async("two", "(module)"));
///     Ok(one.await?.digest() == two.await?.digest())
/// }
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// assert!(runtime.block_on(both(&host))?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a load that nobody awaits loads into the cache only"]
pub struct Loading {
    name: String,
    loaded: oneshot::Receiver<Result<Module, LoadError>>,
}

impl Future for Loading {
    type Output = Result<Module, LoadError>;

    fn poll(mut self: Pin<&mut Loading>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let loaded = Pin::new(&mut self.loaded).poll(cx);
        loaded.map(|loaded| loaded.unwrap_or_else(|_| Err(LoadError::HostClosed { name: self.name.clone() })))
    }
}

impl Loads {
    pub(super) fn new(at_once: u32) -> Loads {
        Loads(Arc::new(Semaphore::new(usize::try_from(at_once).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS))))
    }
}

impl Host {
    /// Loads a module from a `.wasm` or `.wat` file and compiles it, unless the same bytes were compiled before.
    ///
    /// # Errors
    /// [`LoadError`] names the file and what is wrong with it.
    pub fn load_file(&self, path: impl AsRef<Path>) -> Result<Module, LoadError> {
        self.inner().load_file(path.as_ref())
    }

    /// Loads a module from bytes, binary or text.
    ///
    /// # Errors
    /// [`LoadError`] says what is wrong with it, under this name.
    pub fn load(&self, name: &str, bytes: &[u8]) -> Result<Module, LoadError> {
        self.inner().load(name, bytes.into())
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
        self.inner().load(name, bytes.into())
    }

    /// As [`Host::load_expecting`], from a `.wasm` or `.wat` file, which is read once.
    ///
    /// # Errors
    /// As [`Host::load_expecting`], and [`LoadError::Io`].
    pub fn load_file_expecting(&self, path: impl AsRef<Path>, sha256: &Sha256) -> Result<Module, LoadError> {
        let (name, bytes) = self.inner().read(path.as_ref())?;
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
    ///   ([`HostBuilder::trusted_threads`](crate::HostBuilder::trusted_threads)), so one that loops holds up other trusted ones, and nobody else.
    /// - A host that is closed does not wait for one that loops: it is reported, dead, and its thread
    ///   [left behind](Host::left_behind) with all that it runs on.
    ///
    /// Everything else is as for any isolate: its own memory, its limits, its grants. So it is for code of one's own, built
    /// from sources of one's own, that computes much; never for what a stranger gave. How many may live at once is
    /// [`HostBuilder::trusted_isolates`](crate::HostBuilder::trusted_isolates). Whoever may spawn a module by the name that it is [offered](Host::offer) under
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
        self.inner().load_trusted(name, bytes.into())
    }

    /// As [`Host::load_trusted`], from a `.wasm` or `.wat` file.
    ///
    /// # Errors
    /// As [`Host::load_trusted`].
    pub fn load_trusted_file(&self, path: impl AsRef<Path>) -> Result<Module, LoadError> {
        let (name, bytes) = self.inner().read(path.as_ref())?;
        self.inner().load_trusted(&name, bytes.into())
    }

    /// As [`Host::load`], off the calling thread: the load begins now, and the future has what comes of it. As many are under
    /// way as modules may be [compiled at once](crate::CompileLimits::at_once); further ones wait for their turn.
    ///
    /// # Errors
    /// As [`Host::load`], and [`LoadError::HostClosed`] when the host is dropped meanwhile.
    pub fn load_async(&self, name: &str, bytes: impl Into<Vec<u8>>) -> Loading {
        let (called, bytes) = (name.to_owned(), bytes.into());
        self.inner().load_aside(name.to_owned(), move |host| host.load(&called, bytes.into()))
    }

    /// As [`Host::load_async`], of a `.wasm` or `.wat` file, which is read off the calling thread too.
    ///
    /// # Errors
    /// As [`Host::load_file`], and [`LoadError::HostClosed`] when the host is dropped meanwhile.
    pub fn load_file_async(&self, path: impl Into<PathBuf>) -> Loading {
        let path = path.into();
        self.inner().load_aside(path.display().to_string(), move |host| host.load_file(&path))
    }

    /// How many compiles exceeded the time that [`CompileLimits::wall`](crate::CompileLimits::wall) gives, and go on: their
    /// loads were refused, their threads cannot be stopped. What comes of them goes to the cache.
    ///
    /// Each takes a place of those that may [compile at once](crate::CompileLimits::at_once). Where that is a danger,
    /// modules are compiled [in a child](crate::HostBuilder::compile_in_child).
    #[must_use]
    pub fn compiles_left_behind(&self) -> usize {
        self.inner().workshop.left_behind() as usize
    }
}

impl Inner {
    pub(super) fn load_file(&self, path: &Path) -> Result<Module, LoadError> {
        let (name, bytes) = self.read(path)?;
        self.load(&name, bytes.into())
    }

    /// What a file holds, and its name. Of one that exceeds the limit no more is read.
    fn read(&self, path: &Path) -> Result<(String, Vec<u8>), LoadError> {
        let (name, limits) = (path.display().to_string(), &self.workshop.limits);
        match read(path, limits.bytes_max) {
            Ok((bytes, length)) => match limits.check_length(length) {
                Ok(()) => Ok((name, bytes)),
                Err(refusal) => Err(refusal.of(&name)),
            },
            Err(source) => Err(LoadError::Io { name, source }),
        }
    }

    fn load(&self, name: &str, bytes: Cow<'_, [u8]>) -> Result<Module, LoadError> {
        self.checked.load(name, bytes, None)
    }

    fn load_trusted(&self, name: &str, bytes: Cow<'_, [u8]>) -> Result<Module, LoadError> {
        self.trusted_for(name)?.load(name, bytes, None)
    }

    /// The quarters of trusted isolates, for a module of this name.
    pub(super) fn trusted_for(&self, name: &str) -> Result<&Quarters, LoadError> {
        self.trusted.needed().map_err(|source| LoadError::NotTrusted { name: name.to_owned(), source })
    }

    /// Loads on a thread of ours, when its turn comes.
    fn load_aside(
        self: &Arc<Inner>,
        name: String,
        load: impl FnOnce(&Inner) -> Result<Module, LoadError> + Send + 'static,
    ) -> Loading {
        let (host, closed) = (Arc::clone(self), LoadError::HostClosed { name: name.clone() });
        let ((done, loaded), at_work) = (oneshot::channel(), self.world.at_work());
        let tasks = match self.tasks() {
            Ok(tasks) => tasks,
            Err(none) => {
                let refused = match none {
                    NoTasks::Closed => closed,
                    NoTasks::System(source) => LoadError::Io { name: name.clone(), source },
                };
                // Who waits for it has the other end here still.
                let _ = done.send(Err(refused));
                return Loading { name, loaded };
            }
        };
        tasks.spawn(async move {
            // Until whoever waits for it was woken.
            let _at_work = at_work;
            let Ok(turn) = Arc::clone(&host.loads.0).acquire_owned().await else { return };
            let outcome = tokio::task::spawn_blocking(move || {
                // Kept until it is over, also where nobody waits any more.
                let _turn = turn;
                load(&host)
            });
            // Whoever is gone does not want it.
            let _ = done.send(outcome.await.unwrap_or(Err(closed)));
        });
        Loading { name, loaded }
    }
}

/// Not much more than so many bytes of a file, and how many it has.
fn read(path: &Path, bytes_max: u64) -> io::Result<(Vec<u8>, u64)> {
    read_open(File::open(path)?, bytes_max)
}

/// The same of an open one.
pub(super) fn read_open(file: File, bytes_max: u64) -> io::Result<(Vec<u8>, u64)> {
    let length = file.metadata()?.len();
    let mut bytes = Vec::with_capacity(usize::try_from(length.min(bytes_max)).unwrap_or(0));
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    let found = length.max(bytes.len() as u64);
    Ok((bytes, found))
}
