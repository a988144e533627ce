//! `-D`, which is spelled as wasmtime spells it: what helps to find out afterwards what went wrong.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, bail};
use clap::Args;
use insula::{CoreDump, HostBuilder};

use crate::cli::nearest::did_you_mean;
use crate::cli::report;

/// The flags of debugging.
#[derive(Args, Debug)]
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
const DUMPS_MAX: u32 = 16;

impl DebugFlags {
    /// Has a host do what these flags say.
    pub(super) fn set(&self, builder: HostBuilder) -> Result<HostBuilder> {
        let Some(Setting::CoreDump(file)) = self.settings.last() else { return Ok(builder) };
        if !file.parent().is_some_and(|folder| folder.as_os_str().is_empty() || folder.is_dir()) {
            bail!("-D coredump={}: the folder is not there", file.display());
        }
        let (file, written) = (file.clone(), AtomicU32::new(0));
        Ok(builder.on_core_dump(move |dump| {
            let before = written.fetch_add(1, Ordering::Relaxed);
            match before {
                ..DUMPS_MAX => write(&file, dump),
                DUMPS_MAX => report::note(&format!("{DUMPS_MAX} core dumps are written, and no more in this run")),
                _ => {}
            }
        }))
    }
}

fn write(file: &Path, dump: &CoreDump) {
    let mut file = file.as_os_str().to_owned();
    if dump.parent.is_some() {
        file.push(format!(".{}", dump.isolate.number()));
    }
    let file = PathBuf::from(file);
    let isolate = format!("isolate {} `{}`", dump.isolate, insula::printable_line(&dump.name));
    let written = std::fs::write(&file, &dump.bytes).with_context(|| report::path(&file).to_string());
    match written {
        Ok(()) => report::note(&format!("{isolate}: its core dump is in {}", report::path(&file))),
        Err(error) => report::note(&format!("{isolate}: its core dump is not written: {error:#}")),
    }
    if dump.skipped > 0 {
        report::note(&format!("{} core dumps before that are not written, since others were", dump.skipped));
    }
}
