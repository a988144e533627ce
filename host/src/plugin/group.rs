//! Plugins that are looked after together.

use std::fmt;
use std::time::Duration;

use tokio::sync::oneshot;

use super::Plugin;
use super::house::{Door, House, Strategy};
use crate::error::SpawnError;
use crate::exit::Exit;
use crate::host::Host;
use crate::isolate::Module;
use crate::restart::Restart;
use crate::spawn::Spawn;
use crate::sync::Arc;
use crate::until;

/// Plugins with one policy: what a death of one means for the others, and how many restarts all of them may have.
///
/// When one dies, its [`Strategy`] says who else is ended: those are asked to stop and killed after the policy's
/// [`grace`](Restart::grace), the one that was added last first. After the back-off all of them are started again, in the
/// order in which they were added. Where that happens more often than the policy allows, all of the group end, in reverse
/// order. One that ends as it meant to leaves the group, and the others go on.
///
/// The limit of restarts and the back-off are the group's. A plugin's port outlives all of that, so plugins that know each
/// other's ports need not learn of it, and none of them waits for another one to serve before it is started.
///
/// Cheap to clone. Dropping it ends nobody: each plugin goes on for as long as it can be reached.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use insula::{Host, Restart, Spawn, Strategy};
/// let host = Host::builder().build()?;
/// let (store, index) = (host.load_file("store.wasm")?, host.load_file("index.wasm")?);
/// let group = host.group(Strategy::RestForOne, Restart::on_failure().at_most(5, Duration::from_secs(60)));
/// let store = group.supervise::<String, Vec<u8>>("store", &store, Spawn::entry("store"))?;
/// // It keeps the store's port, and is started again when the store is.
/// let spawn = Spawn::entry("index").message(&store.send_port());
/// let index = group.supervise::<String, Vec<String>>("index", &index, spawn)?;
/// println!("{:?}", index.call(&"words".to_owned(), Duration::from_secs(1))?);
/// for (name, exit) in group.stop(Duration::from_secs(1)) {
///     println!("{name}: {exit}"); // the index first
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Group {
    house: Arc<House>,
    _door: Arc<Door>,
}

impl Host {
    /// A group of plugins, empty yet. It does not keep the host open.
    #[must_use]
    pub fn group(&self, strategy: Strategy, restart: Restart) -> Group {
        let house = House::new(self.inner(), strategy, restart);
        Group { _door: house.open(self.inner()), house }
    }
}

impl Group {
    /// Adds a plugin, under a name that no other one of the group has, and spawns its first isolate; see
    /// [`Host::supervise`].
    ///
    /// # Errors
    /// As [`Host::spawn`], and [`SpawnError::Invalid`] where the group has that name, or has ended.
    pub fn supervise<Q, A>(&self, name: &str, module: &Module, spawn: Spawn) -> Result<Plugin<Q, A>, SpawnError> {
        let host = self.house.host.upgrade().ok_or(SpawnError::HostClosed)?;
        self.house.name(name)?;
        let (newborn, member) =
            self.house.bear(&host, Some(name), module, spawn).inspect_err(|_| self.house.forget(name))?;
        let plugin = Plugin::of(newborn);
        if let Err(member) = self.house.join(member) {
            member.refuse();
            return Err(SpawnError::Invalid("the group has ended".to_owned()));
        }
        Ok(plugin)
    }

    /// Ends all of its plugins for good, the one that was added last first: each is asked to stop, and killed after `grace`.
    /// Says who ended, and how, in that order; nobody where the group had ended already. Blocks the calling thread.
    ///
    /// Where they are being ended already, by another call of this or for the sake of one that died, the shorter time holds.
    pub fn stop(&self, grace: Duration) -> Vec<(String, Exit)> {
        until::block_on(&self.house.links.world, self.stop_async(grace))
    }

    /// As [`Group::stop`], as a future. Where it is dropped after it was first polled, they end all the same.
    pub async fn stop_async(&self, grace: Duration) -> Vec<(String, Exit)> {
        let (stopped, told) = oneshot::channel();
        if !self.house.stop(grace, stopped) {
            return Vec::new();
        }
        told.await.unwrap_or_default()
    }

    /// Whether it was stopped, had more restarts than it may, or lost its host. It takes no plugins any more.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.house.is_over()
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("strategy", &self.house.strategy).finish_non_exhaustive()
    }
}
