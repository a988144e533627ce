//! All that happens in a host, kept as small as it was put down until somebody asks for it.

use std::io;

use super::Host;
use super::observers::{Observation, Told, Wants};
use crate::event::{Batch, Event, Found, Part, Recorder, has_extra};
use crate::sync::{Arc, Mutex};

/// Bytes of what guests say in the events of a recording: debug names, errors, exits.
const TEXT_BYTES_MAX: usize = 64 << 20;

impl Host {
    /// Keeps all that happens in this host from now on, up to so many events, until the [`Recording`] is stopped.
    ///
    /// They are those of [`Host::observe`], and cost less: nobody is called meanwhile. A turn or a message is 24 bytes for as
    /// long as it is kept, and all that come within 10 ms are some 100 more; a birth, an uncaught error or an end is some 200
    /// and its texts. Of what finds no room, since there are more or since the texts in them have more than 64 MiB, the number
    /// is told.
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
        let Kept { parts, mut extras, missed, .. } = std::mem::take(&mut *kept.lock());
        let mut events = Vec::new();
        recorder.events(&parts, &mut extras, &mut events);
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
    parts: Vec<Part>,
    /// What belongs to their entries, in their order.
    extras: Vec<Found>,
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
        let mut extras = &batch.extras[..];
        for part in &batch.parts {
            let (theirs, rest) = extras.split_at(part.extras());
            extras = rest;
            let wanted = part.len() - theirs.iter().filter(|extra| !is_wanted(extra)).count();
            let fits = wanted.min(self.room);
            self.missed += (wanted - fits) as u64;
            if fits > 0 {
                // What nobody wants is kept with what somebody does.
                let part = if fits == wanted { part } else { &self.fitting(part, theirs) };
                self.room -= fits;
                self.put(part, theirs);
            }
        }
    }

    /// As much of a part as there is room for.
    fn fitting(&self, part: &Part, extras: &[Found]) -> Part {
        let (mut room, mut extras) = (self.room, extras.iter());
        let fits = |has_extra: &bool| {
            let is_wanted = !has_extra || extras.next().is_some_and(is_wanted);
            let fits = room > 0 || !is_wanted;
            room -= usize::from(fits && is_wanted);
            fits
        };
        part.first(part.read().map(|words| has_extra(&words)).take_while(fits).count())
    }

    fn put(&mut self, part: &Part, extras: &[Found]) {
        for extra in &extras[..part.extras()] {
            let wanted = extra.as_ref().filter(|what| Wants::All.has(what));
            let text_bytes = wanted.map_or(0, |what| what.text_bytes());
            let has_room = text_bytes <= self.text_room;
            if has_room {
                self.text_room -= text_bytes;
            } else {
                (self.missed, self.room) = (self.missed + 1, self.room + 1);
            }
            self.extras.push(wanted.filter(|_| has_room).cloned());
        }
        self.parts.push(part.copy());
    }
}

fn is_wanted(extra: &Found) -> bool {
    extra.as_ref().is_some_and(|what| Wants::All.has(what))
}
