//! What is kept of a run for later: `--trace`, `--profile`, and `--report`, the whole run as JSON; and where it is looked
//! into meanwhile.
//!
//! A report is made of births, errors and ends only, so that turns and messages cost no more than they do without one.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{ArgAction, Args};
use insula::{Event, Exit, Happened, Host, IsolateId, Observation, Usage};
use serde::Serialize;

use super::exported::{Export, ExportFlags};
use super::profile::{Profiled, Profiling};
use super::program::{Hosted, Loaded};
use crate::cli::code::{self, Outcome};
use crate::cli::kept;
use crate::cli::live::{Answering, Entrance};
use crate::cli::report;
use crate::cli::signals::Signals;
use crate::cli::trace::Recording;

/// The flags of what is kept.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "What is kept of it, and who looks at it")]
pub(in crate::cli) struct RecordFlags {
    /// Record what happens in the run, in the format of Chromium's traces; see `insula trace`
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,

    /// Write the whole run as JSON: births, exits with their reasons, counts, peak memory
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Sample where guests spend their time, for the Firefox profiler, by default once in 10ms and to
    /// insula-guest-profile.json
    #[arg(long, value_name = "guest[,FILE[,INTERVAL]]", value_parser = Profiled::from_str)]
    profile: Option<Profiled>,

    /// Where the run can be looked into, as by `insula top`; by default where `insula ps` finds it
    #[arg(long, value_name = "PATH", overrides_with = "no_socket")]
    socket: Option<PathBuf>,

    /// Let nobody look into the run
    #[arg(long, value_name = "true|false", action = ArgAction::Set, num_args = 0..=1, require_equals = true,
        default_value_t = false, default_missing_value = "true", hide_default_value = true, hide_possible_values = true,
        overrides_with = "socket")]
    no_socket: bool,

    #[command(flatten)]
    pub(super) export: ExportFlags,
}

/// What is being kept of a run.
pub(super) struct Records {
    trace: Option<Recording>,
    report: Option<Report>,
    export: Export,
    profile: Option<Profiling>,
}

impl RecordFlags {
    /// Whether anything is kept, or looked into from the start.
    pub(super) fn any(&self) -> bool {
        let kept = self.trace.is_some() || self.report.is_some() || self.profile.is_some() || self.export.is_wanted();
        kept || self.socket.is_some()
    }

    /// Keeps what happens in this host from now on. Who cannot have a file is told before the program runs.
    pub(super) fn begin(&self, host: &Host, program: &str) -> Result<Records> {
        let trace = self.trace.as_ref().map(|path| Recording::begin(host, path)).transpose()?;
        let report = self.report.as_ref().map(|path| Report::begin(host, path)).transpose()?;
        let profile = self.profile.as_ref().map(|profile| profile.begin(host, program)).transpose()?;
        let export = self.export.begin(host, program)?;
        Ok(Records { trace, report, profile, export })
    }

    /// Where the run is looked into: at a socket that is asked for by name from now on, and it is an error to have none.
    pub(super) fn entrance(&self, host: &Host, name: &str) -> Result<Option<Entrance>> {
        match &self.socket {
            _ if self.no_socket => Ok(None),
            Some(path) => Ok(Some(Entrance::of(Answering::listen(host, name, Some(path.clone()))?))),
            None => Ok(Some(Entrance::later(host, name))),
        }
    }

    /// Has a thread wait for who looks into it, where nobody else does.
    pub(super) fn open(&self, hosted: &mut Hosted) -> Result<()> {
        let door = hosted.entrance.as_ref().and_then(|entrance| entrance.way().door());
        match door.map(|door| door.open()) {
            Some(Err(error)) if self.socket.is_some() => Err(error).context("cannot have anybody look into the run"),
            Some(Err(_)) => {
                hosted.entrance = None;
                Ok(())
            }
            Some(Ok(())) | None => Ok(()),
        }
    }
}

impl Records {
    /// Writes what was kept of a run that ended so, and waits until the last of it is sent, or a signal comes.
    pub(super) fn end(self, loaded: &Loaded, outcome: &Result<Outcome>, signals: &Signals) -> Result<()> {
        let trace = self.trace.map_or(Ok(()), |trace| trace.end(&loaded.name()));
        let report = self.report.map_or(Ok(()), |report| report.end(loaded, outcome));
        let profile = self.profile.map_or(Ok(()), |profile| profile.end(&loaded.name()));
        self.export.end(signals);
        trace.and(report).and(profile)
    }
}

/// Isolates that a report lists, the first ones; those beyond are counted. With names of usual length they are some tens
/// of megabytes.
const ISOLATES_MAX: usize = 100_000;

/// Errors of an isolate that a report has, and bytes of each.
const ERRORS_MAX: usize = 20;
const ERROR_BYTES_MAX: usize = 4 << 10;

struct Report {
    path: PathBuf,
    file: kept::Kept,
    observation: Observation,
    kept: Arc<Mutex<Kept>>,
}

/// What was seen of a run so far.
#[derive(Default)]
struct Kept {
    isolates: BTreeMap<IsolateId, Life>,
    counts: Counts,
}

/// How many there were.
#[derive(Clone, Default, Serialize)]
struct Counts {
    born: u64,
    ended: u64,
    uncaught_errors: u64,
    /// Of those born, those that the list of isolates lacks.
    not_listed: u64,
    /// Events that came too fast to be kept.
    missed: u64,
}

/// One isolate, from its birth to its end.
#[derive(Serialize)]
struct Life {
    id: IsolateId,
    name: String,
    module: String,
    parent: Option<IsolateId>,
    born_us: u64,
    ended_us: Option<u64>,
    exit: Option<End>,
    uncaught_errors: Vec<String>,
}

/// How somebody ended: as a line, and with all that is known of it.
#[derive(Serialize)]
struct End {
    is_ok: bool,
    reason: String,
    detail: Exit,
}

/// The file.
#[derive(Serialize)]
struct Document {
    version: u32,
    module: String,
    sha256: String,
    /// The exit code of the process.
    exit_code: u8,
    /// The signal that ended the run.
    signal: Option<u8>,
    /// Why the program did not run.
    error: Option<String>,
    main: Option<End>,
    /// Who waited where, in a run that ended since nothing could wake anybody.
    asleep: Vec<String>,
    counts: Counts,
    /// Of all isolates together.
    usage: Usage,
    isolates: Vec<Life>,
}

impl Report {
    fn begin(host: &Host, path: &Path) -> Result<Report> {
        let file = kept::Kept::open(path).with_context(|| unwritten(path))?;
        let kept = Arc::<Mutex<Kept>>::default();
        let theirs = Arc::clone(&kept);
        let observation = host.observe_lives(move |events| {
            let mut kept = theirs.lock().unwrap_or_else(PoisonError::into_inner);
            events.iter().for_each(|event| kept.keep(event));
        });
        let observation = observation.context("cannot observe the run")?;
        Ok(Report { path: path.to_owned(), file, observation, kept })
    }

    fn end(self, loaded: &Loaded, outcome: &Result<Outcome>) -> Result<()> {
        let Report { path, file, observation, kept } = self;
        drop(observation);
        let Kept { isolates, counts } = std::mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner));
        let mut document = Document {
            version: 1,
            module: loaded.path().display().to_string(),
            sha256: loaded.module.digest().to_string(),
            exit_code: code::FAILURE,
            signal: None,
            error: None,
            main: None,
            asleep: Vec::new(),
            counts,
            usage: loaded.host.usage(),
            isolates: isolates.into_values().collect(),
        };
        document.ended(outcome);
        let text = serde_json::to_string_pretty(&document).context("the report cannot be written as JSON")?;
        let mut out = file.begin().with_context(|| unwritten(&path))?;
        writeln!(out, "{text}").and_then(|()| out.flush()).with_context(|| unwritten(&path))
    }
}

impl Document {
    fn ended(&mut self, outcome: &Result<Outcome>) {
        match outcome {
            Ok(Outcome::Ended { ended, child_failed }) => {
                self.exit_code = code::of_run(ended, *child_failed);
                self.main = Some(End::of(&ended.main));
                self.asleep = ended.asleep.iter().flatten().map(ToString::to_string).collect();
            }
            Ok(Outcome::Signalled(signal)) => {
                self.exit_code = code::of_signal(*signal);
                self.signal = Some(*signal);
            }
            Ok(_) => {}
            Err(error) => self.error = Some(format!("{error:#}")),
        }
    }
}

impl Kept {
    fn keep(&mut self, event: &Event) {
        let at = micros(event.at);
        match (&event.what, event.isolate) {
            (Happened::Born { name, module, parent }, Some(id)) => {
                self.counts.born += 1;
                if self.isolates.len() == ISOLATES_MAX {
                    self.counts.not_listed += 1;
                    return;
                }
                let (name, module) = (name.clone(), module.clone());
                let life = Life {
                    id,
                    name,
                    module,
                    parent: *parent,
                    born_us: at,
                    ended_us: None,
                    exit: None,
                    uncaught_errors: vec![],
                };
                self.isolates.insert(id, life);
            }
            (Happened::Uncaught { message }, Some(id)) => {
                self.counts.uncaught_errors += 1;
                if let Some(life) = self.isolates.get_mut(&id).filter(|life| life.uncaught_errors.len() < ERRORS_MAX) {
                    life.uncaught_errors.push(message[..message.floor_char_boundary(ERROR_BYTES_MAX)].to_owned());
                }
            }
            (Happened::Ended { exit }, Some(id)) => {
                self.counts.ended += 1;
                if let Some(life) = self.isolates.get_mut(&id) {
                    (life.ended_us, life.exit) = (Some(at), Some(End::of(exit)));
                }
            }
            (Happened::Missed { events }, _) => self.counts.missed += events,
            _ => {}
        }
    }
}

impl End {
    fn of(exit: &Exit) -> End {
        End { is_ok: exit.is_ok(), reason: exit.to_string(), detail: exit.clone() }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn unwritten(path: &Path) -> String {
    format!("cannot write the report {}", report::path(path))
}
