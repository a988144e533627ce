//! What is put down comes out again, as it was and in the order of time, within its bounds.

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
    for (kind, _) in Kind::ALL {
        recorder.received(7, ID_MAX, MESSAGE_MAX, BYTES_MAX, *kind);
        let received = Happened::Received { message: MESSAGE_MAX, bytes: BYTES_MAX, notice: notice(*kind) };
        assert_eq!(drained(&recorder), [Event { at: Duration::from_nanos(7), isolate: of(ID_MAX), what: received }]);
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
