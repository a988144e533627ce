//! Where events wait for their observers: in pieces, so that threads which record do not wait for each other.

use std::cell::Cell;
use std::time::Duration;

use insula_wire::Kind;

use super::{Event, Happened, Notice, Then};
use crate::exit::IsolateId;
use crate::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use crate::sync::{Arc, Mutex};
use crate::trace_context::TraceContext;

/// Pieces: more than threads that are likely to record at one time.
const PIECES: usize = 16;

/// Records of one piece that wait, at most, some 12 MiB: as much as a pair that plays ping-pong makes in a tenth of a second.
const WAITING_MAX: usize = 1 << 18;

/// Records of one piece that have texts, which may be long. They have room of their own: a birth or an end finds it
/// however many messages there are.
const RARE_MAX: usize = 1 << 13;

/// Samples of one piece, each of which has the names of a stack.
const SAMPLES_MAX: usize = 1 << 10;

/// What was put down, as small as it can be: it is done on the way of every message.
pub(crate) struct Record {
    /// Nanoseconds since the host was built.
    pub(crate) at: u64,
    /// 0 is the embedder.
    pub(crate) isolate: u64,
    pub(crate) what: What,
}

/// What happened, less what would make it large.
pub(crate) enum What {
    Ran {
        nanos: u64,
        thread: u32,
        then: Then,
    },
    Sent {
        to: u64,
        message: u64,
        bytes: u64,
    },
    Received {
        message: u64,
        bytes: u64,
        kind: Kind,
    },
    Entered(Box<(TraceContext, Option<u64>)>),
    Rare(Box<Happened>),
    /// Made when it is told: names take their time.
    Later(Box<dyn FnOnce() -> Happened + Send>),
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
    pieces: [Mutex<Piece>; PIECES],
    missed: AtomicU64,
    /// When the last sample was due; 0 where nobody samples.
    sample_due: AtomicU64,
    /// Nanoseconds that it stands for.
    sample_nanos: AtomicU64,
}

#[derive(Default)]
struct Piece {
    records: Vec<Record>,
    /// How many of them have texts.
    rare: usize,
    /// How many of them are samples.
    samples: usize,
}

thread_local! {
    static THREAD: Cell<Option<u32>> = const { Cell::new(None) };
    /// The last sample that this thread took.
    static SAMPLED: Cell<u64> = const { Cell::new(0) };
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

/// Room for records: to be left in the place of what is taken, and for what was taken.
#[derive(Default)]
pub(crate) struct Spares {
    piece: Vec<Record>,
    taken: Vec<Record>,
}

impl Recorder {
    /// Nobody observes.
    pub(crate) fn new() -> Arc<Recorder> {
        let pieces = std::array::from_fn(|_| Mutex::default());
        let [missed, sample_due, sample_nanos] = [(); 3].map(|()| AtomicU64::new(0));
        Arc::new(Recorder { detail: AtomicU8::new(Detail::Nothing as u8), pieces, missed, sample_due, sample_nanos })
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
    }

    /// It had a CPU.
    #[cold]
    pub(crate) fn ran(&self, isolate: IsolateId, from: u64, to: u64, then: Then) {
        self.put(Record {
            at: from,
            isolate: isolate.0,
            what: What::Ran { nanos: to.saturating_sub(from), thread: thread(), then },
        });
    }

    /// A message was accepted.
    #[cold]
    pub(crate) fn sent(&self, at: u64, isolate: u64, to: u64, message: u64, bytes: u64) {
        self.put(Record { at, isolate, what: What::Sent { to, message, bytes } });
    }

    /// A message was taken.
    #[cold]
    pub(crate) fn received(&self, at: u64, isolate: u64, message: u64, bytes: u64, kind: Kind) {
        self.put(Record { at, isolate, what: What::Received { message, bytes, kind } });
    }

    /// It is in this span from here on, within that of its parent.
    #[cold]
    pub(crate) fn entered(&self, at: u64, isolate: IsolateId, context: TraceContext, parent: Option<u64>) {
        self.put(Record { at, isolate: isolate.0, what: What::Entered(Box::new((context, parent))) });
    }

    /// Something happened that happens seldom. It is made only if somebody observes.
    pub(crate) fn rare(&self, at: u64, isolate: IsolateId, what: impl FnOnce() -> Happened) {
        if self.has_lives() {
            self.put(Record { at, isolate: isolate.0, what: What::Rare(Box::new(what())) });
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
        self.put(Record { at, isolate: isolate.0, what: What::Later(what) });
    }

    fn put(&self, record: Record) {
        let mut piece = self.pieces[thread() as usize % PIECES].lock();
        let Piece { records, rare, samples } = &mut *piece;
        let common = records.len() - *rare - *samples;
        let has_room = match record.what {
            What::Rare(_) => add_below(rare, RARE_MAX),
            What::Later(_) => add_below(samples, SAMPLES_MAX),
            _ => common < WAITING_MAX,
        };
        if has_room {
            records.push(record);
        } else {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes out what waits, in the order of time; the room of `spares` is used again.
    pub(crate) fn drain(&self, spares: &mut Spares, events: &mut Vec<Event>) {
        let Spares { piece: spare, taken } = spares;
        for piece in &self.pieces {
            let mut piece = piece.lock();
            (piece.rare, piece.samples) = (0, 0);
            std::mem::swap(&mut piece.records, spare);
            drop(piece);
            settle(spare);
            taken.append(spare);
        }
        // While they are small. What is in order by itself is only walked over.
        taken.sort_by_key(|record| record.at);
        events.clear();
        events.extend(taken.drain(..).map(Record::event));
        match self.missed.swap(0, Ordering::Relaxed) {
            0 => {}
            missed => {
                let at = events.last().map_or(Duration::ZERO, |last| last.at);
                events.push(Event { at, isolate: None, what: Happened::Missed { events: missed } });
            }
        }
    }
}

/// One more, if that is not too many.
fn add_below(count: &mut usize, max: usize) -> bool {
    let has_room = *count < max;
    *count += usize::from(has_room);
    has_room
}

/// Puts the records of one piece in the order of time, which they nearly have: a turn is put down when it is over, behind
/// what happened in it, and is the only one that moves far.
fn settle(records: &mut [Record]) {
    for late in 1..records.len() {
        let at = records[late].at;
        if records[late - 1].at > at {
            let earlier = records[..late].iter().rev().take_while(|record| record.at > at).count();
            records[late - earlier..=late].rotate_right(1);
        }
    }
}

impl Record {
    fn event(self) -> Event {
        let Record { at, isolate, what } = self;
        let what = match what {
            What::Ran { nanos, thread, then } => Happened::Ran { took: Duration::from_nanos(nanos), thread, then },
            What::Sent { to, message, bytes } => Happened::Sent { to: of(to), message, bytes },
            What::Received { message, bytes, kind } => Happened::Received { message, bytes, notice: notice(kind) },
            What::Entered(entered) => Happened::Entered { context: entered.0, parent: entered.1 },
            What::Rare(what) => *what,
            What::Later(what) => what(),
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

    fn drained(recorder: &Recorder) -> Vec<Event> {
        let mut events = Vec::new();
        recorder.drain(&mut Spares::default(), &mut events);
        events
    }

    #[test]
    fn what_happened_comes_out_in_the_order_of_time_whoever_put_it_in() {
        let recorder = Recorder::new();
        recorder.received(30, 1, 7, 64, Kind::Exit);
        std::thread::scope(|scope| {
            scope.spawn(|| recorder.sent(10, 0, 1, 7, 64));
        });
        recorder.ran(IsolateId(1), 20, 25, Then::Over);
        let events = drained(&recorder);
        assert_eq!(events.iter().map(|event| event.at.as_nanos()).collect::<Vec<_>>(), [10, 20, 30]);
        assert_eq!(events[0].isolate, None);
        assert_eq!(events[0].what, Happened::Sent { to: Some(IsolateId(1)), message: 7, bytes: 64 });
        assert_eq!(events[2].what, Happened::Received { message: 7, bytes: 64, notice: Some(Notice::Exit) });
        assert!(drained(&recorder).is_empty());
    }

    #[test]
    fn a_turn_is_told_before_what_happened_in_it() {
        let recorder = Recorder::new();
        for turn in 0..100 {
            let began = turn * 100;
            for inner in 0..turn % 7 {
                recorder.sent(began + 10 + inner, 1, 2, inner, 64);
            }
            recorder.ran(IsolateId(1), began, began + 90, Then::Preempted);
        }
        let events = drained(&recorder);
        assert!(events.is_sorted_by_key(|event| event.at) && events.len() > 300);
        assert!(matches!(events[0].what, Happened::Ran { .. }));
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let recorder = Recorder::new();
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
        let recorder = Recorder::new();
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
        let recorder = Recorder::new();
        recorder.rare(1, IsolateId(1), || unreachable!("nobody observes"));
        recorder.record(Detail::Lives);
        assert!(!recorder.has_all());
        recorder.rare(1, IsolateId(1), || Happened::Ended { exit: crate::Exit::Returned });
        assert_eq!(drained(&recorder).len(), 1);
    }
}
