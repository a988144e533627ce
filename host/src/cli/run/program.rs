//! A program as the command line has it, from its target to its outcome: build, load, run.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use insula::{Ahead, CompileLimits, Grant, Host, HostBuilder, Metrics, Module};

use super::Run;
use super::ending::{OnChildError, Unheard};
use crate::cli::code::{self, Outcome};
use crate::cli::endpoint::Endpoint;
use crate::cli::live::{Entrance, Way};
use crate::cli::precompiled;
use crate::cli::report::{self, Backtrace, Shown, Sources};
use crate::cli::signals::{Lookout, Signals};
use crate::cli::target::Target;

/// Longer than anybody waits.
const COMPILE_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// What is to be run, and how.
pub(super) struct Program {
    flags: Run,
    target: PathBuf,
    arguments: Vec<String>,
    grants: Vec<Grant>,
    /// Where the metrics of its runs are read.
    endpoint: Option<Endpoint>,
}

/// The files of its modules, all built.
pub(super) struct Built {
    /// Its main's.
    pub(super) module: PathBuf,
    /// Where its sources are, if it was built.
    sources: Option<PathBuf>,
    /// What it may spawn beside.
    offers: Vec<(String, PathBuf)>,
}

/// A host that has no module yet.
pub(super) struct Hosted {
    pub(super) host: Host,
    unheard: Unheard,
    /// Where it is looked into.
    pub(super) entrance: Option<Entrance>,
    /// Its module, where somebody reads that meanwhile.
    ahead: Option<Ahead>,
}

/// Built, loaded, and not running yet.
pub(super) struct Loaded {
    pub(super) host: Host,
    pub(super) module: Module,
    path: PathBuf,
    unheard: Unheard,
    /// Where it is looked into, until it was run.
    entrance: Mutex<Option<Entrance>>,
}

impl Program {
    pub(super) fn new(flags: Run) -> Result<Program> {
        let grants = flags.given.grants()?;
        let (target, arguments) = flags.target_and_arguments.split_first().context("no target")?;
        let arguments = arguments.iter().map(utf8).collect::<Result<Vec<_>>>()?;
        let target = target.into();
        let endpoint = flags.observed.endpoint()?;
        Ok(Program { flags, target, arguments, grants, endpoint })
    }

    pub(super) fn flags(&self) -> &Run {
        &self.flags
    }

    /// What it and the modules that it may spawn are made from; main's first.
    pub(super) fn targets(&self) -> Result<Vec<Target>> {
        let offers = self.flags.given.modules.iter().map(|offer| offer.target.as_path());
        std::iter::once(self.target.as_path()).chain(offers).map(Target::find).collect()
    }

    /// Builds what is to be built.
    pub(super) fn build(&self) -> Result<Built> {
        let target = Target::find(&self.target)?;
        let (module, sources) = (target.module()?, target.sources().map(Path::to_owned));
        let offers = self.flags.given.modules.iter();
        let offers = offers.map(|offer| Ok((offer.name.clone(), Target::find(&offer.target)?.module()?)));
        Ok(Built { module, sources, offers: offers.collect::<Result<_>>()? })
    }

    /// Makes a host for it, into which can be looked. Where there is a thread for that, the module is read meanwhile.
    pub(super) fn host(&self, built: &Built, lookout: Option<Lookout>) -> Result<Hosted> {
        let unheard = Unheard::default();
        let builder = self.builder(built, &unheard)?;
        // What is precompiled is not in the cache.
        let reads = lookout.filter(|_| !self.flags.given.allow_precompiled);
        let ahead = reads.map(|lookout| {
            let (ahead, read) = builder.read_ahead(&built.module);
            lookout.meanwhile(read);
            ahead
        });
        let host = builder.build()?;
        for (name, module) in &built.offers {
            host.offer_file(name, module);
        }
        let entrance = self.flags.records.entrance(&host, &name(&built.module))?;
        Ok(Hosted { host, unheard, entrance, ahead })
    }

    /// Has the host compile the module, or find it compiled.
    pub(super) fn load(&self, built: &Built, hosted: Hosted) -> Result<Loaded> {
        let Hosted { host, unheard, entrance, ahead } = hosted;
        let module = precompiled::load(&host, &built.module, ahead, self.flags.given.allow_precompiled)?;
        Ok(Loaded { host, module, path: built.module.clone(), unheard, entrance: Mutex::new(entrance) })
    }

    /// Runs it to its end, by itself or by a signal, and writes what is kept of it.
    pub(super) fn run(&self, loaded: &Loaded, signals: &Signals) -> Result<Outcome> {
        self.endpoint.iter().for_each(|endpoint| endpoint.show(Metrics::of(&loaded.host)));
        let records = self.flags.records.begin(&loaded.host, &loaded.name())?;
        let _entrance = loaded.entrance.lock().unwrap_or_else(PoisonError::into_inner).take();
        let outcome = self.run_to_end(loaded, signals);
        self.flags.debug.end(&loaded.host);
        let written = records.end(loaded, &outcome, signals);
        outcome.and_then(|outcome| written.map(|()| outcome))
    }

    fn run_to_end(&self, loaded: &Loaded, signals: &Signals) -> Result<Outcome> {
        let Run { given, limits, ending, .. } = &self.flags;
        let spawn = given.main(&loaded.name(), &self.arguments, &self.grants).limits(limits.of_isolates());
        let spawn = self.flags.records.export.within_trace(spawn);
        let (summons, wait) = (loaded.host.summons(), ending.wait.into());
        signals.call_by(&summons)?;
        let ended = loaded.host.run_attended(&loaded.module, spawn, wait, &summons, || signals.attend());
        let ended = ended.with_context(|| format!("cannot run {}", report::path(&loaded.path)));
        let child_failed = ending.on_child_error == OnChildError::Fail && loaded.unheard.any();
        let code = ended.as_ref().map_or(code::FAILURE, |ended| code::of_run(ended, child_failed));
        if code != 0 {
            // What is said of it may find a reader that stalls.
            signals.attend();
        }
        // A run that is watched is over when a signal says so.
        let caught = if self.flags.session.watch { signals.caught() } else { signals.over(code) };
        if let Some(signal) = caught {
            return Ok(Outcome::Signalled(signal));
        }
        Ok(Outcome::Ended { ended: ended?, child_failed })
    }

    fn builder(&self, Built { module, sources, .. }: &Built, unheard: &Unheard) -> Result<HostBuilder> {
        let mut builder = self.flags.limits.bound(Host::builder()).compile_limits(compile_limits());
        if let Some(folder) = module.parent() {
            builder = builder.module_folder(folder);
        }
        if let Some(folder) = cache_folder() {
            builder = builder.cache_folder(folder);
        }
        let backtrace = Backtrace::or_environment(self.flags.ending.backtrace);
        let sources = Sources::around(module, sources.as_deref());
        let sources = if self.flags.given.folders.is_empty() { sources } else { sources.found() };
        let shown = Shown { backtrace, sources, with_stderr: true };
        let builder = self.flags.debug.set(builder)?;
        Ok(unheard.noted_by(builder, shown))
    }
}

impl Hosted {
    /// Where those knock who want to look into it.
    pub(super) fn way(&self) -> Option<&Way> {
        self.entrance.as_ref().map(Entrance::way)
    }
}

impl Loaded {
    /// Closes its host and leaves the rest to the system, for a process that is about to end: it takes all of it back at
    /// once, in less time than it takes to give it back piece by piece.
    pub(super) fn leave(self) {
        self.host.shutdown(Duration::ZERO);
        std::mem::forget(self);
    }

    /// The file of its module.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What the program finds as its own name.
    pub(super) fn name(&self) -> String {
        name(&self.path)
    }
}

impl Built {
    /// All of its files.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(self.module.as_path()).chain(self.offers.iter().map(|(_, module)| module.as_path()))
    }
}

/// Whoever runs a program waits for it by choice, and can end that: what it is, is limited by its length only.
pub(in crate::cli) fn compile_limits() -> CompileLimits {
    CompileLimits::default().functions(u64::MAX).function_bytes(u64::MAX).wall(COMPILE_TIME)
}

/// The user's cache of compiled modules; none where the system names no such place.
pub(in crate::cli) fn cache_folder() -> Option<PathBuf> {
    let folders = directories::ProjectDirs::from("", "", "insula")?;
    Some(folders.cache_dir().join("modules"))
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn utf8(argument: &OsString) -> Result<String> {
    let text = argument.to_str().map(str::to_owned);
    text.ok_or_else(|| anyhow!("argument `{}` is not UTF-8, which a WASI program's arguments are", argument.display()))
}
