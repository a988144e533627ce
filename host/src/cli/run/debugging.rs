//! `-D`, which is spelled as wasmtime spells it: what helps to find out afterwards what went wrong.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result};
use clap::Args;
use insula::{CoreDump, Host, HostBuilder};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, renameat, unlinkat};

use crate::cli::nearest::did_you_mean;
use crate::cli::report;

/// The flags of debugging.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "How it ends")]
pub(in crate::cli) struct DebugFlags {
    /// coredump=FILE: write the core dump of a main that traps there, and of another isolate to FILE.N, N its number
    #[arg(short = 'D', long = "debug", value_name = "KEY=VALUE")]
    settings: Vec<Setting>,
}

/// What `-D` is given.
#[derive(Clone, Debug)]
enum Setting {
    CoreDump(PathBuf),
}

/// What wasmtime has under `-D` and insula has not, and what to do instead.
const ELSEWHERE: [(&str, &str); 4] = [
    ("debug-info", "a trap is told with file and line in any case, where the module has them"),
    ("address-map", "it is always there"),
    ("logging", "say --log FILTER, and --log-format json for programs"),
    ("log-to-files", "logs go to standard error, which the shell sends to a file: 2>FILE"),
];

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Setting, String> {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        match (name, value) {
            ("coredump", "") => Err("`coredump` wants a file: coredump=FILE".to_owned()),
            ("coredump", file) => Ok(Setting::CoreDump(file.into())),
            (name, _) => match ELSEWHERE.iter().find(|(known, _)| *known == name) {
                Some((_, instead)) => Err(format!("insula has no `{name}`: {instead}")),
                None => Err(format!("there is no `{name}`{}; `coredump` is all", did_you_mean(name, ["coredump"]))),
            },
        }
    }
}

/// Core dumps that a run writes, at most: each is as large as an isolate's memory.
const DUMPS_MAX: usize = 16;

impl DebugFlags {
    /// Has a host do what these flags say.
    pub(super) fn set(&self, builder: HostBuilder) -> Result<HostBuilder> {
        let Some(Setting::CoreDump(file)) = self.settings.last() else { return Ok(builder) };
        let dumps = Dumps::open(file).with_context(|| format!("-D coredump={}", report::path(file)))?;
        Ok(builder.on_core_dump(DUMPS_MAX, move |dump| dumps.keep(dump)))
    }

    /// Says of a run that is over what it wrote no core dump of.
    pub(super) fn end(&self, host: &Host) {
        let skipped = host.skipped_core_dumps();
        if skipped > 0 {
            report::note(&format!("{skipped} more isolates trapped, of which there is no core dump"));
        }
    }
}

/// Where core dumps go. The folder is the one that was there before the program ran: a program that may write in it can put
/// a link in the place of a file, and a file is replaced there, not written through.
struct Dumps {
    folder: OwnedFd,
    path: PathBuf,
    name: OsString,
}

impl Dumps {
    fn open(file: &Path) -> Result<Dumps> {
        let name = file.file_name().context("that names no file")?.to_owned();
        let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = openat(CWD, parent, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        let folder = folder.context("the folder cannot be opened")?;
        Ok(Dumps { folder, path: file.to_owned(), name })
    }

    fn keep(&self, dump: &CoreDump) {
        let number = dump.parent.map(|_| format!(".{}", dump.isolate.number())).unwrap_or_default();
        let with_number = |name: &OsStr| [name, OsStr::new(&number)].into_iter().collect::<OsString>();
        let path = PathBuf::from(with_number(self.path.as_os_str()));
        let isolate = format!("isolate {} `{}`", dump.isolate, insula::printable_line(&dump.name));
        match self.write(&with_number(&self.name), &dump.bytes) {
            Ok(()) => report::note(&format!("{isolate}: its core dump is in {}", report::path(&path))),
            Err(error) => {
                report::note(&format!("{isolate}: its core dump is not in {}: {error}", report::path(&path)));
            }
        }
    }

    /// Writes a file beside, and puts it in the place of whatever is there. It is its owner's alone: so was the memory.
    fn write(&self, name: &OsStr, bytes: &[u8]) -> std::io::Result<()> {
        let process = format!(".{}.new", std::process::id());
        let beside: OsString = [OsStr::new("."), name, OsStr::new(&process)].into_iter().collect();
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = openat(&self.folder, &beside, flags, Mode::RUSR | Mode::WUSR)?;
        let written = File::from(file).write_all(bytes);
        let kept = written.and_then(|()| Ok(renameat(&self.folder, &beside, &self.folder, name)?));
        if kept.is_err() {
            let _ = unlinkat(&self.folder, &beside, AtFlags::empty());
        }
        kept
    }
}
