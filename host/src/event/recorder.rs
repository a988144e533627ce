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
    #[cold]
    pub(crate) fn ran(&self, isolate: IsolateId, from: u64, to: u64, left: Left) {
        let nanos = to.saturating_sub(from);
        self.put(from, isolate.0, entry::ran(from, isolate.0, nanos, left), || {
            let (took, then) = (Duration::from_nanos(nanos), left.then(self.calls));
            Happened::Ran { took, thread: thread(), then }
        });
    }

    /// A message was accepted.
    #[cold]
    pub(crate) fn sent(&self, at: u64, isolate: u64, to: u64, message: u64, bytes: u64) {
        let large = || Happened::Sent { to: of(to), message, bytes };
        self.put(at, isolate, entry::sent(at, isolate, to, message, bytes), large);
    }

    /// A message was taken.
    #[cold]
    pub(crate) fn received(&self, at: u64, isolate: u64, message: u64, bytes: u64, kind: Kind) {
        let large = || Happened::Received { message, bytes, notice: notice(kind) };
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

    /// Puts words down. One piece of code does that for all kinds, and is short where there is room: what comes between
    /// turns puts the code of guests out of a CPU's caches.
    #[inline(never)]
    fn put_words(&self, first: u64, second: u64, third: u64) {
        let words = [first, second, third];
        let put = WRITERS.try_with(|writers| match writers.borrow_mut().first_mut() {
            Some((number, writer)) if *number == self.number => writer.put_at_once(words),
            Some(_) | None => false,
        });
        if put != Ok(true) {
            self.counted(self.write(|writer| writer.put(words)));
        }
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
mod tests {
    use super::super::entry::{BYTES_MAX, ID_MAX, MESSAGE_MAX};
    use super::super::{Notice, Then};
    use super::*;

    const WAITING_MAX: usize = CHUNK * ROOM.chunks_max;
    const RARE_MAX: usize = ROOM.extras_max[0];
    const SAMPLES_MAX: usize = ROOM.extras_max[1];

    fn drained(recorder: &Recorder) -> Vec<Event> {
        let (mut batch, mut events) = (Batch::default(), Vec::new());
        recorder.drain(&mut batch);
        recorder.events(&batch.parts, &mut batch.extras, &mut events);
        if batch.missed > 0 {
            events.push(Event { at: Duration::MAX, isolate: None, what: Happened::Missed { events: batch.missed } });
        }
        events
    }

    fn recorder() -> Arc<Recorder> {
        Recorder::new(|call| ["sleeps", "receives"].get(usize::from(call)).copied())
    }

    #[test]
    fn what_happened_comes_out_in_the_order_of_time_whoever_put_it_in() {
        let recorder = recorder();
        recorder.received(30, 1, 7, 64, Kind::Exit);
        std::thread::scope(|scope| {
            scope.spawn(|| recorder.sent(10, 0, 1, 7, 64));
        });
        recorder.ran(IsolateId(1), 20, 25, Left::Over);
        let events = drained(&recorder);
        assert_eq!(events.iter().map(|event| event.at.as_nanos()).collect::<Vec<_>>(), [10, 20, 30]);
        assert_eq!(events[0].isolate, None);
        assert_eq!(events[0].what, Happened::Sent { to: Some(IsolateId(1)), message: 7, bytes: 64 });
        assert_eq!(events[2].what, Happened::Received { message: 7, bytes: 64, notice: Some(Notice::Exit) });
        assert!(drained(&recorder).is_empty());
    }

    #[test]
    fn a_turn_is_told_before_what_happened_in_it() {
        let recorder = recorder();
        for turn in 0..100 {
            let began = turn * 100;
            for inner in 0..turn % 7 {
                recorder.sent(began + 10 + inner, 1, 2, inner, 64);
            }
            recorder.ran(IsolateId(1), began, began + 90, Left::Preempted);
        }
        let events = drained(&recorder);
        assert!(events.is_sorted_by_key(|event| event.at) && events.len() > 300);
        assert!(matches!(events[0].what, Happened::Ran { .. }));
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let recorder = recorder();
        for _ in 0..WAITING_MAX + 3 {
            recorder.sent(1, 1, 2, 3, 4);
        }
        // An end has room of its own.
        recorder.record(Detail::Lives);
        recorder.rare(2, IsolateId(1), || Happened::Ended { exit: crate::Exit::Returned });
        let events = drained(&recorder);
        assert_eq!(events.len(), WAITING_MAX + 2);
        assert_eq!(events.last().map(|last| &last.what), Some(&Happened::Missed { events: 3 }));
        assert!(drained(&recorder).is_empty());
    }

    #[test]
    fn births_and_samples_have_a_bound_each_and_leave_each_other_room() {
        let recorder = recorder();
        recorder.record(Detail::Lives);
        for _ in 0..SAMPLES_MAX + 2 {
            recorder.sampled(1, IsolateId(1), Box::new(|| Happened::Missed { events: 0 }));
        }
        for _ in 0..RARE_MAX + 5 {
            recorder.rare(2, IsolateId(1), || Happened::Ended { exit: crate::Exit::Returned });
        }
        let events = drained(&recorder);
        assert_eq!(events.len(), SAMPLES_MAX + RARE_MAX + 1);
        assert_eq!(events.last().map(|last| &last.what), Some(&Happened::Missed { events: 7 }));
    }

    #[test]
    fn nothing_is_made_for_nobody() {
        let recorder = recorder();
        recorder.rare(1, IsolateId(1), || unreachable!("nobody observes"));
        recorder.record(Detail::Lives);
        assert!(!recorder.has_all());
        recorder.rare(1, IsolateId(1), || Happened::Ended { exit: crate::Exit::Returned });
        assert_eq!(drained(&recorder).len(), 1);
    }

    #[test]
    fn numbers_that_are_too_large_for_words_are_told_all_the_same() {
        let recorder = recorder();
        for large in [1 << 24, 1 << 32, 1 << 40, u64::MAX >> 1] {
            recorder.sent(1, large, large, large, large);
            recorder.received(2, large, large, large, Kind::Ping);
            recorder.ran(IsolateId(large), 3, large, Left::Waits(Some(1)));
            let then = Then::Waits { call: Some("receives") };
            let told = [
                Happened::Sent { to: of(large), message: large, bytes: large },
                Happened::Received { message: large, bytes: large, notice: Some(Notice::Ping) },
                Happened::Ran { took: Duration::from_nanos(large - 3), thread: thread(), then },
            ];
            let events = drained(&recorder);
            assert!(events.iter().all(|event| event.isolate == of(large)), "{events:?}");
            assert_eq!(events.into_iter().map(|event| event.what).collect::<Vec<_>>(), told);
        }
    }

    #[test]
    fn each_entry_is_read_as_it_was_put_down() {
        let recorder = recorder();
        for left in [Left::Over, Left::Preempted, Left::Paused, Left::Waits(None), Left::Waits(Some(0))] {
            recorder.ran(IsolateId(ID_MAX), 5, 8, left);
            let (took, then) = (Duration::from_nanos(3), left.then(recorder.calls));
            let told = Event {
                at: Duration::from_nanos(5),
                isolate: of(ID_MAX),
                what: Happened::Ran { took, thread: thread(), then },
            };
            assert_eq!(drained(&recorder), [told]);
        }
        recorder.sent(1, 0, ID_MAX, MESSAGE_MAX, BYTES_MAX);
        let sent = Happened::Sent { to: of(ID_MAX), message: MESSAGE_MAX, bytes: BYTES_MAX };
        assert_eq!(drained(&recorder), [Event { at: Duration::from_nanos(1), isolate: None, what: sent }]);
    }

    #[test]
    fn threads_that_come_and_go_have_a_bound_until_somebody_is_told_of_them() {
        let recorder = recorder();
        let puts = || std::thread::scope(|scope| drop(scope.spawn(|| recorder.sent(1, 0, 1, 2, 3)).join()));
        (0..LANES_MAX + 2).for_each(|_| puts());
        let events = drained(&recorder);
        assert_eq!(events.len(), LANES_MAX + 1);
        assert_eq!(events.last().map(|last| &last.what), Some(&Happened::Missed { events: 2 }));
        puts();
        assert_eq!(drained(&recorder).len(), 1);
        assert!(recorder.lanes.lock().is_empty(), "nobody is left");
    }

    #[test]
    fn what_a_thread_does_while_it_ends_is_told() {
        struct AtEnd(Arc<Recorder>);
        impl Drop for AtEnd {
            fn drop(&mut self) {
                self.0.sent(2, 0, 1, 2, 3);
            }
        }
        thread_local!(static AT_END: RefCell<Option<AtEnd>> = const { RefCell::new(None) });
        let recorder = recorder();
        let theirs = Arc::clone(&recorder);
        let ends = std::thread::spawn(move || {
            AT_END.set(Some(AtEnd(Arc::clone(&theirs))));
            theirs.sent(1, 0, 1, 2, 3);
        });
        ends.join().expect("it does not panic");
        assert_eq!(drained(&recorder).len(), 2);
    }
}
