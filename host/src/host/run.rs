//! A whole program: main, and all that it spawned, until the end (semantics 5.5).

use std::cell::RefCell;
use std::fmt;

use super::{Host, Inner, Summons};
use crate::control::{Control, Flags, Links};
use crate::error::SpawnError;
use crate::exit::{Exit, IsolateId};
use crate::isolate::Module;
use crate::printable::printable_line;
use crate::scheduler::Visit;
use crate::spawn::Spawn;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, Ordering};

/// How a program ended.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::{Exit, Spawn};
/// let host = insula::Host::builder().isolates(1).build()?;
/// let module = host.load("empty", b"(module (memory (export \"memory\") 1) (func (export \"_start\")))")?;
/// let ended = host.run(&module, Spawn::main())?;
/// assert_eq!((ended.main, ended.asleep), (Exit::Returned, None));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ended {
    /// How main ended.
    pub main: Exit,
    /// Who waited where, if the run ended because nothing could wake anybody.
    pub asleep: Option<Vec<Sleeper>>,
}

/// What a run waits for after its main returned or exited.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::{Host, Spawn, Wait};
/// let host = Host::builder().build()?;
/// let ended = host.run_until(&host.load_file("app.wasm")?, Spawn::main(), Wait::Main)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wait {
    /// All other isolates of the host.
    #[default]
    All,
    /// Nobody: they are ended, as in Dart.
    Main,
}

/// An isolate that nothing could wake.
///
/// ```no_run
/// # fn tell(ended: insula::Ended) {
/// for sleeper in ended.asleep.unwrap_or_default() {
///     eprintln!("{sleeper}"); // isolate #3 `worker` waits on port 7
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sleeper {
    /// Who.
    pub isolate: IsolateId,
    /// Its debug name.
    pub name: String,
    /// The numbers of the ports that it waited on.
    pub ports: Vec<u64>,
    /// Whether it was paused.
    pub paused: bool,
}

impl fmt::Display for Sleeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "isolate {} `{}`", self.isolate, printable_line(&self.name))?;
        match (&self.ports[..], self.paused) {
            (_, true) => f.write_str(" is paused"),
            ([], false) => f.write_str(" waits for room in a mailbox"),
            ([port], false) => write!(f, " waits on port {port}"),
            ([port, others @ ..], false) => write!(f, " waits on port {port} and {} others", others.len()),
        }
    }
}

enum Seen {
    AllEnded,
    MainEnded,
    AllAsleep,
}

impl Host {
    /// Runs a program: spawns `main` and blocks until the run has ended.
    ///
    /// When main returned or exited, the run goes on until all other isolates of the host ended too. When main ended
    /// any other way the run ends, and the others are ended with it. When nothing can wake any isolate the run ends,
    /// and says who waited where. All that guests printed is written when this returns.
    ///
    /// The calling thread is one of those that run isolates meanwhile, where the host has not started all of them yet, and
    /// the thread is none of a tokio runtime: it needs a stack as theirs is, of 2 MiB. What guests print goes to the
    /// descriptor itself, as that of a child process: what this process has printed without an end of the line is to be
    /// flushed before.
    ///
    /// # Errors
    /// [`SpawnError`] where main is not born.
    pub fn run(&self, module: &Module, spawn: Spawn) -> Result<Ended, SpawnError> {
        self.run_until(module, spawn, Wait::All)
    }

    /// As [`Host::run`], and says what is waited for.
    ///
    /// # Errors
    /// As there.
    pub fn run_until(&self, module: &Module, spawn: Spawn, wait: Wait) -> Result<Ended, SpawnError> {
        self.run_attended(module, spawn, wait, &self.summons(), || ())
    }

    /// As [`Host::run_until`], of a caller that has something else to attend to: `attend` is called on this thread soon after
    /// each [`Summons::call`], and before this thread waits for anything, each time and at the end too. So whoever has another
    /// thread attend needs none for a program that is over before.
    ///
    /// A call does not wake a thread that waits, which answers it later or never: it attended before. It waits for the whole
    /// run where it is not one of those that run isolates. A summons of another host calls nobody.
    ///
    /// # Errors
    /// As there.
    pub fn run_attended(
        &self,
        module: &Module,
        spawn: Spawn,
        wait: Wait,
        summons: &Summons,
        attend: impl FnMut(),
    ) -> Result<Ended, SpawnError> {
        let inner = self.inner();
        let attend = RefCell::new(attend);
        let attend = || attend.borrow_mut()();
        let visit = inner.visit(module);
        let (main, _) = inner.spawn(module, spawn, true)?;
        let run = Arc::new(Run { main, links: Arc::clone(&inner.links), wait, is_main_gone: AtomicBool::new(false) });
        let seen = match &visit {
            Some(visit) => {
                let told = Arc::clone(&run);
                let look = || {
                    if summons.take() {
                        attend();
                    }
                    run.look()
                };
                visit.until(inner.links.census.changed(), move || told.may_be_over(), look, attend)
            }
            None => {
                attend();
                inner.wait_until(|| run.look())
            }
        };
        drop(visit);
        let asleep = match seen {
            Seen::AllAsleep => Some(inner.links.registry.all().iter().map(sleeper).collect()),
            Seen::AllEnded | Seen::MainEnded => None,
        };
        if !inner.is_quiet() {
            attend();
        }
        inner.end_all();
        inner.flush();
        Ok(Ended { main: run.main.exit().unwrap_or(Exit::HostClosed), asleep })
    }
}

impl Inner {
    fn wait_until<R>(&self, look: impl FnMut() -> Option<R>) -> R {
        #[cfg(feature = "testing")]
        if let Some(stage) = self.world.stage() {
            return crate::until::look_until(stage, &self.world, look);
        }
        self.links.census.changed().wait_until(look)
    }

    /// Makes this thread one of those that run checked isolates. Not where it is a runtime's: there what a guest waits for
    /// would wait for the runtime, which waits for us.
    fn visit(&self, module: &Module) -> Option<Visit> {
        let is_asked = !module.is_trusted() && tokio::runtime::Handle::try_current().is_err();
        is_asked.then(|| self.checked.scheduler.visit()).flatten()
    }
}

/// A run, as whoever waits for it sees it.
struct Run {
    main: Arc<Control>,
    links: Arc<Links>,
    wait: Wait,
    /// It ended well, and others are waited for.
    is_main_gone: AtomicBool,
}

impl Run {
    /// Whether the run has ended, and why.
    fn look(&self) -> Option<Seen> {
        // Looked at first: a main that no longer counts as living is seen dead below.
        let all_asleep = self.links.all_asleep();
        match self.main.exit() {
            Some(_) if self.wait == Wait::Main => Some(Seen::MainEnded),
            Some(Exit::Returned | Exit::Exited) if self.links.census.live() == 0 => Some(Seen::AllEnded),
            Some(Exit::Returned | Exit::Exited) => {
                self.is_main_gone.store(true, Ordering::Relaxed);
                all_asleep.then_some(Seen::AllAsleep)
            }
            None => all_asleep.then_some(Seen::AllAsleep),
            Some(_) => Some(Seen::MainEnded),
        }
    }

    /// Whether it may have ended. This is asked under locks, and takes none.
    fn may_be_over(&self) -> bool {
        let census = &self.links.census;
        let main_ends = || !self.is_main_gone.load(Ordering::Relaxed) && self.main.flags.any(Flags::END);
        census.live() == 0 || census.all_asleep() || main_ends()
    }
}

fn sleeper(control: &Arc<Control>) -> Sleeper {
    Sleeper {
        isolate: control.id,
        name: control.name(),
        ports: control.mailbox.waits_on(),
        paused: control.flags.any(Flags::PAUSED),
    }
}
