//! What plugins have in common that are looked after together: the policy, and the task that acts by it.

use std::time::Duration;

use insula_wire::MailboxPolicy;
use tokio::sync::oneshot;

use super::core::{Core, Life};
use super::keeper::{Keeper, Member};
use super::relay::Relay;
use super::upgrade::Recipe;
use crate::control::Links;
use crate::error::SpawnError;
use crate::exit::Exit;
use crate::host::Inner;
use crate::isolate::Module;
use crate::limits::Limits;
use crate::ports::{ReceivePort, Request, SendPort};
use crate::restart::Restart;
use crate::spawn::Spawn;
use crate::sync::{Arc, Mutex, Weak};
use crate::until::{self, Bell};

/// Who is ended and started again when one plugin of a [`Group`](crate::Group) dies. The names are Erlang's.
///
/// ```
/// let strategy = insula::Strategy::OneForOne;
/// assert_ne!(strategy, insula::Strategy::OneForAll);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Strategy {
    /// That one only.
    OneForOne,
    /// All of them.
    OneForAll,
    /// That one, and those that were added to the group after it.
    RestForOne,
}

/// Whoever stops a group is told who ended, and how, in that order.
pub(super) type Stopped = oneshot::Sender<Vec<(String, Exit)>>;

/// Tells whoever stopped a group who ended.
pub(super) fn tell_ended(stopped: Vec<Stopped>, ends: &[(String, Exit)]) {
    for stopped in stopped {
        // He may not want to know any more.
        let _ = stopped.send(ends.to_vec());
    }
}

/// What a keeper shares with those who add to its work.
pub(super) struct House {
    pub(super) links: Arc<Links>,
    /// A host that is gone starts nothing.
    pub(super) host: Weak<Inner>,
    pub(super) strategy: Strategy,
    pub(super) restart: Restart,
    pub(super) bell: Arc<Bell>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    joining: Vec<Member>,
    names: Vec<String>,
    /// Where others may be added, for as long as anybody could.
    door: Option<Weak<Door>>,
    stop: Option<Duration>,
    stopped: Vec<Stopped>,
    /// Nobody joins any more.
    is_over: bool,
    /// And nobody is left to stop.
    has_ended: bool,
}

/// Held by whoever may add to a house.
pub(super) struct Door(Arc<Bell>);

impl Drop for Door {
    fn drop(&mut self) {
        self.0.ring();
    }
}

/// A plugin that was born, with the port at which it is reached.
pub(super) struct Newborn {
    pub(super) core: Arc<Core>,
    pub(super) port: SendPort<Request<(), ()>>,
}

impl House {
    /// One whose host tells it when it closes.
    pub(super) fn new(host: &Arc<Inner>, strategy: Strategy, restart: Restart) -> Arc<House> {
        let bell = Arc::<Bell>::default();
        host.keep_bell(&bell);
        let (links, host) = (Arc::clone(host.links()), Arc::downgrade(host));
        Arc::new(House { links, host, strategy, restart, bell, state: Mutex::default() })
    }

    /// Spawns the first isolate of a plugin, which lives at this house from when its keeper knows it.
    pub(super) fn bear(
        &self,
        host: &Arc<Inner>,
        name: Option<&str>,
        module: &Module,
        spawn: Spawn,
    ) -> Result<(Newborn, Member), SpawnError> {
        let tasks = host.tasks().map_err(|none| host.not_without(none))?;
        let limits = Limits { ports_max: 1, ..spawn.limits.clone() };
        let recipe = Recipe { module: module.clone(), spawn };
        let life = Arc::new(Life::open(host, module, recipe.spawn.clone())?);
        let name = name.map_or_else(|| life.isolate().debug_name(), str::to_owned);
        let arrivals = ReceivePort::open(&self.links, &limits, MailboxPolicy::Error);
        let port = arrivals.send_port();
        let core = Core::new(name, Arc::clone(&life), arrivals.port(), &self.bell);
        let member = Member::new(&core, recipe, &life);
        let relayed = Relay::new(Arc::clone(&core), arrivals).run();
        tasks.spawn(until::counted(&self.links.world, relayed));
        Ok((Newborn { core, port }, member))
    }

    /// Opens the house to further members, and starts its keeper.
    pub(super) fn open(self: &Arc<House>, host: &Arc<Inner>) -> Arc<Door> {
        let door = Arc::new(Door(Arc::clone(&self.bell)));
        self.state.lock().door = Some(Arc::downgrade(&door));
        host.run_task(until::counted(&self.links.world, Keeper::new(Arc::clone(self)).keep()));
        door
    }

    /// Reserves a name.
    pub(super) fn name(&self, name: &str) -> Result<(), SpawnError> {
        let mut state = self.state.lock();
        if state.is_over {
            return Err(SpawnError::Invalid("the group has ended".to_owned()));
        }
        if state.names.iter().any(|other| other == name) {
            return Err(SpawnError::Invalid(format!("the group has a plugin `{name}`")));
        }
        state.names.push(name.to_owned());
        Ok(())
    }

    /// A name is free again.
    pub(super) fn forget(&self, name: &str) {
        self.state.lock().names.retain(|other| other != name);
    }

    /// Adds a member; it comes back where the house is over.
    pub(super) fn join(&self, member: Member) -> Result<(), Box<Member>> {
        let mut state = self.state.lock();
        if state.is_over {
            return Err(Box::new(member));
        }
        state.joining.push(member);
        drop(state);
        self.bell.ring();
        Ok(())
    }

    /// Who joined and is not known to the keeper yet, the first one first.
    pub(super) fn joined(&self) -> Option<Member> {
        let mut state = self.state.lock();
        (!state.joining.is_empty()).then(|| state.joining.remove(0))
    }

    /// Asks all to end, sooner where they end already. False where they have.
    pub(super) fn stop(&self, grace: Duration, stopped: Stopped) -> bool {
        let mut state = self.state.lock();
        if state.has_ended {
            return false;
        }
        state.stop = Some(state.stop.map_or(grace, |other| other.min(grace)));
        state.stopped.push(stopped);
        drop(state);
        self.bell.ring();
        true
    }

    pub(super) fn is_to_stop(&self) -> Option<Duration> {
        self.state.lock().stop.take()
    }

    /// As that, and leaves it to be asked again.
    pub(super) fn will_stop(&self) -> Option<Duration> {
        self.state.lock().stop
    }

    pub(super) fn is_over(&self) -> bool {
        self.state.lock().is_over
    }

    /// Nobody joins any more. Those come out who were about to.
    pub(super) fn end(&self) -> Vec<Member> {
        let mut state = self.state.lock();
        state.is_over = true;
        std::mem::take(&mut state.joining)
    }

    /// Nobody is left to stop. Those come out who are to be told who ended.
    pub(super) fn take_stopped(&self) -> Vec<Stopped> {
        let mut state = self.state.lock();
        state.has_ended = true;
        std::mem::take(&mut state.stopped)
    }

    /// Whether nobody can add anything any more; then nobody does.
    pub(super) fn is_deserted(&self) -> bool {
        let mut state = self.state.lock();
        let is_open = state.door.as_ref().is_some_and(|door| door.strong_count() > 0);
        let deserted = state.joining.is_empty() && !is_open;
        state.is_over |= deserted;
        deserted
    }
}
