//! Where events wait for whoever observes: threads that put them down do not wait for each other, nor for who takes them out.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use insula_wire::Kind;

use super::lane::{EXTRA, Lane, Room, Words, Writer};
use super::{Event, Happened, Notice, Then};
use crate::exit::IsolateId;
use crate::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use crate::sync::{Arc, Mutex};
use crate::trace_context::TraceContext;

/// What waits of one thread, at most: some 10 MiB of turns and messages, as much as a pair that plays ping-pong makes in a
/// tenth of a second. What has texts may be long, and a sample has the names of a stack, so there are fewer of these, and
/// they have room of their own: a birth or an end finds it however many messages there are.
const ROOM: Room = Room { chunk: 512, chunks_max: 512, extras_max: [1 << 13, 1 << 10, 1 << 18] };

/// One thing that happened, as small as it can be: it is put down on the way of every message.
#[derive(Clone, Copy)]
pub(crate) struct Record(Words);

/// What is more than words.
pub(crate) enum Extra {
    Rare(Box<Happened>),
    /// Made when it is told: names take their time.
    Sample(Box<dyn FnOnce() -> Happened + Send>),
    Span(Box<(TraceContext, Option<u64>)>),
}

/// The kinds that have a bound each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExtraKind {
    Rare,
    Sample,
    Span,
}

/// Why an isolate no longer has a CPU, a call by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    Over,
    Preempted,
    Paused,
    Waits(Option<u8>),
}

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
    /// The name of a call, by its number.
    call: fn(u8) -> Option<&'static str>,
    lanes: Mutex<Vec<Arc<Lane>>>,
    missed: AtomicU64,
    /// When the last sample was due; 0 where nobody samples.
    sample_due: AtomicU64,
    /// Nanoseconds that it stands for.
    sample_nanos: AtomicU64,
}

/// What was taken out, in no order yet; to be used again and again.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) records: Vec<Record>,
    /// What belongs to those of them which say so; each has its number here.
    pub(crate) extras: Vec<Happened>,
    /// Events that found no room.
    pub(crate) missed: u64,
    words: Vec<Words>,
    taken: Vec<Extra>,
}

thread_local! {
    static THREAD: Cell<Option<u32>> = const { Cell::new(None) };
    /// The last sample that this thread took.
    static SAMPLED: Cell<u64> = const { Cell::new(0) };
    /// Where this thread puts down, by the number of the recorder: most threads work for one host.
    static WRITERS: RefCell<Vec<(u64, Writer)>> = const { RefCell::new(Vec::new()) };
}

/// The number of this thread, which no other has.
fn thread() -> u32 {
    static THREADS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    THREAD.get().unwrap_or_else(|| {
        let number = THREADS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        THREAD.set(Some(number));
        number
    })
}

impl Recorder {
    /// Nobody observes. Calls have names, by their numbers.
    pub(crate) fn new(call: fn(u8) -> Option<&'static str>) -> Arc<Recorder> {
        static NUMBERS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let [missed, sample_due, sample_nanos] = [(); 3].map(|()| AtomicU64::new(0));
        Arc::new(Recorder {
            detail: AtomicU8::new(Detail::Nothing as u8),
            number: NUMBERS.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
            call,
            lanes: Mutex::default(),
            missed,
            sample_due,
            sample_nanos,
        })
    }

    /// Whether somebody observes turns and messages: the one thing that is asked where nobody does.
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
        self.detail.store(detail as u8, Ordering::SeqCst);
        if detail == Detail::Nothing {
            self.lanes.lock().iter().for_each(|lane| lane.shrink());
        }
    }

    /// It had a CPU.
    #[cold]
    pub(crate) fn ran(&self, isolate: IsolateId, from: u64, to: u64, left: Left) {
        self.put([from, isolate.0, to.saturating_sub(from), u64::from(thread()), Tag::Ran(left).word()]);
    }

    /// A message was accepted.
    #[cold]
    pub(crate) fn sent(&self, at: u64, isolate: u64, to: u64, message: u64, bytes: u64) {
        self.put([at, isolate, message, to, Tag::Sent.word_with(bytes)]);
    }

    /// A message was taken.
    #[cold]
    pub(crate) fn received(&self, at: u64, isolate: u64, message: u64, bytes: u64, kind: Kind) {
        self.put([at, isolate, message, 0, Tag::Received(kind).word_with(bytes)]);
    }

    /// It is in this span from here on, within that of its parent.
    #[cold]
    pub(crate) fn entered(&self, at: u64, isolate: IsolateId, context: TraceContext, parent: Option<u64>) {
        self.put_with(at, isolate, Extra::Span(Box::new((context, parent))));
    }

    /// Something happened that happens seldom. It is made only if somebody observes.
    pub(crate) fn rare(&self, at: u64, isolate: IsolateId, what: impl FnOnce() -> Happened) {
        if self.has_lives() {
            self.put_with(at, isolate, Extra::Rare(Box::new(what())));
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
        self.put_with(at, isolate, Extra::Sample(what));
    }

    fn put(&self, words: Words) {
        self.counted(self.write(|writer| writer.put(words)));
    }

    fn put_with(&self, at: u64, isolate: IsolateId, extra: Extra) {
        self.counted(self.write(|writer| writer.put_with([at, isolate.0], extra)));
    }

    #[inline]
    fn counted(&self, is_put: bool) {
        if !is_put {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Has this thread write on its lane. A thread that is ending has none.
    #[inline]
    fn write(&self, write: impl FnOnce(&mut Writer) -> bool) -> bool {
        let written = WRITERS.try_with(|writers| {
            let mut writers = writers.borrow_mut();
            let known = writers.iter().position(|(number, _)| *number == self.number);
            let known = known.unwrap_or_else(|| self.begin(&mut writers));
            write(&mut writers[known].1)
        });
        written.unwrap_or(false)
    }

    /// Gives this thread a lane. Those of hosts that are gone make room.
    #[cold]
    fn begin(&self, writers: &mut Vec<(u64, Writer)>) -> usize {
        writers.retain(|(_, writer)| !writer.is_alone());
        let writer = Writer::new(ROOM);
        self.lanes.lock().push(Arc::clone(writer.lane()));
        writers.push((self.number, writer));
        writers.len() - 1
    }

    /// Takes out what waits, in the place of what is in the batch. To be called by one thread at a time.
    pub(crate) fn drain(&self, batch: &mut Batch) {
        let Batch { records, extras, missed, words, taken } = batch;
        records.clear();
        extras.clear();
        // A thread that begins to put down waits for nothing else.
        let mut lanes = std::mem::take(&mut *self.lanes.lock());
        lanes.retain_mut(|lane| {
            // Before it is looked into: whoever is gone then has put down all that it ever will.
            let goes_on = Arc::get_mut(lane).is_none();
            let [first, first_extra] = [words.len(), taken.len()];
            lane.drain(words, taken);
            number(&mut words[first..], first_extra);
            settle(&mut words[first..]);
            goes_on
        });
        self.lanes.lock().append(&mut lanes);
        records.extend(words.drain(..).map(Record));
        extras.extend(taken.drain(..).map(Extra::happened));
        *missed = self.missed.swap(0, Ordering::Relaxed);
    }

    /// The events of these records, in the order of time; what belongs to them is taken out of its place.
    pub(crate) fn events(&self, records: &mut [Record], extras: &mut [Happened], events: &mut Vec<Event>) {
        // While they are small. What is in order by itself is only walked over.
        records.sort_by_key(|Record([at, ..])| *at);
        events.extend(records.iter().map(|record| record.event(extras, self.call)));
    }
}

/// Has each entry of something more say which that is, from this number on.
fn number(entries: &mut [Words], first: usize) {
    let with_more = entries.iter_mut().filter(|words| words[4] == EXTRA);
    with_more.zip(first as u64..).for_each(|(words, number)| words[2] = number);
}

/// Puts what one thread put down in the order of time, which it nearly has: a turn is put down when it is over, behind what
/// happened in it, and is the only one that moves far.
fn settle(entries: &mut [Words]) {
    for late in 1..entries.len() {
        let at = entries[late][0];
        if entries[late - 1][0] > at {
            let earlier = entries[..late].iter().rev().take_while(|entry| entry[0] > at).count();
            entries[late - earlier..=late].rotate_right(1);
        }
    }
}

/// What an entry is, in the lowest byte of its last word. 0 has an extra.
#[derive(Clone, Copy)]
enum Tag {
    Sent,
    Received(Kind),
    Ran(Left),
}

impl Tag {
    fn word(self) -> u64 {
        match self {
            Tag::Sent => 1,
            Tag::Received(Kind::Data) => 2,
            Tag::Received(Kind::Exit) => 3,
            Tag::Received(Kind::Error) => 4,
            Tag::Received(Kind::Ping) => 5,
            Tag::Ran(Left::Over) => 6,
            Tag::Ran(Left::Preempted) => 7,
            Tag::Ran(Left::Paused) => 8,
            Tag::Ran(Left::Waits(None)) => 9,
            Tag::Ran(Left::Waits(Some(call))) => 10 + u64::from(call),
        }
    }

    /// With a number above it, which is below 2^48 or said to be.
    fn word_with(self, number: u64) -> u64 {
        number.min((1 << 48) - 1) << 16 | self.word()
    }
}

/// What the last word says: the tag, and the number above it.
fn read(word: u64) -> (Tag, u64) {
    let tag = match word & 0xffff {
        1 => Tag::Sent,
        2 => Tag::Received(Kind::Data),
        3 => Tag::Received(Kind::Exit),
        4 => Tag::Received(Kind::Error),
        5 => Tag::Received(Kind::Ping),
        6 => Tag::Ran(Left::Over),
        7 => Tag::Ran(Left::Preempted),
        8 => Tag::Ran(Left::Paused),
        call => Tag::Ran(Left::Waits(call.checked_sub(10).and_then(|call| u8::try_from(call).ok()))),
    };
    (tag, word >> 16)
}

impl Extra {
    pub(crate) fn kind(&self) -> ExtraKind {
        match self {
            Extra::Rare(_) => ExtraKind::Rare,
            Extra::Sample(_) => ExtraKind::Sample,
            Extra::Span(_) => ExtraKind::Span,
        }
    }

    fn happened(self) -> Happened {
        match self {
            Extra::Rare(what) => *what,
            Extra::Sample(what) => what(),
            Extra::Span(entered) => Happened::Entered { context: entered.0, parent: entered.1 },
        }
    }
}

impl Record {
    /// The number of its extra, if it has one.
    pub(crate) fn extra(&self) -> Option<usize> {
        let Record([_, _, number, _, word]) = *self;
        (word == EXTRA).then_some(number as usize)
    }

    /// The same with its extra elsewhere.
    pub(crate) fn with_extra(self, number: usize) -> Record {
        let Record([at, isolate, ..]) = self;
        Record([at, isolate, number as u64, 0, EXTRA])
    }

    fn event(&self, extras: &mut [Happened], call: fn(u8) -> Option<&'static str>) -> Event {
        let Record([at, isolate, first, second, word]) = *self;
        let what = match (self.extra(), read(word)) {
            (Some(number), _) => std::mem::replace(&mut extras[number], Happened::Missed { events: 0 }),
            (None, (Tag::Sent, bytes)) => Happened::Sent { to: of(second), message: first, bytes },
            (None, (Tag::Received(kind), bytes)) => Happened::Received { message: first, bytes, notice: notice(kind) },
            (None, (Tag::Ran(left), _)) => Happened::Ran {
                took: Duration::from_nanos(first),
                thread: u32::try_from(second).unwrap_or(u32::MAX),
                then: match left {
                    Left::Over => Then::Over,
                    Left::Preempted => Then::Preempted,
                    Left::Paused => Then::Paused,
                    Left::Waits(number) => Then::Waits { call: number.and_then(call) },
                },
            },
        };
        Event { at: Duration::from_nanos(at), isolate: of(isolate), what }
    }
}

/// The isolate of this number; 0 is the embedder.
fn of(number: u64) -> Option<IsolateId> {
    (number != 0).then_some(IsolateId(number))
}

fn notice(kind: Kind) -> Option<Notice> {
    match kind {
        Kind::Exit => Some(Notice::Exit),
        Kind::Error => Some(Notice::Error),
        Kind::Ping => Some(Notice::Ping),
        Kind::Data => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITING_MAX: usize = ROOM.chunk * ROOM.chunks_max;
    const RARE_MAX: usize = ROOM.extras_max[0];
    const SAMPLES_MAX: usize = ROOM.extras_max[1];

    fn drained(recorder: &Recorder) -> Vec<Event> {
        let (mut batch, mut events) = (Batch::default(), Vec::new());
        recorder.drain(&mut batch);
        recorder.events(&mut batch.records, &mut batch.extras, &mut events);
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
}
