//! A host: engine, scheduler, the isolates that live, and what an embedder does with them.
//!
//! - [`Host`], [`HostBuilder`]: the embedder's side.
//! - [`Ahead`]: a module that is read while its host is made.
//! - `catalog`: modules that isolates may spawn, by name.
//! - `closing`: the end of all isolates, and who is left behind.
//! - `core_dump`: the state of who traps, for who wants to look at it.
//! - `crew`: the threads of host functions.
//! - `floors`: the engines of one kind, small and large.
//! - `grants`: what an isolate may be given.
//! - `loading`: modules, from bytes and files, here and off the caller's thread; `precompiled`: from code as well.
//! - `nursery`: admission, for embedder and guests alike; the one implementer of `Spawner`.
//! - `observers`: who is told all that happens; `recording`: one that keeps it.
//! - `origin`: who spawned an isolate, and where.
//! - `quarters`: engines, code and threads of one kind of isolates: checked, trusted.
//! - `reading`: all that is counted, for metrics.
//! - `run`: a whole program, from main to the end of all (semantics 5.5).
//! - `sampling`: where isolates are that have a CPU, again and again.
//! - [`Summons`]: what calls whoever waits for a run.
//! - `tasks`: the threads of the host's own tasks.
//! - `undertaker`: what the host does when an isolate dies.
//! - `uncaught`: errors that no listener hears, told off the workers.

mod ahead;
mod builder;
mod catalog;
mod closing;
mod core_dump;
mod crew;
mod floors;
mod grants;
mod last_words;
mod loading;
mod nursery;
mod observers;
mod origin;
mod precompiled;
mod quarters;
#[cfg(feature = "metrics")]
mod reading;
mod recording;
mod run;
mod sampling;
mod shares;
mod summons;
mod tasks;
mod uncaught;
mod undertaker;

pub use ahead::Ahead;
pub use builder::HostBuilder;
pub use core_dump::CoreDump;
pub use last_words::LastWords;
pub use loading::Loading;
pub(crate) use nursery::room;
pub use observers::Observation;
pub use origin::Origin;
#[cfg(feature = "metrics")]
pub(crate) use reading::{Readable, Reading};
pub use recording::{Recorded, Recording};
pub use run::{Ended, Sleeper, Wait};
pub(crate) use shares::{Share, Shares};
pub use summons::Summons;
pub use uncaught::Uncaught;

use std::time::Duration;

use tasks::Tasks;

use crate::account::Account;
use crate::compile::Workshop;
use crate::control::{Control, Hold, Links};
use crate::error::SpawnError;
use crate::files::Desks;
use crate::isolate::{Isolate, Module, Undertaker};
use crate::scheduler::Ticker;
use crate::spawn::Spawn;
use crate::stdio::Sink;
use crate::sync::{Arc, Mutex};
use crate::usage::Usage;
use crate::warning::Watch;
use crate::world::World;
use catalog::Catalog;
use closing::Bells;
use core_dump::Dumps;
use crew::Crew;
use last_words::Graveyard;
use loading::Loads;
use observers::Observers;
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
///
/// It logs by the crate `tracing`, to whatever subscriber the program installs, all with the target `insula`. An isolate has
/// a span of the name `isolate` from its birth to its end, with the fields `host` (a number that tells the hosts of a process
/// apart), `isolate`, `debug_name`, `module` and `parent`. It is entered whenever something is done for the isolate, and on
/// the threads of host functions that it calls, so that what is logged meanwhile is in it. Its events are `born`, `ended` with
/// an [`Exit::reason`](crate::Exit::reason), `uncaught error` and `left behind`; those of a host `host closing`, `compiled`,
/// `taken from the cache` and `not compiled`. Texts of guests are escaped. Turns and messages are not logged: see
/// [`Host::observe`]. Without a subscriber a birth and an end look at one word each.
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
    workshop: Arc<Workshop>,
    loads: Loads,
    world: Arc<World>,
    ticker: Arc<Ticker>,
    undertaker: Arc<Undertaker>,
    reporter: Arc<Reporter>,
    last_words: Arc<Graveyard>,
    tasks: Tasks,
    /// Who is told when the host begins to close.
    bells: Bells,
    crew: Crew,
    desks: Arc<Desks>,
    observers: Arc<Observers>,
    stdout: Sink,
    stderr: Sink,
    /// Trusted isolates that were declared dead in the middle of their code.
    left_behind: Mutex<Vec<Arc<Control>>>,
    isolates_max: u32,
    /// Whether it is kept where in their code isolates spawn others.
    spawn_frames: bool,
    dumps: Option<Arc<Dumps>>,
    /// What all isolates together are charged to, where the host bounds it.
    account: Option<Arc<Account>>,
    /// Who is told of isolates that are near a limit.
    watch: Option<Watch>,
    /// Linear memory of all isolates together, where the host bounds it.
    #[cfg(feature = "metrics")]
    total_memory_bytes_max: Option<u64>,
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
        self.inner.usage()
    }

    /// All isolates that live, in the order of their birth, whoever spawned them, with all authority over them: who has the
    /// host could end it.
    #[must_use]
    pub fn isolates(&self) -> Vec<Isolate> {
        let links = &self.inner.links;
        links.registry.all().into_iter().map(|control| Isolate::of_host(control, links)).collect()
    }

    /// How many isolates live.
    #[must_use]
    pub fn live(&self) -> usize {
        self.inner.links.census.live()
    }

    /// How many file operations hang although their isolates have ended, each on a thread that it holds until it is over:
    /// at a pipe that nobody writes to, or a mount that does not answer. [`Limits::file_operations_max`] bounds them for
    /// each tree of isolates; a host has 512 at most.
    ///
    /// [`Limits::file_operations_max`]: crate::Limits::file_operations_max
    #[must_use]
    pub fn stuck_file_operations(&self) -> usize {
        self.inner.desks.left_behind()
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

    /// As [`Host::usage`].
    fn usage(&self) -> Usage {
        let links = &self.links;
        Usage { memory_bytes_peak: links.census.memory_bytes_peak(), ..links.registry.usage(links.world.now()) }
    }
}
