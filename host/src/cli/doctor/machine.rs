//! What guests run on: what the kernel allows a process, where compiled code is kept, and whether a host can be made.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

use insula::{BuildError, Exit, Host, Spawn};
use rustix::process::{Resource, getrlimit};

use super::Check;
use crate::cli::answer::size;
use crate::cli::{report, run};

/// Isolates that a host has room for by default.
const ISOLATES: u32 = 1_000;

/// More than a host has before it makes that room.
const BIRTHS: usize = 32;

/// Open files with which a program gets by.
const FILES: u64 = 256;

pub(super) fn checks() -> Vec<Check> {
    vec![mappings(), open_files(), address_space(), cores(), cache(), host()]
}

/// How many isolates the kernel's limit of memory mappings allows. The host knows, and says so where too many are asked
/// for.
fn mappings() -> Check {
    const NAME: &str = "isolates";
    match Host::builder().isolates(u32::MAX).build() {
        Err(BuildError::TooManyIsolates { budget, .. }) if budget >= ISOLATES => {
            Check::ok(NAME, format!("{budget} at once, as vm.max_map_count allows"))
        }
        Err(BuildError::TooManyIsolates { budget, .. }) => Check::failed(
            NAME,
            format!("{budget} at once, as vm.max_map_count allows; a host has room for {ISOLATES} by default"),
            "sysctl -w vm.max_map_count=65530, or run with fewer (--isolates)",
        ),
        Err(error) => Check::failed(NAME, error.to_string(), "see the line `host`"),
        Ok(_) => Check::ok(NAME, "no limit"),
    }
}

fn open_files() -> Check {
    let found = |limit: &str| format!("{limit} (ulimit -n)");
    match getrlimit(Resource::Nofile).current {
        None => Check::ok("open files", found("no limit")),
        Some(limit) if limit >= FILES => Check::ok("open files", found(&limit.to_string())),
        Some(limit) => Check::warning("open files", found(&limit.to_string()), format!("ulimit -n {}", 4 * FILES)),
    }
}

fn address_space() -> Check {
    match getrlimit(Resource::As).current {
        None => Check::ok("address space", "no limit (ulimit -v)"),
        Some(limit) => Check::warning(
            "address space",
            format!("{} (ulimit -v); a memory sets 4 GiB aside, which costs nothing until it is used", size(limit)),
            "ulimit -v unlimited",
        ),
    }
}

fn cores() -> Check {
    match std::thread::available_parallelism() {
        Ok(cores) => Check::ok("cores", format!("{cores}, as many threads run isolates")),
        Err(error) => Check::warning("cores", error.to_string(), "run with --threads N"),
    }
}

/// The folder where compiled modules are kept, if it is one that a host would use.
fn cache() -> Check {
    const NAME: &str = "cache";
    let Some(folder) = run::cache_folder() else {
        let remedy = "set HOME or XDG_CACHE_HOME; until then each run compiles";
        return Check::warning(NAME, "this user has no folder for it", remedy);
    };
    let named = report::path(&folder);
    let Ok(metadata) = fs::metadata(&folder) else {
        return Check::ok(NAME, format!("{named}, which the first run makes"));
    };
    if !metadata.is_dir() || metadata.permissions().mode() & 0o022 != 0 {
        let found = format!("{named}: others may write to it, so it is not used");
        return Check::warning(NAME, found, format!("chmod 700 {}", folder.display()));
    }
    match probe(&folder) {
        Ok(()) => Check::ok(NAME, format!("{named}, {}", size(bytes_in(&folder)))),
        Err(error) => Check::warning(NAME, format!("{named}: {error}; each run compiles"), "make it writable"),
    }
}

/// Makes a file there, and takes it away.
fn probe(folder: &Path) -> std::io::Result<()> {
    let file = folder.join(format!("doctor.{}", std::process::id()));
    OpenOptions::new().write(true).create_new(true).open(&file)?;
    fs::remove_file(&file)
}

fn bytes_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum()
}

/// Makes a host as `insula run` does, compiles a module and runs it: so often that the host makes room for all its isolates.
fn host() -> Check {
    const NAME: &str = "host";
    let begun = Instant::now();
    let ran = Host::builder().isolates(ISOLATES).build().map_err(anyhow::Error::from).and_then(|host| {
        let module = host.load("doctor", b"(module (func (export \"_start\")))")?;
        let mut ends = (0..BIRTHS).map(|_| Ok(host.spawn(&module, Spawn::main())?.join()));
        ends.find(|exit| !matches!(exit, Ok(Exit::Returned))).unwrap_or(Ok(Exit::Returned))
    });
    match ran {
        Ok(Exit::Returned) => {
            let took = begun.elapsed().as_millis();
            Check::ok(NAME, format!("room for {ISOLATES} isolates; a module was compiled and run in {took} ms"))
        }
        Ok(exit) => Check::failed(NAME, format!("an empty program ended: {exit}"), "please report it"),
        Err(error) => {
            let remedy = "raise the limit that it names, or ulimit -v; run with fewer isolates (--isolates)";
            Check::failed(NAME, format!("{error:#}"), remedy)
        }
    }
}
