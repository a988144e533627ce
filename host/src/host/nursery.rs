//! Admission: from a birth that is asked for to an isolate that lives.

#[cfg(feature = "testing")]
mod staged;

use std::hash::Hasher as _;
use std::sync::{OnceLock, Weak};
use std::time::Duration;

use insula_wire::Status;
use insula_wire::codec::Unsendable;

#[cfg(feature = "testing")]
use super::floors;
use super::last_words;
use super::quarters::Quarters;
use super::uncaught::{Report, resolve, resolves_soon};
use super::undertaker::note_uncaught;
use super::{Inner, grants, origin};
use crate::abi::{Fetching, Place, Recent, State, TakeDump, Within};
use crate::control::{Accounts, Control, Cradle, Flags, Lineage, NotAdmitted};
use crate::error::{SendError, SpawnError};
use crate::event::Happened;
use crate::exit::{Exit, Killer};
use crate::grant::Grant;
use crate::hash::NumberHasher;
use crate::isolate::{EntryPoint, Life, Module, live, live_trusted};
use crate::limits::Limits;
use crate::log;
use crate::outfit::{Outfit, Seed, Wasi};
use crate::port::codec::Encoded;
use crate::port::{CapabilityId, Charged, Claims, Mailbox, Room};
use crate::scheduler::{Kept, Living, Task};
use crate::spawn::{Birth, Entry, Program, Spawn, Spawner, error_schema};
use crate::stdio::{Printed, Sink, Tail};
use crate::sync::Arc;
use crate::warning::Alarm;
use crate::world::{NEVER, Nanos};

/// Gives birth to children of isolates of one module and one outfit.
struct Nursery {
    host: Weak<Inner>,
    module: Module,
    outfit: Arc<Outfit>,
    place: Weak<Place>,
}

/// Who spawns, where that is a guest.
#[derive(Clone, Copy)]
struct Parent<'a> {
    control: &'a Arc<Control>,
    module: &'a Module,
}

impl Spawner for Nursery {
    fn spawn(&self, parent: &Arc<Control>, birth: Birth) -> Result<Arc<Control>, SpawnError> {
        let host = self.host.upgrade().ok_or(SpawnError::HostClosed)?;
        let grants = grants::hand_on(&birth.grants, &self.outfit.grants)?;
        let module = match &birth.program {
            None => self.module.clone(),
            Some(Program { module, .. }) => {
                host.catalog().loaded(module).ok_or_else(|| SpawnError::NoModule { module: module.clone() })?
            }
        };
        let as_parent = birth.inherits && birth.program.is_none() && self.outfit.seed.is_none();
        let as_parent = as_parent && grants.iter().all(|grant| self.outfit.grants.contains(grant));
        let same_place = self.place.upgrade().filter(|_| as_parent);
        let (place, outfit) = match same_place {
            Some(place) => (place, Arc::clone(&self.outfit)),
            None => {
                let outfit = Arc::new(self.outfit_of(&birth, grants));
                (host.place(&module, Arc::clone(&outfit)), outfit)
            }
        };
        let parent = Parent { control: parent, module: &self.module };
        host.admit(&module, birth, Some(parent), place, outfit).map(|(control, _)| control)
    }
}

impl Nursery {
    /// What a child has that differs from its parent in grants, in module, or in its seed. All else, a clock that stands
    /// still among it, is its parent's.
    fn outfit_of(&self, birth: &Birth, mut grants: Vec<Grant>) -> Outfit {
        let mut outfit = (*self.outfit).clone();
        if birth.inherits {
            grants.retain(|grant| !outfit.grants.contains(grant));
            outfit.grants.append(&mut grants);
        } else {
            outfit.grants = grants;
            outfit.functions = None;
        }
        outfit.seed = outfit.seed.as_deref().map(Seed::of_next_child);
        if let Some(Program { module, arguments }) = &birth.program {
            outfit.arguments = std::iter::once(module).chain(arguments).cloned().collect();
        }
        outfit
    }
}

impl Inner {
    /// Spawns for the embedder.
    pub(super) fn spawn(
        self: &Arc<Inner>,
        module: &Module,
        spawn: Spawn,
        is_main: bool,
    ) -> Result<(Arc<Control>, Printed), SpawnError> {
        grants::check(&spawn.grants)?;
        #[cfg(feature = "testing")]
        let seed = self.staged_seed(&spawn)?;
        #[cfg(not(feature = "testing"))]
        let seed = spawn.seed;
        grants::check_functions(&spawn.functions, self.links.number)?;
        let files = spawn.grants.iter().any(Grant::is_folder);
        let files = files.then(|| self.desks.of_tree(spawn.limits.file_operations_max));
        let outfit = Arc::new(Outfit {
            arguments: spawn.arguments,
            grants: spawn.grants,
            functions: (!spawn.functions.is_empty()).then(|| spawn.functions.into()),
            data: spawn.data,
            stdin: spawn.stdin,
            stdout: Sink::of(spawn.stdout, &self.stdout),
            stderr: Sink::of(spawn.stderr, &self.stderr),
            fixed_clock: spawn.fixed_clock,
            seed: seed.map(Seed::new),
            files,
            world: Arc::clone(&self.world),
        });
        let number = self.links.number;
        let own = |encoded: Result<Encoded, Unsendable>| -> Result<_, SendError> { Ok(encoded?.into_message(number)?) };
        let message = spawn.message.map(own);
        let (message, claims) = message.transpose().map_err(SpawnError::Message)?.unzip();
        let on_exit =
            spawn.on_exit.map(|(right, response)| own(response).map(|(response, claims)| ((right, response), claims)));
        let (on_exit, more_claims) = on_exit.transpose().map_err(SpawnError::Listener)?.unzip();
        let birth = Birth {
            entry: spawn.entry,
            program: None,
            message,
            name: spawn.name.unwrap_or_default(),
            paused: spawn.paused,
            errors_fatal: spawn.errors_fatal,
            scoped: false,
            inherits: false,
            is_main,
            on_exit,
            on_error: spawn.on_error,
            limits: spawn.limits,
            ends: NEVER,
            grants: Vec::new(),
            frames: Vec::new(),
            context: spawn.context,
            #[cfg(feature = "testing")]
            faults: spawn.faults,
        };
        let place = self.place(module, Arc::clone(&outfit));
        let [stdout, stderr] = [&outfit.stdout, &outfit.stderr].map(|sink| sink.captured().cloned());
        let (control, tail) = self.admit(module, birth, None, place, outfit)?;
        claims.into_iter().chain(more_claims).for_each(Claims::settle);
        Ok((control, Printed { tail, stdout, stderr }))
    }

    /// Where isolates of a module live that have the same outfit.
    fn place(self: &Arc<Inner>, module: &Module, outfit: Arc<Outfit>) -> Arc<Place> {
        let (reporter, host) = (Arc::clone(&self.reporter), Arc::downgrade(self));
        let links = Arc::clone(&self.links);
        let (told_module, resolved_module) = (module.clone(), module.clone());
        let fine_clock = outfit.has_fine_clock();
        let grants = outfit.grants.clone();
        let namespace = outfit.namespace().map(str::to_owned);
        let functions = outfit.functions.clone();
        Arc::new_cyclic(|place| Place {
            links: Arc::clone(&self.links),
            module: module.as_any(),
            namespace,
            functions,
            world: Arc::clone(&self.world),
            spawner: Box::new(Nursery {
                host: Arc::downgrade(self),
                module: module.clone(),
                outfit,
                place: place.clone(),
            }),
            uncaught: Box::new(move |control, error, exit| {
                note_uncaught(&links, control, &error);
                reporter.tell(Report::new(control, &links, (error, exit.cloned()), Some(&told_module)));
            }),
            resolve: Box::new(move |stack| {
                if resolves_soon(&resolved_module, &stack) {
                    return Box::pin(std::future::ready(resolve(&resolved_module, &stack)));
                }
                let (unresolved, module) = (stack.clone(), resolved_module.clone());
                let host = host.upgrade();
                let tasks = host.as_ref().and_then(|host| host.tasks().ok());
                let resolved = tasks.map(|tasks| tasks.spawn_blocking(move || resolve(&module, &stack)));
                Box::pin(async move {
                    match resolved {
                        Some(resolved) => resolved.await.unwrap_or(unresolved),
                        None => unresolved,
                    }
                })
            }),
            fetch: self.fetcher(grants),
            fine_clock,
            dump: self
                .dumps
                .clone()
                .map(|dumps| -> Box<TakeDump> { Box::new(move |control, make| dumps.take(control, make)) }),
            spawn_frames: self.spawn_frames,
        })
    }

    /// What has a module ready for isolates that have these grants.
    fn fetcher(self: &Arc<Inner>, grants: Vec<Grant>) -> Box<dyn Fn(String) -> Fetching + Send + Sync> {
        let host = Arc::downgrade(self);
        Box::new(move |module| {
            let allowed = Grant::module(module.as_str()).within(&grants).is_some();
            let host = host.upgrade().filter(|_| allowed);
            let at_work = host.as_ref().map(|host| host.world.at_work());
            Box::pin(async move {
                let _at_work = at_work;
                match host {
                    Some(host) => host.fetch(module).await,
                    None => {
                        Err((format!("spawning the module `{module}` needs a grant: Grant::module"), Status::Denied))
                    }
                }
            })
        })
    }

    /// Admits an isolate. From the moment that the registry has it, it is born and will have exactly one exit.
    fn admit(
        self: &Arc<Inner>,
        module: &Module,
        mut birth: Birth,
        parent: Option<Parent<'_>>,
        place: Arc<Place>,
        outfit: Arc<Outfit>,
    ) -> Result<(Arc<Control>, Arc<Tail>), SpawnError> {
        let elsewhere = || SpawnError::Invalid(format!("{}: the module was loaded by another host", module.name()));
        let quarters = self.quarters_of(module).ok_or_else(elsewhere)?;
        let module = quarters.place(module)?;
        let entry = module.entry_point(&birth.entry)?;
        self.prepare(quarters, &mut birth)?;
        let (spawner, parent) = (parent, parent.map(|parent| parent.control));
        let context = birth.context.or_else(|| birth.message.as_ref()?.attachments.trace_context());
        let control = self.control(&module, &mut birth, parent)?;
        control.lineage.is_of(kin(&module, &birth.entry, &control.name()));
        if birth.is_main {
            control.flags.set(Flags::MAIN);
        }
        if module.is_trusted() {
            control.flags.set(Flags::TRUSTED);
        }
        let admitted = self.world.now();
        let ends = ends(&birth, admitted);
        listen(&control, birth.on_exit, birth.on_error)?;
        self.bear(&module, &control, parent, admitted)?;
        let tail = last_words::tail(&control, birth.limits.stderr_bytes_max);
        origin::settle(&control, &place, birth.frames, spawner.map(|spawner| spawner.module));
        let state = State {
            control: Arc::clone(&control),
            place,
            limits: birth.limits,
            says_entered: module.says_entered(),
            admitted,
            ends,
            memory: None,
            wasi: Wasi::new(outfit, Arc::clone(&tail)),
            panic: None,
            panicking: std::cell::Cell::new(false),
            refused: None,
            last_error: String::new(),
            within: Within::new(context),
            #[cfg(feature = "testing")]
            script: birth.faults.map(crate::faults::Script::new),
            receives: Recent::default(),
            sends: Recent::default(),
        };
        self.launch(quarters, module, entry, state);
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

    /// Lowers the limits of one more isolate to what there is room for, and sees to it that there are the threads that it needs.
    /// The main of a run has that of whoever waits for it, and as long as it is alone, and its time has no limit, nobody has
    /// to interrupt it.
    fn prepare(&self, quarters: &Quarters, birth: &mut Birth) -> Result<(), SpawnError> {
        quarters.bound(&mut birth.limits);
        let Limits { cpu_time_max, deadline, run_deadline, .. } = &birth.limits;
        let is_timed = cpu_time_max.or(*deadline).or(*run_deadline).is_some();
        let scheduler = &quarters.scheduler;
        if birth.is_main && !is_timed && scheduler.works_here() {
            return Ok(());
        }
        let staffed = scheduler.staff().and_then(|()| self.ticker.ensure());
        staffed.map_err(|error| SpawnError::NoRoom { max: self.isolates_max, reason: error.to_string() })
    }

    /// Has the registry take it: with that it is born.
    fn bear(
        &self,
        module: &Module,
        control: &Arc<Control>,
        parent: Option<&Arc<Control>>,
        admitted: Nanos,
    ) -> Result<(), SpawnError> {
        if let Err(refused) = self.links.registry.admit(control) {
            control.unborn();
            return Err(match refused {
                NotAdmitted::Full(max) if control.flags.any(Flags::TRUSTED) => SpawnError::TooManyTrusted { max },
                NotAdmitted::Full(max) => SpawnError::TooManyIsolates { max },
                NotAdmitted::Closed => SpawnError::HostClosed,
            });
        }
        self.links.census.born();
        self.links.tally.born();
        log::born(self.links.number, control, module.name(), parent.map(|parent| &**parent));
        #[cfg(feature = "testing")]
        staged::born(&self.world, control, parent);
        self.links.recorder.rare(admitted, control.id, || Happened::Born {
            name: control.name(),
            module: module.name().to_owned(),
            parent: parent.map(|parent| parent.id),
        });
        Ok(())
    }

    fn launch(&self, quarters: &Quarters, module: Module, entry: EntryPoint, state: State) {
        let control = Arc::clone(&state.control);
        if self.links.recorder.has_spans() {
            state.enter(state.within.context(), state.admitted);
        }
        if let Some(data) = &state.wasi.outfit.data {
            *control.data.lock() = Some(Arc::clone(data));
        }
        let kept = Kept { metered: state.limits.cpu_time_max.is_some(), timed: state.limits.run_deadline.is_some() };
        #[cfg(feature = "testing")]
        let module = if state.script.is_some() { floors::gated(&module) } else { module };
        let is_trusted = module.is_trusted();
        let life = Box::new(Life {
            state,
            module,
            entry,
            scheduler: Arc::downgrade(&quarters.scheduler),
            undertaker: Arc::clone(&self.undertaker),
        });
        let life: Living = if is_trusted { Box::pin(live_trusted(life)) } else { Box::pin(live(life)) };
        Task::launch(life, control, &quarters.scheduler, &quarters.hooks, &self.world, kept);
    }

    fn control(
        &self,
        module: &Module,
        birth: &mut Birth,
        parent: Option<&Arc<Control>>,
    ) -> Result<Arc<Control>, SpawnError> {
        let id = self.links.registry.number();
        let limits = &birth.limits;
        if limits.fuel_max.is_some() && !module.counts_fuel() {
            return Err(SpawnError::Invalid(NOT_COUNTED.to_owned()));
        }
        let depth = parent.map_or(0, |parent| parent.lineage.depth() + 1);
        if let Some(value) = limits.depth_max.filter(|max| depth > *max) {
            return Err(SpawnError::Limit { which: "depth", value });
        }
        let above = parent.map_or(self.account.as_ref(), |parent| parent.accounts.below());
        let name = if birth.name.is_empty() { default_name(module, &birth.entry) } else { birth.name.clone() };
        let alarm = self.watch.as_ref().map(|watch| Alarm::new(id, &name, watch));
        let (sender_percent_max, account) = (limits.sender_percent_max, above.cloned());
        let charged = Charged { sender_percent_max, account, alarm: alarm.clone() };
        let mailbox = Mailbox::of_isolate(id.0, room(limits), charged);
        birth
            .message
            .take()
            .map_or(Ok(()), |message| mailbox.bear(message))
            .map_err(|status| SpawnError::Message(status.into()))?;
        let accounts = Accounts::open(above, limits.of_tree(), alarm.as_ref()).map_err(|exceeded| {
            drop(mailbox.close());
            SpawnError::Limit { which: exceeded.which, value: exceeded.value }
        })?;
        Ok(Control::new(Cradle {
            id,
            lineage: Lineage::new(id, parent.map(|parent| &parent.lineage)),
            mailbox,
            handles_max: limits.handles_max,
            blob_bytes_max: limits.blob_bytes_max,
            accounts,
            alarm,
            pause_capability: CapabilityId(self.world.number()),
            terminate_capability: CapabilityId(self.world.number()),
            census: Arc::clone(&self.links.census),
            name,
            paused: birth.paused,
            errors_fatal: birth.errors_fatal,
        }))
    }
}

const NOT_COUNTED: &str =
    "a limit of fuel needs a host that counts it (HostBuilder::count_fuel), and a module that is not trusted";

/// What isolates have in common that take each other's place: module, entry, and debug name.
fn kin(module: &Module, entry: &Entry, name: &str) -> u64 {
    let mut hasher = NumberHasher::default();
    hasher.write_u64(module.id().first_chunk().map_or(0, |first| u64::from_le_bytes(*first)));
    match entry {
        Entry::Main => {}
        Entry::Export(export) => hasher.write(export.as_bytes()),
        Entry::Index(index) => hasher.write_u32(*index),
    }
    hasher.write(name.as_bytes());
    hasher.finish().max(1)
}

/// When the deadline of a new isolate comes: its own, or that of whoever spawned it if that is sooner.
fn ends(birth: &Birth, admitted: Nanos) -> Nanos {
    let nanos = |deadline: Duration| u64::try_from(deadline.as_nanos()).unwrap_or(NEVER);
    birth.limits.deadline.map_or(NEVER, |deadline| admitted.saturating_add(nanos(deadline))).min(birth.ends)
}

fn listen(
    control: &Arc<Control>,
    on_exit: Option<(crate::port::SendRight, crate::port::Message)>,
    on_error: Option<crate::port::SendRight>,
) -> Result<(), SpawnError> {
    let refused = |status: Status| {
        control.unborn();
        SpawnError::Listener(status.into())
    };
    if let Some((right, response)) = on_exit {
        control.add_exit_listener(right, response).map_err(refused)?;
    }
    if let Some(right) = on_error {
        let schema = right.port().schema();
        static OF_ERRORS: OnceLock<u64> = OnceLock::new(); // made of a type's name: many steps
        if schema != 0 && schema != *OF_ERRORS.get_or_init(error_schema) {
            return Err(refused(Status::Invalid));
        }
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
