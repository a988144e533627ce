//! `--profile guest`: where the guests of a run spend their time, for the Firefox profiler.
//!
//! Each isolate is a thread of the profile, and its samples are what the host tells of it. They are kept in memory up to a
//! bound, and written when the run is over.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use fxprof_processed_profile::{
    CategoryHandle, CpuDelta, Frame as ProfileFrame, FrameFlags, FrameInfo, ProcessHandle, Profile, SamplingInterval,
    ThreadHandle, Timestamp, WeightType,
};
use insula::{Event, Frame, Happened, Host, IsolateId, Observation, printable_line};

use crate::cli::units::duration;
use crate::cli::{kept, report};

/// Where it is written unless it is said.
pub(in crate::cli) const FILE: &str = "insula-guest-profile.json";

/// Time between two samples of an isolate unless it is said.
const INTERVAL: Duration = Duration::from_millis(10);

/// Samples that are kept, some 50 MB of them; of those beyond only the number.
const SAMPLES_MAX: usize = 1_000_000;

/// Frames of different stacks that are kept, of all isolates together, and isolates that have some.
const FRAMES_MAX: usize = 2_000_000;
const THREADS_MAX: usize = 20_000;

/// Names of isolates that live, or have samples.
const NAMES_MAX: usize = 100_000;

/// `guest[,FILE[,INTERVAL]]`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Profiled {
    file: PathBuf,
    interval: Duration,
}

impl FromStr for Profiled {
    type Err = String;

    fn from_str(text: &str) -> Result<Profiled, String> {
        let mut parts = text.splitn(3, ',');
        let instead = "guests are sampled in their own code: --profile guest[,FILE[,INTERVAL]]";
        match parts.next().unwrap_or_default() {
            "guest" => {}
            native @ ("perfmap" | "jitdump" | "vtune" | "pulley") => {
                return Err(format!(
                    "`{native}` is for profilers of native code, which are told nothing here; {instead}"
                ));
            }
            _ => return Err(instead.to_owned()),
        }
        let file = parts.next().filter(|file| !file.is_empty()).unwrap_or(FILE).into();
        let interval = parts.next().map_or(Ok(INTERVAL), duration)?;
        if interval < Duration::from_millis(1) {
            return Err("an interval is 1ms or more".to_owned());
        }
        Ok(Profiled { file, interval })
    }
}

/// A run that is profiled.
pub(super) struct Profiling {
    path: PathBuf,
    file: kept::Kept,
    observation: Observation,
    kept: Arc<Mutex<Kept>>,
}

/// What was seen so far.
struct Kept {
    profile: Profile,
    process: ProcessHandle,
    is_begun: bool,
    names: HashMap<IsolateId, String>,
    threads: HashMap<IsolateId, Thread>,
    /// Stacks that are in the profile, by thread and frames.
    stacks: HashSet<u64>,
    frames: usize,
    samples: usize,
    /// Samples that are not in it.
    beyond: u64,
}

#[derive(Clone, Copy)]
struct Thread {
    handle: ThreadHandle,
    /// The time of its samples.
    nanos: u64,
}

impl Profiled {
    /// Samples the isolates of this host from now on. The file is made at once: who cannot have it is told before the program
    /// runs.
    pub(super) fn begin(&self, host: &Host, program: &str) -> Result<Profiling> {
        let path = self.file.clone();
        let file = kept::Kept::open(&path).with_context(|| unwritten(&path))?;
        let kept = Arc::new(Mutex::new(Kept::new(program, self.interval)));
        let theirs = Arc::clone(&kept);
        let observation = host.observe_samples(self.interval, move |events| {
            let mut kept = theirs.lock().unwrap_or_else(PoisonError::into_inner);
            events.iter().for_each(|event| kept.keep(event));
        });
        let observation = observation.context("cannot sample the run")?;
        Ok(Profiling { path, file, observation, kept })
    }
}

impl Profiling {
    /// Writes the file.
    pub(super) fn end(self, program: &str) -> Result<()> {
        let Profiling { path, file, observation, kept } = self;
        drop(observation);
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let lacks = format!("lacks {} samples: more than could be kept", kept.beyond);
        if kept.beyond > 0 {
            kept.profile.set_product(&format!("{} ({lacks})", product(program)));
        }
        let mut out = file.begin().with_context(|| unwritten(&path))?;
        let written = serde_json::to_writer(&mut out, &kept.profile).map_err(anyhow::Error::from);
        written.and_then(|()| Ok(out.flush()?)).with_context(|| unwritten(&path))?;
        if kept.beyond > 0 {
            report::note(&format!("the profile {} {lacks}", report::path(&path)));
        }
        Ok(())
    }
}

impl Kept {
    fn new(program: &str, interval: Duration) -> Kept {
        let nanos = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
        let product = product(program);
        let mut profile = Profile::new(&product, SystemTime::now().into(), SamplingInterval::from_nanos(nanos));
        profile.set_symbolicated(true);
        let process = profile.add_process(&product, std::process::id(), timestamp(Duration::ZERO));
        Kept {
            profile,
            process,
            is_begun: false,
            names: HashMap::new(),
            threads: HashMap::new(),
            stacks: HashSet::new(),
            frames: 0,
            samples: 0,
            beyond: 0,
        }
    }

    fn keep(&mut self, event: &Event) {
        if !std::mem::replace(&mut self.is_begun, true) {
            // Times of events count from when the host was built: that was so long ago, less the time for this batch.
            let built = SystemTime::now().checked_sub(event.at).unwrap_or(SystemTime::UNIX_EPOCH);
            self.profile.set_reference_timestamp(built.into());
        }
        match (&event.what, event.isolate) {
            (Happened::Born { name, .. }, Some(id)) if self.names.len() < NAMES_MAX => {
                self.names.insert(id, name.clone());
            }
            (Happened::Sampled { took, frames, .. }, Some(id)) => {
                let has_room = self.sample(event.at, id, *took, frames);
                self.beyond += u64::from(!has_room);
            }
            (Happened::Ended { .. }, Some(id)) => {
                self.names.remove(&id);
                if let Some(thread) = self.threads.get(&id) {
                    self.profile.set_thread_end_time(thread.handle, timestamp(event.at));
                }
            }
            (Happened::Missed { events }, _) => self.beyond += events,
            _ => {}
        }
    }

    /// Whether there was room for it.
    fn sample(&mut self, at: Duration, id: IsolateId, took: Duration, frames: &[Frame]) -> bool {
        let stack = hashed(id, frames);
        let is_new = !self.stacks.contains(&stack);
        if self.samples == SAMPLES_MAX || (is_new && self.frames + frames.len() > FRAMES_MAX) {
            return false;
        }
        let Some(mut thread) = self.thread(at, id) else { return false };
        if is_new {
            self.stacks.insert(stack);
            self.frames += frames.len();
        }
        self.samples += 1;
        let infos: Vec<FrameInfo> = frames.iter().rev().map(|frame| self.frame(frame)).collect();
        let stack = self.profile.intern_stack_frames(thread.handle, infos.into_iter());
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let before = millis(thread.nanos);
        thread.nanos = thread.nanos.saturating_add(nanos);
        let weight = i32::try_from(millis(thread.nanos) - before).unwrap_or(i32::MAX);
        self.profile.add_sample(thread.handle, timestamp(at), stack, CpuDelta::from_nanos(nanos), weight);
        self.threads.insert(id, thread);
        true
    }

    /// The thread of an isolate.
    fn thread(&mut self, at: Duration, id: IsolateId) -> Option<Thread> {
        if let Some(thread) = self.threads.get(&id) {
            return Some(*thread);
        }
        if self.threads.len() == THREADS_MAX {
            return None;
        }
        let tid = u32::try_from(id.number()).unwrap_or(u32::MAX);
        let handle = self.profile.add_thread(self.process, tid, timestamp(at), false);
        let name = self.names.get(&id).map_or("isolate", String::as_str);
        self.profile.set_thread_name(handle, &format!("{} {id}", printable_line(name)));
        self.profile.set_thread_samples_weight_type(handle, WeightType::TracingMs);
        Some(Thread { handle, nanos: 0 })
    }

    fn frame(&mut self, frame: &Frame) -> FrameInfo {
        let name = match &frame.function {
            Some(name) => printable_line(name).into_owned(),
            None => format!("function {}", frame.index),
        };
        let frame = ProfileFrame::Label(self.profile.intern_string(&name));
        FrameInfo { frame, category_pair: CategoryHandle::OTHER.into(), flags: FrameFlags::empty() }
    }
}

/// A stack of an isolate, by the functions in it.
fn hashed(id: IsolateId, frames: &[Frame]) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    frames.iter().for_each(|frame| hasher.write_u32(frame.index));
    hasher.finish()
}

fn millis(nanos: u64) -> u64 {
    (nanos + 500_000) / 1_000_000
}

fn timestamp(at: Duration) -> Timestamp {
    Timestamp::from_nanos_since_reference(u64::try_from(at.as_nanos()).unwrap_or(u64::MAX))
}

fn product(program: &str) -> String {
    format!("insula {}", printable_line(program))
}

fn unwritten(path: &Path) -> String {
    format!("cannot write the profile {}", report::path(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profiled(text: &str) -> Result<(String, Duration), String> {
        Profiled::from_str(text).map(|profiled| (profiled.file.display().to_string(), profiled.interval))
    }

    #[test]
    fn it_is_spelled_as_wasmtime_spells_it() {
        let ms = Duration::from_millis;
        assert_eq!(profiled("guest"), Ok((FILE.to_owned(), ms(10))));
        assert_eq!(profiled("guest,p.json"), Ok(("p.json".to_owned(), ms(10))));
        assert_eq!(profiled("guest,,5ms"), Ok((FILE.to_owned(), ms(5))));
        assert_eq!(profiled("guest,a/p.json,1ms"), Ok(("a/p.json".to_owned(), ms(1))));
        for native in ["perfmap", "jitdump", "vtune", "pulley"] {
            let error = profiled(native).expect_err("it is refused");
            assert!(error.contains(&format!("`{native}` is for profilers of native code")), "{error}");
        }
        for wrong in ["", "host", "guests,x", "guest,x,soon", "guest,x,999us", "guest,x,1ms,y"] {
            assert!(profiled(wrong).is_err(), "{wrong}");
        }
    }
}
