//! Where events wait for whoever observes: threads that put them down do not wait for each other, nor for who takes them out.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use insula_wire::Kind;

use super::entry::{self, Calls, Entry, Extra, Left, notice, of, settle};
use super::lane::{Lane, Part, Room, Spares, Words, Writer, has_extra};
use super::{Event, Happened};
use crate::exit::IsolateId;
use crate::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use crate::sync::{Arc, Mutex};
use crate::trace_context::TraceContext;

/// What waits of one thread, at most: some 6 MiB of turns and messages, as much as a pair that plays ping-pong makes in a
/// tenth of a second. What has texts may be long, and a sample has the names of a stack, so there are fewer of these, and
/// they have room of their own: a birth or an end finds it however many messages there are.
const ROOM: Room = Room { chunks_max: 512, extras_max: [1 << 13, 1 << 10, 1 << 18] };

/// Threads that put down, and those that ended since an observer was told the last time.
const LANES_MAX: usize = 4_096;

/// Entries of a chunk: 12 KiB.
const CHUNK: usize = 512;

/// How much is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Detail {
    Nothing,
    /// Births, errors, ends.
    Lives,
    /// Turns and messages too.
    All,
    /// And spans: isolates begin traces where nobody else did, and each message that is taken is a span.
    Spans,
}

/// What happens in one host, for as long as somebody observes.
pub(crate) struct Recorder {
    detail: AtomicU8,
    /// What tells this recorder from others of the process.
    number: u64,
    calls: Calls,
    lanes: Mutex<Vec<Arc<Lane>>>,
    spares: Arc<Spares>,
    missed: AtomicU64,
    /// When the last sample was due; 0 where nobody samples.
    sample_due: AtomicU64,
    /// Nanoseconds that it stands for.
    sample_nanos: AtomicU64,
}

/// What was taken out, in no order yet; to be used again and again.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) parts: Vec<Part>,
    /// What belongs to entries of the parts, in their order.
    pub(crate) extras: Vec<Found>,
    /// Events that found no room.
    pub(crate) missed: u64,
    taken: Vec<Extra>,
}

/// What belongs to an entry; none where nobody wants to know.
pub(crate) type Found = Option<Box<Happened>>;

thread_local! {
    static THREAD: Cell<Option<u32>> = const { Cell::new(None) };
    /// The last sample that this thread took.
    static SAMPLED: Cell<u64> = const { Cell::new(0) };
    /// Where this thread puts down, by the number of the recorder: most threads work for one host.
    static WRITERS: RefCell<Vec<(u64, Writer)>> = const { RefCell::new(Vec::new()) };
}

/// Recorders of this process that record turns and messages.
static HAVE_ALL: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

/// The number of this thread, which no other has.
fn thread() -> u32 {
    static THREADS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    THREAD.get().unwrap_or_else(|| {
        let number = THREADS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        THREAD.set(Some(number));
        number
    })
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.record(Detail::Nothing);
    }
}

impl Recorder {
    /// Nobody observes. Calls have names, by their numbers.
    pub(crate) fn new(calls: Calls) -> Arc<Recorder> {
        static NUMBERS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let [missed, sample_due, sample_nanos] = [(); 3].map(|()| AtomicU64::new(0));
        Arc::new(Recorder {
            detail: AtomicU8::new(Detail::Nothing as u8),
            number: NUMBERS.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
            calls,
            lanes: Mutex::default(),
            spares: Spares::new(CHUNK),
            missed,
            sample_due,
            sample_nanos,
        })
    }

    /// Whether somebody observes turns and messages of any host of this process: the one thing that is asked on the way of a
    /// message where nobody does, since it is found without looking for the recorder.
    #[inline]
    pub(crate) fn any_has_all() -> bool {
        HAVE_ALL.load(std::sync::atomic::Ordering::Relaxed) > 0
    }

    /// Whether somebody observes turns and messages.
    #[inline]
    pub(crate) fn has_all(&self) -> bool {
        self.detail.load(Ordering::Relaxed) >= Detail::All as u8
    }

    /// Whether somebody observes spans.
    pub(crate) fn has_spans(&self) -> bool {
        self.detail.load(Ordering::Relaxed) == Detail::Spans as u8
    }

    /// Whether somebody observes births, errors and ends.
    pub(crate) fn has_lives(&self) -> bool {
        self.detail.load(Ordering::Relaxed) >= Detail::Lives as u8
    }

    /// From now on it records so much.
    pub(crate) fn record(&self, detail: Detail) {
        let had_all = self.detail.swap(detail as u8, Ordering::SeqCst) >= Detail::All as u8;
        match (had_all, detail >= Detail::All) {
            (false, true) => _ = HAVE_ALL.fetch_add(1, std::sync::atomic::Ordering::SeqCst),
            (true, false) => _ = HAVE_ALL.fetch_sub(1, std::sync::atomic::Ordering::SeqCst),
            (false, false) | (true, true) => {}
        }
        if detail == Detail::Nothing {
            self.spares.clear();
        }
    }

    /// It had a CPU.
    #[inline]
    pub(crate) fn ran(&self, isolate: IsolateId, from: u64, to: u64, left: Left) {
        let (nanos, calls) = (to.saturating_sub(from), self.calls);
        self.put(from, isolate.0, entry::ran(from, isolate.0, nanos, left), move || {
            let (took, then) = (Duration::from_nanos(nanos), left.then(calls));
            Happened::Ran { took, thread: thread(), then }
        });
    }

    /// A message was accepted.
    #[inline]
    pub(crate) fn sent(&self, at: u64, isolate: u64, to: u64, message: u64, bytes: u64) {
        let large = move || Happened::Sent { to: of(to), message, bytes };
        self.put(at, isolate, entry::sent(at, isolate, to, message, bytes), large);
    }

    /// A message was taken.
    #[inline]
    pub(crate) fn received(&self, at: u64, isolate: u64, message: u64, bytes: u64, kind: Kind) {
        let large = move || Happened::Received { message, bytes, notice: notice(kind) };
        self.put(at, isolate, entry::received(at, isolate, message, bytes, kind), large);
    }

    /// It is in this span from here on, within that of its parent.
    #[cold]
    pub(crate) fn entered(&self, at: u64, isolate: IsolateId, context: TraceContext, parent: Option<u64>) {
        self.put_with(at, isolate.0, Extra::Span(Box::new((context, parent))));
    }

    /// Something happened that happens seldom. It is made only if somebody observes.
    pub(crate) fn rare(&self, at: u64, isolate: IsolateId, what: impl FnOnce() -> Happened) {
        if self.has_lives() {
            self.put_with(at, isolate.0, Extra::Rare(Box::new(what())));
        }
    }

    /// A sample is due of whoever has a CPU now, and stands for so much time.
    pub(crate) fn sample(&self, now: u64, nanos: u64) {
        self.sample_nanos.store(nanos, Ordering::Relaxed);
        self.sample_due.store(now.max(1), Ordering::Release);
    }

    /// No sample is due any more.
    pub(crate) fn sample_no_more(&self) {
        self.sample_due.store(0, Ordering::Release);
    }

    /// The nanoseconds that a sample stands for which this thread is to take, in a poll that began then: it was due in this
    /// poll, and is not taken yet.
    pub(crate) fn sample_nanos(&self, poll_began: u64) -> Option<u64> {
        let due = self.sample_due.load(Ordering::Acquire);
        if due == 0 || due < poll_began || SAMPLED.replace(due) == due {
            return None;
        }
        Some(self.sample_nanos.load(Ordering::Relaxed))
    }

    /// A sample was taken.
    pub(crate) fn sampled(&self, at: u64, isolate: IsolateId, what: Box<dyn FnOnce() -> Happened + Send>) {
        self.put_with(at, isolate.0, Extra::Sample(what));
    }

    /// Puts the words down, or what is too large for them.
    #[inline]
    fn put(&self, at: u64, isolate: u64, words: Option<Words>, large: impl FnOnce() -> Happened) {
        match words {
            Some([first, second, third]) => self.put_words(first, second, third),
            None => self.put_large(at, isolate, large),
        }
    }

    /// Puts words down. One piece of code does that for all kinds, and is short where there is room: its instructions are the
    /// most of what a recording costs.
    #[inline(never)]
    fn put_words(&self, first: u64, second: u64, third: u64) {
        let put = WRITERS.try_with(|writers| match writers.borrow_mut().first_mut() {
            Some((number, writer)) if *number == self.number => writer.put_at_once([first, second, third]),
            Some(_) | None => false,
        });
        if put != Ok(true) {
            self.put_where_there_is_no_room(first, second, third);
        }
    }

    /// Puts words down where that takes longer, or counts what finds no room.
    #[cold]
    #[inline(never)]
    fn put_where_there_is_no_room(&self, first: u64, second: u64, third: u64) {
        self.counted(self.write(|writer| writer.put([first, second, third])));
    }

    #[cold]
    #[inline(never)]
    fn put_large(&self, at: u64, isolate: u64, large: impl FnOnce() -> Happened) {
        self.put_with(at, isolate, Extra::Large(Box::new(large())));
    }

    #[cold]
    fn put_with(&self, at: u64, isolate: u64, extra: Extra) {
        self.counted(self.write(|writer| writer.put_with(entry::more(at, isolate), extra)));
    }

    #[inline]
    fn counted(&self, is_put: bool) {
        if !is_put {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Has this thread write on its lane; on a lane for this alone where it is about to end.
    #[cold]
    #[inline(never)]
    fn write(&self, write: impl FnOnce(&mut Writer) -> bool) -> bool {
        let mut write = Some(write);
        let written = WRITERS.try_with(|writers| {
            let mut writers = writers.borrow_mut();
            let known = writers.iter().position(|(number, _)| *number == self.number);
            let known = known.or_else(|| self.begin(&mut writers))?;
            Some(write.take()?(&mut writers[known].1))
        });
        match (written, write) {
            (Ok(written), _) => written.unwrap_or(false),
            (Err(_), Some(write)) => self.new_writer().is_some_and(|mut writer| write(&mut writer)),
            (Err(_), None) => false,
        }
    }

    /// Gives this thread a lane. Those of hosts that are gone make room.
    #[cold]
    fn begin(&self, writers: &mut Vec<(u64, Writer)>) -> Option<usize> {
        writers.retain(|(_, writer)| !writer.is_alone());
        writers.push((self.number, self.new_writer()?));
        Some(writers.len() - 1)
    }

    /// A lane, unless there are as many as may be.
    fn new_writer(&self) -> Option<Writer> {
        let mut lanes = self.lanes.lock();
        let has_room = lanes.len() < LANES_MAX;
        has_room.then(|| {
            let writer = Writer::new(ROOM, thread(), &self.spares);
            lanes.push(Arc::clone(writer.lane()));
            writer
        })
    }

    /// Takes out what waits, in the place of what is in the batch. To be called by one thread at a time.
    pub(crate) fn drain(&self, batch: &mut Batch) {
        self.take_back(batch);
        let Batch { parts, extras, missed, taken } = batch;
        // A thread that begins to put down waits for nothing else.
        let mut lanes = std::mem::take(&mut *self.lanes.lock());
        lanes.retain_mut(|lane| {
            // Before it is looked into: whoever is gone then has put down all that it ever will.
            let goes_on = Arc::get_mut(lane).is_none();
            lane.drain(parts, taken);
            goes_on
        });
        let mut since = self.lanes.lock();
        lanes.append(&mut since);
        *since = lanes;
        drop(since);
        extras.extend(taken.drain(..).map(|extra| Some(extra.happened())));
        *missed = self.missed.swap(0, Ordering::Relaxed);
    }

    /// Nobody needs what is in the batch any more.
    pub(crate) fn take_back(&self, batch: &mut Batch) {
        self.spares.take_back(batch.parts.drain(..));
        batch.extras.clear();
    }

    /// The events of these parts in the order of time, behind those that are there. What belongs to entries is taken out of
    /// its place.
    pub(crate) fn events(&self, parts: &[Part], extras: &mut [Found], events: &mut Vec<Event>) {
        let mut entries: Vec<Entry> = Vec::with_capacity(parts.iter().map(Part::len).sum());
        let mut extra = 0;
        for of_one_thread in parts.chunk_by(|one, next| one.thread() == next.thread()) {
            let first = entries.len();
            for part in of_one_thread {
                for words in part.read() {
                    let has_extra = has_extra(&words);
                    entries.push(Entry { words, number: if has_extra { extra } else { part.thread() } });
                    extra += u32::from(has_extra);
                }
            }
            settle(&mut entries[first..]);
        }
        // While they are small. What is in order by itself is only walked over.
        entries.sort_by_key(Entry::at);
        events.extend(entries.into_iter().filter_map(|entry| entry.event(extras, self.calls)));
    }
}

#[cfg(test)]
#[path = "recorder/tests.rs"]
mod tests;
