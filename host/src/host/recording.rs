//! All that happens in a host, kept as small as it was put down until somebody asks for it.

use std::io;

use super::Host;
use super::observers::{Observation, Told, Wants};
use crate::event::{Batch, Event, Happened, Record, Recorder};
use crate::sync::{Arc, Mutex};

/// Bytes of what guests say in the events of a recording: debug names, errors, exits.
const TEXT_BYTES_MAX: usize = 64 << 20;

impl Host {
    /// Keeps all that happens in this host from now on, up to so many events, until the [`Recording`] is stopped.
    ///
    /// They are those of [`Host::observe`], and cost less: nobody is called meanwhile, and each is 40 bytes for as long as it
    /// is kept. Of what finds no room, since there are more or since the texts in them have more than 64 MiB, the number is
    /// told.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn record(&self, events_max: usize) -> io::Result<Recording> {
        let kept = Arc::new(Mutex::new(Kept { room: events_max, text_room: TEXT_BYTES_MAX, ..Kept::default() }));
        let recorder = &self.inner.links.recorder;
        let observation = self.inner.observers.add(recorder, Wants::All, Told::Keep(Arc::clone(&kept)))?;
        Ok(Recording { observation, recorder: Arc::clone(recorder), kept })
    }
}

/// What happens in a host is kept for as long as this is there.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::{Happened, Host, Spawn};
/// let host = Host::builder().isolates(1).build()?;
/// let recording = host.record(1_000)?;
/// let module = host.load("page", b"(module (func (export \"run\")))")?;
/// host.spawn(&module, Spawn::entry("run"))?.join();
/// let recorded = recording.stop();
/// assert!(matches!(recorded.events[0].what, Happened::Born { .. }));
/// assert_eq!(recorded.missed, 0);
/// # Ok(())
/// # }
/// ```
#[must_use = "dropped, it forgets what it has"]
pub struct Recording {
    observation: Observation,
    recorder: Arc<Recorder>,
    kept: Arc<Mutex<Kept>>,
}

/// What happened while it was recorded.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let host = insula::Host::builder().isolates(1).build()?;
/// assert!(host.record(10)?.stop().events.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Recorded {
    /// In the order of time.
    pub events: Vec<Event>,
    /// Events that found no room.
    pub missed: u64,
}

impl Recording {
    /// Ends it, and answers all that happened until now.
    #[must_use]
    pub fn stop(self) -> Recorded {
        let Recording { observation, recorder, kept } = self;
        drop(observation);
        let Kept { batches, mut extras, missed, .. } = std::mem::take(&mut *kept.lock());
        let mut records = batches.concat();
        drop(batches);
        let mut events = Vec::with_capacity(records.len());
        recorder.events(&mut records, &mut extras, &mut events);
        Recorded { events, missed }
    }
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording").finish_non_exhaustive()
    }
}

/// What a recording has so far.
#[derive(Default)]
pub(super) struct Kept {
    /// A piece for each batch: one that grows would be copied now and then, for as long as events are lost in.
    batches: Vec<Vec<Record>>,
    extras: Vec<Happened>,
    missed: u64,
    /// Events that there is room for.
    room: usize,
    /// And bytes of texts.
    text_room: usize,
}

impl Kept {
    /// Keeps what is in a batch, but samples and spans.
    pub(super) fn keep(&mut self, batch: &Batch) {
        self.missed += batch.missed;
        let mut records = Vec::with_capacity(batch.records.len().min(self.room));
        if batch.extras.is_empty() {
            let (kept, rest) = batch.records.split_at(batch.records.len().min(self.room));
            records.extend_from_slice(kept);
            self.room -= kept.len();
            self.missed += rest.len() as u64;
        } else {
            records.extend(batch.records.iter().filter_map(|record| self.kept(*record, &batch.extras)));
        }
        if !records.is_empty() {
            self.batches.push(records);
        }
    }

    /// The record as it is kept, if it is wanted and finds room.
    fn kept(&mut self, record: Record, extras: &[Happened]) -> Option<Record> {
        let extra = record.extra().map(|number| &extras[number]);
        if extra.is_some_and(|extra| !Wants::All.has(extra)) {
            return None;
        }
        let text_bytes = extra.map_or(0, Happened::text_bytes);
        if self.room == 0 || text_bytes > self.text_room {
            self.missed += 1;
            return None;
        }
        self.room -= 1;
        self.text_room -= text_bytes;
        Some(match extra {
            None => record,
            Some(extra) => {
                self.extras.push(extra.clone());
                record.with_extra(self.extras.len() - 1)
            }
        })
    }
}
