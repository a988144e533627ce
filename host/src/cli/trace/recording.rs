//! What is kept of a run: events as they come, in memory up to a bound, and the file when all is over. Nothing is
//! written meanwhile: formatting takes longer than what it would tell of.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use insula::{Event, Happened, Host, Observation};

use super::super::report;
use super::file;

/// Events that are kept, some 250 MB of them; of those beyond only the number.
const EVENTS_MAX: usize = 1 << 21;

/// Bytes of the texts in them.
const TEXT_BYTES_MAX: usize = 64 << 20;

/// A run that is recorded.
pub(in crate::cli) struct Recording {
    path: PathBuf,
    file: File,
    observation: Observation,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    /// A piece for each batch: one that grows would be copied now and then, for as long as events are lost in.
    batches: Vec<Vec<Event>>,
    count: usize,
    text_bytes: usize,
    missed: u64,
}

impl Recording {
    /// Records what happens in this host from now on. The file is made at once: who cannot have it is told before the
    /// program runs.
    pub(in crate::cli) fn begin(host: &Host, path: &Path) -> Result<Recording> {
        let file = File::create(path).with_context(|| format!("cannot write the trace {}", report::path(path)))?;
        let kept = Arc::<Mutex<Kept>>::default();
        let theirs = Arc::clone(&kept);
        let observation = host.observe(move |events| {
            let mut kept = theirs.lock().unwrap_or_else(PoisonError::into_inner);
            kept.keep(events);
        });
        let observation = observation.context("cannot record the run")?;
        Ok(Recording { path: path.to_owned(), file, observation, kept })
    }

    /// Writes the file.
    pub(in crate::cli) fn end(self, program: &str) -> Result<()> {
        let Recording { path, file, observation, kept } = self;
        drop(observation);
        let Kept { batches, missed, .. } = std::mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner));
        let mut events: Vec<Event> = batches.into_iter().flatten().collect();
        events.sort_by_key(|event| event.at);
        let mut out = BufWriter::with_capacity(1 << 20, file);
        let written = file::write(&mut out, program, &events, missed).and_then(|()| Ok(out.flush()?));
        written.with_context(|| format!("cannot write the trace {}", report::path(&path)))?;
        if missed > 0 {
            report::note(&format!("the trace {} lacks {missed} events: more than could be kept", report::path(&path)));
        }
        Ok(())
    }
}

impl Kept {
    fn keep(&mut self, events: &[Event]) {
        let mut batch = Vec::with_capacity(events.len());
        for event in events {
            match event.what {
                Happened::Missed { events } => self.missed += events,
                _ if self.has_room_for(event) => batch.push(event.clone()),
                _ => self.missed += 1,
            }
        }
        self.batches.push(batch);
    }

    fn has_room_for(&mut self, event: &Event) -> bool {
        let text_bytes = self.text_bytes + text_bytes(&event.what);
        let has_room = self.count < EVENTS_MAX && text_bytes <= TEXT_BYTES_MAX;
        if has_room {
            (self.count, self.text_bytes) = (self.count + 1, text_bytes);
        }
        has_room
    }
}

/// Bytes of what a guest says in it, about.
fn text_bytes(what: &Happened) -> usize {
    match what {
        Happened::Born { name, module, .. } => name.len() + module.len(),
        Happened::Uncaught { message } => message.len(),
        Happened::Ended { exit } => format!("{exit:?}").len(),
        _ => 0,
    }
}
