//! What one thread puts down and another takes out, in the order in which it was put down, with no lock on the way of most
//! of it.
//!
//! A [`Lane`] is a row of chunks. The thread that puts down fills the last one and says how far it is; a lock is taken where a
//! chunk is full, and for what is more than words. Chunks that were read are filled again, so that as few as can be pass
//! through the caches.

use std::collections::VecDeque;

use super::{Extra, ExtraKind};
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex};

/// What one thing that happened is put down as.
pub(crate) type Words = [u64; WORDS];

const WORDS: usize = 5;

/// What the last word of an entry is which something more belongs to.
pub(crate) const EXTRA: u64 = 0;

/// How large a lane may become.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Entries of a chunk.
    pub(crate) chunk: usize,
    /// Chunks that wait. What has room of its own may add some.
    pub(crate) chunks_max: usize,
    /// Of each kind, what is more than words.
    pub(crate) extras_max: [usize; 3],
}

struct Chunk {
    /// Entries that were put down.
    put: AtomicUsize,
    /// Those of them that were taken out; only who takes out looks.
    taken: AtomicUsize,
    entries: Box<[[AtomicU64; WORDS]]>,
}

/// What one thread put down and nobody took out yet.
pub(crate) struct Lane {
    room: Room,
    chunks: Mutex<Chunks>,
    extras: Mutex<Extras>,
}

/// What belongs to entries that say so, in their order.
#[derive(Default)]
struct Extras {
    waiting: VecDeque<Extra>,
    of_each_kind: [usize; 3],
}

#[derive(Default)]
struct Chunks {
    /// The last one is being filled.
    waiting: VecDeque<Arc<Chunk>>,
    spare: Vec<Arc<Chunk>>,
}

/// The end of a lane that belongs to the thread which puts down.
pub(crate) struct Writer {
    lane: Arc<Lane>,
    chunk: Arc<Chunk>,
    put: usize,
    /// Whether the chunk is one more than may wait: it is there for what has room of its own.
    is_beyond: bool,
}

impl Chunk {
    fn new(entries: usize) -> Arc<Chunk> {
        let entries = (0..entries).map(|_| std::array::from_fn(|_| AtomicU64::new(0))).collect();
        Arc::new(Chunk { put: AtomicUsize::new(0), taken: AtomicUsize::new(0), entries })
    }

    fn is_read(&self) -> bool {
        self.taken.load(Ordering::Relaxed) == self.entries.len()
    }
}

impl Writer {
    /// A lane, and its end.
    pub(crate) fn new(room: Room) -> Writer {
        let chunk = Chunk::new(room.chunk);
        let chunks = Chunks { waiting: VecDeque::from([Arc::clone(&chunk)]), spare: Vec::new() };
        let lane = Arc::new(Lane { room, chunks: Mutex::new(chunks), extras: Mutex::default() });
        Writer { lane, chunk, put: 0, is_beyond: false }
    }

    /// The other end.
    pub(crate) fn lane(&self) -> &Arc<Lane> {
        &self.lane
    }

    /// Whether nobody takes out any more.
    pub(crate) fn is_alone(&self) -> bool {
        Arc::strong_count(&self.lane) == 1
    }

    /// Puts this down, unless as much waits as may.
    #[inline]
    pub(crate) fn put(&mut self, words: Words) -> bool {
        let has_room = (self.put < self.chunk.entries.len() && !self.is_beyond) || self.makes_room(false);
        if has_room {
            self.put_here(words);
        }
        has_room
    }

    /// Puts this down with what belongs to it, unless as much of its kind waits as may. A birth finds room, and an end,
    /// however many messages wait.
    pub(crate) fn put_with(&mut self, [at, isolate]: [u64; 2], extra: Extra) -> bool {
        let kind = extra.kind();
        let mut extras = self.lane.extras.lock();
        if extras.of_each_kind[kind as usize] >= self.lane.room.extras_max[kind as usize] {
            return false;
        }
        drop(extras);
        let anyway = kind != ExtraKind::Span;
        let has_room = self.put < self.chunk.entries.len() && (anyway || !self.is_beyond);
        if !has_room && !self.makes_room(anyway) {
            return false;
        }
        extras = self.lane.extras.lock();
        extras.of_each_kind[kind as usize] += 1;
        extras.waiting.push_back(extra);
        drop(extras);
        self.put_here([at, isolate, 0, 0, EXTRA]);
        true
    }

    fn put_here(&mut self, words: Words) {
        for (entry, word) in self.chunk.entries[self.put].iter().zip(words) {
            entry.store(word, Ordering::Relaxed);
        }
        self.put += 1;
        self.chunk.put.store(self.put, Ordering::Release);
    }

    /// Whether there is room now; anyway, there always is.
    #[cold]
    fn makes_room(&mut self, anyway: bool) -> bool {
        let Room { chunk, chunks_max, .. } = self.lane.room;
        let mut chunks = self.lane.chunks.lock();
        if self.put < self.chunk.entries.len() {
            self.is_beyond = chunks.waiting.len() > chunks_max;
            return anyway || !self.is_beyond;
        }
        let is_beyond = chunks.waiting.len() >= chunks_max;
        if is_beyond && !anyway {
            return false;
        }
        let next = chunks.spare.pop().unwrap_or_else(|| Chunk::new(chunk));
        chunks.waiting.push_back(Arc::clone(&next));
        (self.chunk, self.put, self.is_beyond) = (next, 0, is_beyond);
        true
    }
}

impl Lane {
    /// Takes out what was put down: entries behind those in `entries`, and what belongs to some of them behind `extras`. To
    /// be called by one thread at a time.
    pub(crate) fn drain(&self, entries: &mut Vec<Words>, extras: &mut Vec<Extra>) {
        // Who puts down is not held up while this is read.
        let waiting: Vec<Arc<Chunk>> = self.chunks.lock().waiting.iter().cloned().collect();
        let first = entries.len();
        for chunk in &waiting {
            let (taken, put) = (chunk.taken.load(Ordering::Relaxed), chunk.put.load(Ordering::Acquire));
            let put_down = &chunk.entries[taken..put];
            entries.extend(put_down.iter().map(|entry| entry.each_ref().map(|word| word.load(Ordering::Relaxed))));
            chunk.taken.store(put, Ordering::Relaxed);
        }
        let count = entries[first..].iter().filter(|words| words[WORDS - 1] == EXTRA).count();
        if count > 0 {
            let mut theirs = self.extras.lock();
            let Extras { waiting, of_each_kind } = &mut *theirs;
            let taken = waiting.drain(..count).inspect(|extra| of_each_kind[extra.kind() as usize] -= 1);
            extras.extend(taken);
        }
        let mut chunks = self.chunks.lock();
        while chunks.waiting.front().is_some_and(|chunk| chunk.is_read()) {
            let Some(chunk) = chunks.waiting.pop_front() else { return };
            chunk.taken.store(0, Ordering::Relaxed);
            chunk.put.store(0, Ordering::Relaxed);
            chunks.spare.push(chunk);
        }
    }

    /// Gives back what is there to be filled again.
    pub(crate) fn shrink(&self) {
        self.chunks.lock().spare.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Happened;

    const ROOM: Room = Room { chunk: 4, chunks_max: 2, extras_max: [3, 1, 2] };

    fn rare() -> Extra {
        Extra::Rare(Box::new(Happened::Missed { events: 0 }))
    }

    fn drained(lane: &Lane) -> (Vec<u64>, usize) {
        let (mut entries, mut extras) = (Vec::new(), Vec::new());
        lane.drain(&mut entries, &mut extras);
        (entries.iter().map(|entry| entry[0]).collect(), extras.len())
    }

    #[test]
    fn what_is_put_down_comes_out_in_its_order_once() {
        let mut writer = Writer::new(ROOM);
        let lane = Arc::clone(writer.lane());
        for round in 0..100 {
            let from = round * 7;
            for at in from..from + round % 8 {
                assert!(writer.put([at, 0, 0, 0, 1]));
            }
            assert_eq!(drained(&lane), ((from..from + round % 8).collect(), 0));
        }
        assert!(lane.chunks.lock().spare.len() <= 3, "chunks are used again");
    }

    #[test]
    fn a_lane_has_a_bound_beyond_which_what_is_rare_finds_room() {
        let mut writer = Writer::new(ROOM);
        let lane = Arc::clone(writer.lane());
        let put = (0..10).filter(|at| writer.put([*at, 0, 0, 0, 1])).count();
        assert_eq!(put, 8);
        let rares = (10..15).filter(|at| writer.put_with([*at, 0], rare())).count();
        assert_eq!(rares, 3);
        // There is a place in the chunk of what is rare, and it is for that.
        assert!(!writer.put([15, 0, 0, 0, 1]));
        assert_eq!(drained(&lane), ((0..8).chain(10..13).collect(), 3));
        assert!(writer.put([16, 0, 0, 0, 1]) && writer.put_with([17, 0], rare()));
        assert_eq!(drained(&lane), (vec![16, 17], 1));
    }

    #[test]
    fn spans_have_no_room_of_their_own_and_a_bound_besides() {
        let span = || Extra::Span(Box::new((crate::trace_context::TraceContext::root(1, 2), None)));
        let mut writer = Writer::new(ROOM);
        let lane = Arc::clone(writer.lane());
        assert_eq!((0..4).filter(|at| writer.put_with([*at, 0], span())).count(), 2);
        assert_eq!(drained(&lane), (vec![0, 1], 2));
        (0..8).for_each(|at| drop(writer.put([at, 0, 0, 0, 1])));
        assert!(!writer.put_with([9, 0], span()));
    }

    #[test]
    fn who_puts_down_is_read_meanwhile() {
        let mut writer = Writer::new(Room { chunk: 8, chunks_max: 1 << 10, ..ROOM });
        let lane = Arc::clone(writer.lane());
        std::thread::scope(|scope| {
            scope.spawn(move || (0..100_000).for_each(|at| while !writer.put([at, at, at, at, at + 1]) {}));
            let (mut entries, mut extras) = (Vec::new(), Vec::new());
            while entries.len() < 100_000 {
                lane.drain(&mut entries, &mut extras);
            }
            assert!(entries.iter().zip(0..).all(|(entry, at)| *entry == [at, at, at, at, at + 1]));
        });
    }
}
