//! What is put down of one thing that happened, and what it is when it is read: three words, and sometimes more.

use std::time::Duration;

use insula_wire::Kind;

use super::lane::{EXTRA, Words};
use super::{Event, Found, Happened, Notice, Then};
use crate::exit::IsolateId;
use crate::trace_context::TraceContext;

/// What is more than words.
pub(crate) enum Extra {
    Rare(Box<Happened>),
    /// Made when it is told: names take their time.
    Sample(Box<dyn FnOnce() -> Happened + Send>),
    Span(Box<(TraceContext, Option<u64>)>),
    /// Its numbers are larger than words have room for.
    Large(Box<Happened>),
}

/// The kinds that have a bound each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExtraKind {
    Rare,
    Sample,
    Common,
}

/// Why an isolate no longer has a CPU, a call by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    Over,
    Preempted,
    Paused,
    Waits(Option<u8>),
}

/// The name of a call, by its number.
pub(super) type Calls = fn(u8) -> Option<&'static str>;

/// What an entry is where there is nothing more to it: the lowest byte of its first word, above which is the time.
///
/// The second word has the isolate, and who is sent to; the third the message and its bytes, or for how long it ran.
#[derive(Clone, Copy)]
enum Tag {
    Sent,
    Received(Kind),
    Ran(Left),
}

/// The largest numbers that words have room for.
pub(super) const ID_MAX: u64 = (1 << 32) - 1;
pub(super) const MESSAGE_MAX: u64 = (1 << 40) - 1;
pub(super) const BYTES_MAX: u64 = (1 << 24) - 1;

/// It had a CPU. None of numbers that are too large for words, here as below.
#[inline]
pub(super) fn ran(from: u64, isolate: u64, nanos: u64, left: Left) -> Option<Words> {
    (isolate <= ID_MAX).then(|| [time(from) | Tag::Ran(left).byte(), isolate, nanos])
}

/// A message was accepted.
#[inline]
pub(super) fn sent(at: u64, isolate: u64, to: u64, message: u64, bytes: u64) -> Option<Words> {
    let fits = isolate.max(to) <= ID_MAX && message <= MESSAGE_MAX && bytes <= BYTES_MAX;
    fits.then(|| [time(at) | Tag::Sent.byte(), isolate | to << 32, message | bytes << 40])
}

/// A message was taken.
#[inline]
pub(super) fn received(at: u64, isolate: u64, message: u64, bytes: u64, kind: Kind) -> Option<Words> {
    let fits = isolate <= ID_MAX && message <= MESSAGE_MAX && bytes <= BYTES_MAX;
    fits.then(|| [time(at) | Tag::Received(kind).byte(), isolate, message | bytes << 40])
}

/// Something more belongs to it.
pub(super) fn more(at: u64, isolate: u64) -> Words {
    [time(at) | u64::from(EXTRA), isolate, 0]
}

/// The first word of this time: there are two years in it.
#[inline]
fn time(at: u64) -> u64 {
    at.min((1 << 56) - 1) << 8
}

impl Tag {
    #[inline]
    fn byte(self) -> u64 {
        // In their order, so that there is nothing to jump to.
        match self {
            Tag::Sent => 1,
            Tag::Received(kind) => 2 + u64::from(kind.code()),
            Tag::Ran(Left::Waits(call)) => 9 + call.map_or(0, |call| 1 + u64::from(call)),
            Tag::Ran(left @ (Left::Over | Left::Preempted | Left::Paused)) => {
                6 + u64::from(left == Left::Preempted) + 2 * u64::from(left == Left::Paused)
            }
        }
    }

    fn of(byte: u8) -> Option<Tag> {
        Some(match byte {
            EXTRA => return None,
            1 => Tag::Sent,
            2 => Tag::Received(Kind::Data),
            3 => Tag::Received(Kind::Exit),
            4 => Tag::Received(Kind::Error),
            5 => Tag::Received(Kind::Ping),
            6 => Tag::Ran(Left::Over),
            7 => Tag::Ran(Left::Preempted),
            8 => Tag::Ran(Left::Paused),
            call => Tag::Ran(Left::Waits(call.checked_sub(10))),
        })
    }
}

/// An entry with the number of its thread, or of what belongs to it.
pub(super) struct Entry {
    pub(super) words: Words,
    pub(super) number: u32,
}

impl Entry {
    pub(super) fn at(&self) -> u64 {
        self.words[0] >> 8
    }

    /// What happened; none where nobody wants to know what belongs to it.
    pub(super) fn event(self, extras: &mut [Found], calls: Calls) -> Option<Event> {
        let Entry { words: [first, second, third], number } = self;
        let (tag, isolate) = (Tag::of(first as u8), second & ID_MAX);
        let (message, bytes) = (third & MESSAGE_MAX, third >> 40);
        let (isolate, what) = match tag {
            None => (second, *extras.get_mut(number as usize)?.take()?),
            Some(Tag::Sent) => (isolate, Happened::Sent { to: of(second >> 32), message, bytes }),
            Some(Tag::Received(kind)) => (isolate, Happened::Received { message, bytes, notice: notice(kind) }),
            Some(Tag::Ran(left)) => {
                let (took, then) = (Duration::from_nanos(third), left.then(calls));
                (isolate, Happened::Ran { took, thread: number, then })
            }
        };
        Some(Event { at: Duration::from_nanos(first >> 8), isolate: of(isolate), what })
    }
}

/// Puts what one thread put down in the order of time, which it nearly has: a turn is put down when it is over, behind what
/// happened in it, and is the only one that moves far.
pub(super) fn settle(entries: &mut [Entry]) {
    for late in 1..entries.len() {
        let at = entries[late].at();
        if entries[late - 1].at() > at {
            let earlier = entries[..late].iter().rev().take_while(|entry| entry.at() > at).count();
            entries[late - earlier..=late].rotate_right(1);
        }
    }
}

impl Extra {
    pub(crate) fn kind(&self) -> ExtraKind {
        match self {
            Extra::Rare(_) => ExtraKind::Rare,
            Extra::Sample(_) => ExtraKind::Sample,
            Extra::Span(_) | Extra::Large(_) => ExtraKind::Common,
        }
    }

    pub(super) fn happened(self) -> Box<Happened> {
        match self {
            Extra::Rare(what) | Extra::Large(what) => what,
            Extra::Sample(what) => Box::new(what()),
            Extra::Span(entered) => Box::new(Happened::Entered { context: entered.0, parent: entered.1 }),
        }
    }
}

/// The isolate of this number; 0 is the embedder.
pub(super) fn of(number: u64) -> Option<IsolateId> {
    (number != 0).then_some(IsolateId(number))
}

pub(super) fn notice(kind: Kind) -> Option<Notice> {
    match kind {
        Kind::Exit => Some(Notice::Exit),
        Kind::Error => Some(Notice::Error),
        Kind::Ping => Some(Notice::Ping),
        Kind::Data => None,
    }
}

impl Left {
    pub(super) fn then(self, calls: Calls) -> Then {
        match self {
            Left::Over => Then::Over,
            Left::Preempted => Then::Preempted,
            Left::Paused => Then::Paused,
            Left::Waits(number) => Then::Waits { call: number.and_then(calls) },
        }
    }
}
