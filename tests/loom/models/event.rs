//! Lanes: what one thread puts down, another takes out.

use loom::thread;

use super::{Arc, check};
use crate::event::lane::{Lane, Room, Writer};
use crate::event::{Extra, Happened};

const ROOM: Room = Room { chunk: 2, chunks_max: 2, extras_max: [1, 1, 1] };

/// Takes out what is there: each entry is what was put down as one, and comes in its turn.
fn takes(lane: &Lane, taken: &mut Vec<u64>, rare: &mut usize) {
    let (mut entries, mut extras) = (Vec::new(), Vec::new());
    lane.drain(&mut entries, &mut extras);
    for [at, isolate, first, second, word] in entries {
        assert!(word == 0 || (isolate, first, second, word) == (at, at, at, at), "a torn entry");
        taken.push(at);
    }
    *rare += extras.len();
}

/// Each entry comes out once, whole and in its turn, whoever is where; chunks are filled again meanwhile.
pub fn what_is_put_down_is_taken_once() {
    check(|| {
        let mut writer = Writer::new(ROOM);
        let lane = Arc::clone(writer.lane());
        let puts = thread::spawn(move || (1..=5).filter(|at| writer.put([*at; 5])).collect::<Vec<u64>>());
        let (mut taken, mut rare) = (Vec::new(), 0);
        takes(&lane, &mut taken, &mut rare);
        takes(&lane, &mut taken, &mut rare);
        let put = puts.join().expect("it does not panic");
        takes(&lane, &mut taken, &mut rare);
        assert_eq!((taken, rare), (put, 0));
    });
}

/// What is more than words comes with its entry, and finds room where others do not.
pub fn what_is_rare_comes_with_its_entry() {
    check(|| {
        let mut writer = Writer::new(Room { chunks_max: 1, ..ROOM });
        let lane = Arc::clone(writer.lane());
        let puts = thread::spawn(move || {
            (1..=2).for_each(|at| assert!(writer.put([at; 5])));
            assert!(writer.put_with([3, 3], Extra::Rare(Box::new(Happened::Missed { events: 0 }))));
        });
        let (mut taken, mut rare) = (Vec::new(), 0);
        takes(&lane, &mut taken, &mut rare);
        assert_eq!(rare, taken.iter().filter(|at| **at == 3).count());
        puts.join().expect("it does not panic");
        takes(&lane, &mut taken, &mut rare);
        assert_eq!((taken, rare), (vec![1, 2, 3], 1));
    });
}
