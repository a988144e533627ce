//! Lanes: what one thread puts down, another takes out.

use loom::thread;

use super::{Arc, check};
use crate::event::lane::{Lane, Part, Room, Spares, Writer};
use crate::event::{Extra, Happened};

const ROOM: Room = Room { chunks_max: 2, extras_max: [1, 1, 1] };

/// Who takes out.
struct Taker {
    lane: Arc<Lane>,
    spares: Arc<Spares>,
    taken: Vec<u64>,
    rare: usize,
}

fn ends(room: Room) -> (Writer, Taker) {
    let spares = Spares::new(2);
    let writer = Writer::new(room, 1, &spares);
    let lane = Arc::clone(writer.lane());
    (writer, Taker { lane, spares, taken: Vec::new(), rare: 0 })
}

impl Taker {
    /// Takes out what is there: each entry is what was put down as one, and comes in its turn.
    fn takes(&mut self) {
        let (mut parts, mut extras) = (Vec::new(), Vec::new());
        self.lane.drain(&mut parts, &mut extras);
        for [at, second, third] in parts.iter().flat_map(Part::read) {
            assert!(second == at && third == at, "a torn entry");
            self.taken.push(at);
        }
        self.rare += extras.len();
        self.spares.take_back(parts.into_iter());
    }
}

/// Each entry comes out once, whole and in its turn, whoever is where; chunks are filled again meanwhile.
pub fn what_is_put_down_is_taken_once() {
    check(|| {
        let (mut writer, mut taker) = ends(ROOM);
        let puts = thread::spawn(move || (1..=5).filter(|at| writer.put([*at; 3])).collect::<Vec<u64>>());
        taker.takes();
        taker.takes();
        let put = puts.join().expect("it does not panic");
        taker.takes();
        assert_eq!((taker.taken, taker.rare), (put, 0));
    });
}

/// What is more than words comes with its entry, and finds room where others do not.
pub fn what_is_rare_comes_with_its_entry() {
    check(|| {
        let (mut writer, mut taker) = ends(Room { chunks_max: 1, ..ROOM });
        let puts = thread::spawn(move || {
            (1..=2).for_each(|at| assert!(writer.put([at; 3])));
            assert!(writer.put_with([3; 3], Extra::Rare(Box::new(Happened::Missed { events: 0 }))));
        });
        taker.takes();
        assert_eq!(taker.rare, taker.taken.iter().filter(|at| **at == 3).count());
        puts.join().expect("it does not panic");
        taker.takes();
        assert_eq!((taker.taken, taker.rare), (vec![1, 2, 3], 1));
    });
}
