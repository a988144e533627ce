//! What one thread puts down and another takes out, in the order in which it was put down, with no lock on the way of most
//! of it.
//!
//! A [`Lane`] is a row of chunks. The thread that puts down fills the last one and says how far it is; a lock is taken where a
//! chunk is full, and for what is more than words. What is taken out is a [`Part`] of a chunk. Chunks that were read are filled
//! again: new memory is slow to write for the first time, and whoever copies what it keeps does that for who puts down.

use std::collections::VecDeque;

use super::{Extra, ExtraKind};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Arc, Mutex};

/// What one thing that happened is put down as.
pub(crate) type Words = [u64; WORDS];

const WORDS: usize = 3;

/// What the lowest byte of the first word is where something more belongs to an entry.
pub(crate) const EXTRA: u8 = 0;

/// Whether something more belongs to this entry.
pub(crate) fn has_extra(words: &Words) -> bool {
    words[0] as u8 == EXTRA
}

/// How large a lane may become.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Chunks that wait. What has room of its own may add some.
    pub(crate) chunks_max: usize,
    /// Of each kind, what is more than words.
    pub(crate) extras_max: [usize; 3],
}

struct Chunk {
    /// Entries that were put down, and above them the number of those that something more belongs to.
    put: AtomicU64,
    entries: Box<[[AtomicU64; WORDS]]>,
}

/// What one thread put down and nobody took out yet.
pub(crate) struct Lane {
    room: Room,
    /// The number of the thread.
    thread: u32,
    chunks: Mutex<Chunks>,
    extras: Mutex<Extras>,
    spares: Arc<Spares>,
}

/// Chunks that nobody has, for all lanes of a recorder.
pub(crate) struct Spares {
    /// Entries of each.
    entries: usize,
    chunks: Mutex<Vec<Arc<Chunk>>>,
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
    /// Of the first one: what was taken out.
    taken: Put,
}

/// How far somebody is in a chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Put {
    entries: u32,
    extras: u32,
}

/// Entries of a chunk that were taken out.
#[derive(Clone)]
pub(crate) struct Part {
    chunk: Arc<Chunk>,
    from: u32,
    to: u32,
    /// To how many of them something more belongs.
    extras: u32,
    thread: u32,
}

/// The end of a lane that belongs to the thread which puts down.
pub(crate) struct Writer {
    lane: Arc<Lane>,
    chunk: Arc<Chunk>,
    put: Put,
    /// Whether the chunk is one more than may wait: it is there for what has room of its own.
    is_beyond: bool,
}

impl Put {
    fn word(self) -> u64 {
        u64::from(self.extras) << 32 | u64::from(self.entries)
    }

    fn of(word: u64) -> Put {
        Put { entries: word as u32, extras: (word >> 32) as u32 }
    }
}

impl Chunk {
    fn new(entries: usize) -> Arc<Chunk> {
        let entries = (0..entries).map(|_| std::array::from_fn(|_| AtomicU64::new(0))).collect();
        Arc::new(Chunk { put: AtomicU64::new(0), entries })
    }
}

impl Writer {
    /// A lane of the thread of this number, and its end.
    pub(crate) fn new(room: Room, thread: u32, spares: &Arc<Spares>) -> Writer {
        let (chunk, spares) = (spares.chunk(), Arc::clone(spares));
        let chunks = Mutex::new(Chunks { waiting: VecDeque::from([Arc::clone(&chunk)]), taken: Put::default() });
        let lane = Arc::new(Lane { room, thread, chunks, extras: Mutex::default(), spares });
        Writer { lane, chunk, put: Put::default(), is_beyond: false }
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
    pub(crate) fn put(&mut self, words: Words) -> bool {
        self.put_at_once(words) || (self.makes_room(false) && self.put_here(words))
    }

    /// Puts this down if there is room for it already.
    #[inline]
    pub(crate) fn put_at_once(&mut self, words: Words) -> bool {
        !self.is_beyond && self.put_here(words)
    }

    /// Puts this down with what belongs to it, unless as much of its kind waits as may. A birth finds room, and an end,
    /// however many messages wait.
    pub(crate) fn put_with(&mut self, words: Words, extra: Extra) -> bool {
        let kind = extra.kind();
        let mut extras = self.lane.extras.lock();
        if extras.of_each_kind[kind as usize] >= self.lane.room.extras_max[kind as usize] {
            return false;
        }
        drop(extras);
        let anyway = kind != ExtraKind::Common;
        let has_room = !self.is_full() && (anyway || !self.is_beyond);
        if !has_room && !self.makes_room(anyway) {
            return false;
        }
        extras = self.lane.extras.lock();
        extras.of_each_kind[kind as usize] += 1;
        extras.waiting.push_back(extra);
        drop(extras);
        self.put.extras += 1;
        self.put_here(words)
    }

    fn is_full(&self) -> bool {
        self.put.entries as usize == self.chunk.entries.len()
    }

    /// Puts this into the chunk, unless that is full.
    #[inline]
    fn put_here(&mut self, words: Words) -> bool {
        let Some(entry) = self.chunk.entries.get(self.put.entries as usize) else { return false };
        entry.iter().zip(words).for_each(|(place, word)| place.store(word, Ordering::Relaxed));
        self.put.entries += 1;
        self.chunk.put.store(self.put.word(), Ordering::Release);
        true
    }

    /// Whether there is room now; anyway, there always is.
    #[cold]
    fn makes_room(&mut self, anyway: bool) -> bool {
        let chunks_max = self.lane.room.chunks_max;
        let mut chunks = self.lane.chunks.lock();
        if !self.is_full() {
            self.is_beyond = chunks.waiting.len() > chunks_max;
            return anyway || !self.is_beyond;
        }
        let is_beyond = chunks.waiting.len() >= chunks_max;
        if is_beyond && !anyway {
            return false;
        }
        let next = self.lane.spares.chunk();
        chunks.waiting.push_back(Arc::clone(&next));
        (self.chunk, self.put, self.is_beyond) = (next, Put::default(), is_beyond);
        true
    }
}

impl Lane {
    /// Takes out what was put down: entries as parts behind those that are there, and what belongs to some of them behind
    /// `extras`. To be called by one thread at a time.
    pub(crate) fn drain(&self, parts: &mut Vec<Part>, extras: &mut Vec<Extra>) {
        let mut count = 0;
        let mut chunks = self.chunks.lock();
        let Chunks { waiting, taken } = &mut *chunks;
        while let Some(first) = waiting.front() {
            let put = Put::of(first.put.load(Ordering::Acquire));
            if put != *taken {
                let (chunk, extras) = (Arc::clone(first), put.extras - taken.extras);
                parts.push(Part { chunk, from: taken.entries, to: put.entries, extras, thread: self.thread });
                count += extras as usize;
            }
            *taken = put;
            if (put.entries as usize) < first.entries.len() {
                break;
            }
            *taken = Put::default();
            waiting.pop_front();
        }
        drop(chunks);
        if count > 0 {
            let mut theirs = self.extras.lock();
            let Extras { waiting, of_each_kind } = &mut *theirs;
            extras.extend(waiting.drain(..count).inspect(|extra| of_each_kind[extra.kind() as usize] -= 1));
        }
    }
}

impl Spares {
    /// None yet; of so many entries each.
    pub(crate) fn new(entries: usize) -> Arc<Spares> {
        Arc::new(Spares { entries, chunks: Mutex::default() })
    }

    fn chunk(&self) -> Arc<Chunk> {
        self.chunks.lock().pop().unwrap_or_else(|| Chunk::new(self.entries))
    }

    /// Takes what was read, to be filled again where nobody else has it.
    pub(crate) fn take_back(&self, parts: impl Iterator<Item = Part>) {
        for Part { mut chunk, .. } in parts {
            if let Some(free) = Arc::get_mut(&mut chunk).filter(|free| free.entries.len() == self.entries) {
                free.put = AtomicU64::new(0);
                self.chunks.lock().push(chunk);
            }
        }
    }

    /// Gives all of them back to the system.
    pub(crate) fn clear(&self) {
        self.chunks.lock().clear();
    }
}

impl Part {
    /// How many entries it has.
    pub(crate) fn len(&self) -> usize {
        (self.to - self.from) as usize
    }

    /// To how many of them something more belongs.
    pub(crate) fn extras(&self) -> usize {
        self.extras as usize
    }

    /// The first of them.
    pub(crate) fn first(&self, entries: usize) -> Part {
        let extras = self.read().take(entries).filter(has_extra).count() as u32;
        Part { to: self.from + entries as u32, extras, ..self.clone() }
    }

    /// A copy, in a chunk that has no room for more.
    pub(crate) fn copy(&self) -> Part {
        let entries = self.read().map(|words| words.map(AtomicU64::new)).collect();
        let chunk = Arc::new(Chunk { put: AtomicU64::new(0), entries });
        Part { chunk, from: 0, to: self.to - self.from, ..*self }
    }

    /// The number of the thread that put them down.
    pub(crate) fn thread(&self) -> u32 {
        self.thread
    }

    /// The entries.
    pub(crate) fn read(&self) -> impl Iterator<Item = Words> {
        let entries = &self.chunk.entries[self.from as usize..self.to as usize];
        entries.iter().map(|entry| entry.each_ref().map(|word| word.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Happened;

    const ROOM: Room = Room { chunks_max: 2, extras_max: [3, 1, 2] };

    struct Ends {
        writer: Writer,
        lane: Arc<Lane>,
        spares: Arc<Spares>,
    }

    fn ends() -> Ends {
        let spares = Spares::new(4);
        let writer = Writer::new(ROOM, 7, &spares);
        Ends { lane: Arc::clone(writer.lane()), writer, spares }
    }

    fn rare() -> Extra {
        Extra::Rare(Box::new(Happened::Missed { events: 0 }))
    }

    fn large() -> Extra {
        Extra::Large(Box::new(Happened::Missed { events: 0 }))
    }

    impl Ends {
        fn drained(&self) -> (Vec<u64>, usize) {
            let (mut parts, mut extras) = (Vec::new(), Vec::new());
            self.lane.drain(&mut parts, &mut extras);
            assert_eq!(parts.iter().map(Part::extras).sum::<usize>(), extras.len());
            assert!(parts.iter().all(|part| part.thread() == 7 && part.len() == part.read().count()));
            let entries = parts.iter().flat_map(Part::read).map(|words| words[0]).collect();
            self.spares.take_back(parts.into_iter());
            (entries, extras.len())
        }
    }

    #[test]
    fn what_is_put_down_comes_out_in_its_order_once() {
        let mut ends = ends();
        for round in 0..100 {
            let from = round * 7;
            for at in from..from + round % 6 {
                assert!(ends.writer.put([at, 0, 1]));
            }
            assert_eq!(ends.drained(), ((from..from + round % 6).collect(), 0));
        }
        assert!((1..4).contains(&ends.spares.chunks.lock().len()), "chunks are used again");
        ends.spares.clear();
        assert_eq!(ends.spares.chunks.lock().len(), 0);
    }

    #[test]
    fn a_lane_has_a_bound_beyond_which_what_is_rare_finds_room() {
        let mut ends = ends();
        let put = (0..10).filter(|at| ends.writer.put([*at, 0, 1])).count();
        assert_eq!(put, 8);
        let rares = (10..15).filter(|at| ends.writer.put_with([*at, 0, 0], rare())).count();
        assert_eq!(rares, 3);
        // There is a place in the chunk of what is rare, and it is for that.
        assert!(!ends.writer.put([15, 0, 1]));
        assert_eq!(ends.drained(), ((0..8).chain(10..13).collect(), 3));
        assert!(ends.writer.put([16, 0, 1]) && ends.writer.put_with([17, 0, 0], rare()));
        assert_eq!(ends.drained(), (vec![16, 17], 1));
    }

    #[test]
    fn what_is_large_has_no_room_of_its_own_and_a_bound_besides() {
        let mut ends = ends();
        assert_eq!((0..4).filter(|at| ends.writer.put_with([*at, 0, 0], large())).count(), 2);
        assert_eq!(ends.drained(), (vec![0, 1], 2));
        // The rest of a chunk, and a whole one.
        assert!((0..6).all(|at| ends.writer.put([at, 0, 1])));
        assert!(!ends.writer.put_with([9, 0, 0], large()));
    }

    #[test]
    fn a_part_that_is_kept_stays_what_it_is() {
        let mut ends = ends();
        let (mut parts, mut extras) = (Vec::new(), Vec::new());
        for at in 0..40 {
            assert!(ends.writer.put([at, 0, 1]));
            ends.lane.drain(&mut parts, &mut extras);
        }
        let entries: Vec<u64> = parts.iter().flat_map(Part::read).map(|words| words[0]).collect();
        assert_eq!(entries, (0..40).collect::<Vec<_>>());
    }

    #[test]
    fn who_puts_down_is_read_meanwhile() {
        const COUNT: u64 = 100_000;
        let (spares, room) = (Spares::new(8), Room { chunks_max: 1 << 10, ..ROOM });
        let mut writer = Writer::new(room, 7, &spares);
        let lane = Arc::clone(writer.lane());
        std::thread::scope(|scope| {
            scope.spawn(move || (0..COUNT).for_each(|at| while !writer.put([at, at, at + 1]) {}));
            let mut next = 0;
            while next < COUNT {
                let (mut parts, mut extras) = (Vec::new(), Vec::new());
                lane.drain(&mut parts, &mut extras);
                for words in parts.iter().flat_map(Part::read) {
                    assert_eq!(words, [next, next, next + 1]);
                    next += 1;
                }
                spares.take_back(parts.into_iter());
            }
        });
    }
}
