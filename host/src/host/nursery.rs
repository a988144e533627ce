//! Admission: from a birth that is asked for to an isolate that lives.

use std::cell::RefCell;
use std::sync::Weak;

use insula_wire::{RemoteError, Status};

use super::Inner;
use super::uncaught::{Reporter, Uncaught, resolve};
use crate::abi::{Place, State};
use crate::control::{Control, Cradle, Flags, Lineage, NotAdmitted, Registry};
use crate::error::SpawnError;
use crate::exit::{Exit, IsolateId, Killer};
use crate::grant::{Authority, Grant};
use crate::isolate::{EntryPoint, Life, Module, Undertaker, live};
use crate::limits::Limits;
use crate::outfit::{Outfit, Wasi};
use crate::port::{CapabilityId, Mailbox, Room};
use crate::scheduler::Task;
use crate::spawn::{Birth, Entry, Output, Spawn, Spawner};
use crate::stdio::{Sink, Tail};
use crate::sync::Arc;
use crate::world::{NEVER, Nanos};

/// Bytes of an isolate's standard error that are kept for its exit.
const STDERR_BYTES_KEPT: usize = 4 << 10;

/// Gives birth to children of isolates of one module and one outfit.
struct Nursery {
    host: Weak<Inner>,
    module: Module,
    outfit: Arc<Outfit>,
    place: Weak<Place>,
}

impl Spawner for Nursery {
    fn spawn(&self, parent: &Arc<Control>, birth: Birth) -> Result<Arc<Control>, SpawnError> {
        let host = self.host.upgrade().ok_or(SpawnError::HostClosed)?;
        let missing = birth.grants.iter().find(|grant| !grant.is_within(&self.outfit.grants));
        if let Some(grant) = missing {
            let text = format!("the grant `{grant}` is not within what the parent has");
            return Err(SpawnError::Grant(text));
        }
        let inherited = self.place.upgrade().filter(|_| birth.inherits);
        let (place, outfit) = match inherited {
            Some(place) => (place, Arc::clone(&self.outfit)),
            None => {
                let outfit = Outfit { grants: birth.grants.clone(), ..(*self.outfit).clone() };
                let outfit = Arc::new(outfit);
                (host.place(&self.module, Arc::clone(&outfit)), outfit)
            }
        };
        host.admit(&self.module, birth, Some(parent), place, outfit).map(|(control, _)| control)
    }
}

impl Inner {
    /// Spawns for the embedder.
    pub(super) fn spawn(
        self: &Arc<Inner>,
        module: &Module,
        spawn: Spawn,
        is_main: bool,
    ) -> Result<(Arc<Control>, Arc<Tail>), SpawnError> {
        check_folders(&spawn.grants)?;
        let sink = |output, inherited: &Sink| match output {
            Output::Inherit => inherited.clone(),
            Output::Null => Sink::null(),
        };
        let outfit = Arc::new(Outfit {
            arguments: spawn.arguments,
            grants: spawn.grants,
            stdin: spawn.stdin,
            stdout: sink(spawn.stdout, &self.stdout),
            stderr: sink(spawn.stderr, &self.stderr),
            world: Arc::clone(&self.world),
        });
        let message = spawn.message.map(|message| message.and_then(|encoded| encoded.into_message(self.links.number)));
        let message = message.transpose().map_err(SpawnError::Message)?;
        let on_exit = spawn.on_exit.map(|(right, response)| {
            let response = response.and_then(|encoded| encoded.into_message(self.links.number));
            response.map(|response| (right, response))
        });
        let birth = Birth {
            entry: spawn.entry,
            message,
            name: spawn.name.unwrap_or_default(),
            paused: spawn.paused,
            errors_fatal: spawn.errors_fatal,
            scoped: false,
            inherits: false,
            is_main,
            on_exit: on_exit.transpose().map_err(SpawnError::Listener)?,
            on_error: spawn.on_error,
            limits: spawn.limits,
            ends: NEVER,
            grants: Vec::new(),
        };
        let place = self.place(module, Arc::clone(&outfit));
        self.admit(module, birth, None, place, outfit)
    }

    /// Where isolates of a module live that have the same outfit.
    fn place(self: &Arc<Inner>, module: &Module, outfit: Arc<Outfit>) -> Arc<Place> {
        let (reporter, io) = (Arc::clone(&self.reporter), self.io_handle.clone());
        let (told_module, resolved_module) = (module.clone(), module.clone());
        let fine_clock = outfit.has_fine_clock();
        Arc::new_cyclic(|place| Place {
            registry: Arc::clone(&self.links.registry),
            world: Arc::clone(&self.world),
            spawner: Box::new(Nursery {
                host: Arc::downgrade(self),
                module: module.clone(),
                outfit,
                place: place.clone(),
            }),
            uncaught: Box::new(move |control, error| tell(&reporter, control, error, Some(&told_module))),
            resolve: Box::new(move |stack| {
                let (io, module) = (io.clone(), resolved_module.clone());
                Box::pin(async move {
                    let unresolved = stack.clone();
                    io.spawn_blocking(move || resolve(&module, &stack)).await.unwrap_or(unresolved)
                })
            }),
            fine_clock,
        })
    }

    /// Admits an isolate. From the moment that the registry has it, it is born and will have exactly one exit.
    fn admit(
        self: &Arc<Inner>,
        module: &Module,
        mut birth: Birth,
        parent: Option<&Arc<Control>>,
        place: Arc<Place>,
        outfit: Arc<Outfit>,
    ) -> Result<(Arc<Control>, Arc<Tail>), SpawnError> {
        let entry = module.entry_point(&birth.entry)?;
        birth.limits.memory_bytes_max = birth.limits.memory_bytes_max.min(self.memory_bytes_max);
        let control = self.control(module, &birth, parent);
        if birth.is_main {
            control.flags.set(Flags::MAIN);
        }
        let ends = self.ends(&birth);
        listen(&control, birth.on_exit, birth.on_error)?;
        let admitted = self.links.registry.admit(&control);
        if let Err(refused) = admitted {
            control.unborn();
            return Err(match refused {
                NotAdmitted::Full(max) => SpawnError::TooManyIsolates { max },
                NotAdmitted::Closed => SpawnError::HostClosed,
            });
        }
        self.links.census.born();
        let tail = Arc::new(Tail::new(STDERR_BYTES_KEPT));
        let state = State {
            control: Arc::clone(&control),
            place,
            limits: birth.limits,
            ends,
            memory: None,
            wasi: Wasi::new(outfit, Arc::clone(&tail)),
            initial: birth.message,
            panic: None,
            refused: None,
            last_error: String::new(),
        };
        self.launch(module, entry, state);
        if let Some(killed) = control.lineage.tree_ended() {
            control.end_now(killed);
        }
        if birth.scoped
            && let Some(parent) = parent
            && !parent.adopt(control.id)
        {
            control.end_now(Exit::Killed { by: Killer::Isolate(parent.id) });
        }
        Ok((control, tail))
    }

    fn launch(self: &Arc<Inner>, module: &Module, entry: EntryPoint, state: State) {
        let (control, metered) = (Arc::clone(&state.control), state.limits.cpu_time_max.is_some());
        let life = Life {
            state,
            module: module.clone(),
            entry,
            scheduler: Arc::downgrade(&self.scheduler),
            undertaker: Arc::clone(&self.undertaker),
        };
        Task::launch(Box::pin(live(life)), control, &self.scheduler, &self.hooks, &self.world, metered);
    }

    fn control(&self, module: &Module, birth: &Birth, parent: Option<&Arc<Control>>) -> Arc<Control> {
        let id = self.links.registry.number();
        let limits = &birth.limits;
        Control::new(Cradle {
            id,
            lineage: Lineage::new(id, parent.map(|parent| &parent.lineage)),
            mailbox: Mailbox::new(room(limits)),
            handles_max: limits.handles_max,
            pause_capability: CapabilityId(self.world.number()),
            terminate_capability: CapabilityId(self.world.number()),
            census: Arc::clone(&self.links.census),
            name: if birth.name.is_empty() { default_name(module, &birth.entry) } else { birth.name.clone() },
            paused: birth.paused,
            errors_fatal: birth.errors_fatal,
        })
    }

    /// When the deadline of a new isolate comes: its own, or that of whoever spawned it if that is sooner.
    fn ends(&self, birth: &Birth) -> Nanos {
        let own = birth.limits.deadline.map_or(NEVER, |deadline| self.world.after(deadline));
        own.min(birth.ends)
    }
}

fn listen(
    control: &Arc<Control>,
    on_exit: Option<(crate::port::SendRight, crate::port::Message)>,
    on_error: Option<crate::port::SendRight>,
) -> Result<(), SpawnError> {
    let refused = |status: Status| {
        control.unborn();
        SpawnError::Listener(status)
    };
    if let Some((right, response)) = on_exit {
        control.add_exit_listener(right, response).map_err(refused)?;
    }
    if let Some(right) = on_error {
        control.add_error_listener(right).map_err(refused)?;
    }
    Ok(())
}

fn default_name(module: &Module, entry: &Entry) -> String {
    match entry {
        Entry::Main => {
            let stem = std::path::Path::new(module.name()).file_stem();
            stem.map_or_else(|| "main".to_owned(), |stem| stem.to_string_lossy().into_owned())
        }
        Entry::Export(name) => name.clone(),
        Entry::Index(index) => format!("entry {index}"),
    }
}

/// The room of an isolate's mailbox.
pub(crate) fn room(limits: &Limits) -> Room {
    Room {
        messages_max: limits.mailbox_messages_max,
        bytes_max: limits.mailbox_bytes_max,
        message_bytes_max: limits.message_bytes_max,
        ports_max: limits.ports_max,
    }
}

fn check_folders(grants: &[Grant]) -> Result<(), SpawnError> {
    for grant in grants {
        if let Authority::Folder { host, .. } = &grant.0
            && !host.is_dir()
        {
            return Err(SpawnError::Grant(format!("{}: no such folder", host.display())));
        }
    }
    Ok(())
}

fn tell(reporter: &Reporter, control: &Control, error: RemoteError, module: Option<&Module>) {
    let uncaught = Uncaught { isolate: control.id, name: control.name(), error };
    reporter.tell(uncaught, module.cloned());
}

/// The death step of this host: the isolate's own, and what is left for the host to do after it.
pub(super) fn undertaker(registry: &Arc<Registry>, reporter: &Arc<Reporter>) -> Arc<Undertaker> {
    let (registry, reporter) = (Arc::clone(registry), Arc::clone(reporter));
    Arc::new(move |control: &Arc<Control>, exit: Exit, place: Option<&Place>| {
        let id = control.id;
        // The exit code of a run's main is what the run answers: no news for standard error.
        let handed_on = matches!(exit, Exit::ProcExit { .. }) && control.flags.any(Flags::MAIN);
        let Some(mut dead) = control.die(exit, || registry.depart(id)) else { return };
        match (dead.uncaught.take().filter(|_| !handed_on), place) {
            (Some(error), Some(place)) => (place.uncaught)(control, error),
            (Some(error), None) => tell(&reporter, control, error, None),
            (None, _) => {}
        }
        end_scoped(&registry, id, std::mem::take(&mut dead.scoped));
        drop(dead);
        // Not before: who asks to be told of the end while it is told would hear of it first (semantics 5.1).
        registry.remove(id);
    })
}

thread_local! {
    /// Children that this thread is to end, while it does: a chain of them is ended by a loop, not by recursion.
    static ORPHANS: RefCell<Option<Vec<(IsolateId, IsolateId)>>> = const { RefCell::new(None) };
}

/// Ends the children of a dead parent. One that dies within this loop leaves its own children to it.
fn end_scoped(registry: &Registry, parent: IsolateId, children: Vec<IsolateId>) {
    let children = children.into_iter().map(|child| (parent, child));
    let nested = ORPHANS.with_borrow_mut(|orphans| match orphans {
        Some(orphans) => {
            orphans.extend(children);
            true
        }
        None => {
            *orphans = Some(children.collect());
            false
        }
    });
    if nested {
        return;
    }
    while let Some((parent, child)) = ORPHANS.with_borrow_mut(|orphans| orphans.as_mut().and_then(Vec::pop)) {
        if let Some(child) = registry.find(child) {
            child.end_now(Exit::Killed { by: Killer::Isolate(parent) });
        }
    }
    ORPHANS.set(None);
}
