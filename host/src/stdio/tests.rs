//! Readers that stall, vanish and come back, without a clock: a gate says when the writer thread may go on.

use crossbeam_channel::{Receiver, Sender, unbounded};
use std::io::{Read, Write};
use std::task::{Wake, Waker};
use std::thread;

use super::input::Source;
use super::*;

/// What a descriptor does with a write.
enum Turn {
    Take,
    TakeAtMost(usize),
    Fail(i32),
}

/// A descriptor that takes one write a turn, and blocks until it gets one; and what it took.
fn gated(name: &'static str) -> (Arc<Queue>, Sender<Turn>, Receiver<Vec<u8>>) {
    struct Gated(Receiver<Turn>, Sender<Vec<u8>>);
    impl Write for Gated {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = match self.0.recv().unwrap_or(Turn::Take) {
                Turn::Take => bytes.len(),
                Turn::TakeAtMost(count) => count.min(bytes.len()),
                Turn::Fail(code) => return Err(io::Error::from_raw_os_error(code)),
            };
            let _ = self.1.send(bytes[..count].to_vec());
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let ((turns, gate), (sender, taken)) = (unbounded(), unbounded());
    (Queue::new(name, false, Box::new(Gated(gate, sender))), turns, taken)
}

struct Woken(Mutex<bool>);

impl Wake for Woken {
    fn wake(self: Arc<Woken>) {
        *self.0.lock() = true;
    }
}

/// A guest's call, polled by hand.
struct Call<'a> {
    future: Pin<Box<dyn Future<Output = StreamResult<()>> + Send + 'a>>,
    woken: Arc<Woken>,
}

impl<'a> Call<'a> {
    fn write(sink: &'a mut Sink, bytes: &[u8]) -> Call<'a> {
        let future = sink.blocking_write_and_flush(Bytes::copy_from_slice(bytes));
        Call { future, woken: Arc::new(Woken(Mutex::new(false))) }
    }

    fn poll(&mut self) -> Poll<StreamResult<()>> {
        self.future.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(&self.woken))))
    }

    fn is_woken(&self) -> bool {
        *self.woken.0.lock()
    }
}

fn done(sink: &mut Sink, bytes: &[u8]) {
    assert!(matches!(Call::write(sink, bytes).poll(), Poll::Ready(Ok(()))));
}

fn errno(result: Poll<StreamResult<()>>) -> Option<i32> {
    match result {
        Poll::Ready(Err(StreamError::LastOperationFailed(error))) => {
            error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error)
        }
        _ => None,
    }
}

#[test]
fn a_stalled_reader_holds_the_writer_and_not_the_thread() {
    let (queue, turns, taken) = gated("stalled");
    let (mut sink, mut other) = (Sink::to(&queue), Sink::to(&queue));
    for _ in 0..16 {
        done(&mut sink, &[b'x'; 4096]);
    }
    let mut waiting = Call::write(&mut other, b"late");
    assert!(waiting.poll().is_pending());
    assert!(!queue.drain(Some(std::time::Duration::ZERO)));
    // The first write is under way with at least one piece; what follows it frees the rest.
    let mut count = 0;
    while count < 16 * 4096 {
        turns.send(Turn::Take).unwrap();
        count += taken.recv().unwrap().len();
    }
    assert!(queue.drain(None));
    assert!(waiting.is_woken());
    assert!(matches!(waiting.poll(), Poll::Ready(Ok(()))));
    turns.send(Turn::Take).unwrap();
    assert_eq!(taken.recv().unwrap(), b"late");
}

#[test]
fn a_guest_that_is_killed_while_it_waits_leaves_room_and_nothing_else() {
    let (queue, turns, taken) = gated("killed");
    let mut sinks = [Sink::to(&queue), Sink::to(&queue), Sink::to(&queue)];
    let [first, killed, last] = &mut sinks;
    for _ in 0..16 {
        done(first, &[b'x'; 4096]);
    }
    let (mut dropped, mut waiting) = (Call::write(killed, b"never"), Call::write(last, b"last"));
    assert!(dropped.poll().is_pending() && waiting.poll().is_pending());
    drop(dropped);
    drop(turns);
    assert!(queue.drain(None));
    assert!(waiting.is_woken() && matches!(waiting.poll(), Poll::Ready(Ok(()))));
    assert!(queue.drain(None));
    let all: Vec<u8> = taken.try_iter().flatten().collect();
    assert_eq!((all.len(), &all[16 * 4096..]), (16 * 4096 + 4, &b"last"[..]));
}

#[test]
fn a_write_of_four_kibibytes_stays_in_one_piece() {
    let (queue, turns, taken) = gated("pieces");
    drop(turns);
    thread::scope(|threads| {
        for letter in b'a'..b'f' {
            let mut sink = Sink::to(&queue);
            threads.spawn(move || {
                let io = tokio::runtime::Builder::new_current_thread().build().unwrap();
                for _ in 0..100 {
                    io.block_on(sink.blocking_write_and_flush(vec![letter; 4096].into())).unwrap();
                }
            });
        }
    });
    assert!(queue.drain(None));
    let all: Vec<u8> = taken.try_iter().flatten().collect();
    assert_eq!(all.len(), 5 * 100 * 4096);
    assert!(all.chunks(4096).all(|piece| piece.iter().all(|byte| *byte == piece[0])));
}

#[test]
fn a_reader_that_went_away_is_an_error_for_every_later_writer() {
    const EPIPE: i32 = 32;
    let (queue, turns, _taken) = gated("gone");
    let mut sinks = [Sink::to(&queue), Sink::to(&queue)];
    let [first, second] = &mut sinks;
    for _ in 0..16 {
        done(first, &[b'x'; 4096]);
    }
    let mut waiting = Call::write(second, b"late");
    assert!(waiting.poll().is_pending());
    turns.send(Turn::Fail(EPIPE)).unwrap();
    assert!(!queue.drain(None));
    // The writing thread tells us first, and then the isolates that wait.
    while !waiting.is_woken() {
        thread::yield_now();
    }
    assert_eq!(errno(waiting.poll()), Some(EPIPE));
    drop(waiting);
    assert_eq!(errno(Call::write(first, b"later").poll()), Some(EPIPE));
    assert!(first.check_write().is_err() && first.write(Bytes::from_static(b"x")).is_err());
}

#[test]
fn a_descriptor_that_takes_little_or_nothing_is_asked_again() {
    const EAGAIN: i32 = 11;
    const EINTR: i32 = 4;
    let (queue, turns, taken) = gated("little");
    for turn in [Turn::Fail(EAGAIN), Turn::TakeAtMost(2), Turn::Fail(EINTR), Turn::TakeAtMost(1), Turn::Take] {
        turns.send(turn).unwrap();
    }
    done(&mut Sink::to(&queue), b"abcdef");
    assert!(queue.drain(None));
    assert_eq!(taken.try_iter().collect::<Vec<_>>(), [b"ab".to_vec(), b"c".to_vec(), b"def".to_vec()]);
}

#[test]
fn what_was_written_first_appears_first_across_the_pair() {
    let (out, out_turns, out_taken) = gated("out");
    let (err, err_turns, err_taken) = gated("err");
    Queue::pair(&out, &err);
    done(&mut Sink::to(&out), b"1");
    done(&mut Sink::to(&err), b"2");
    done(&mut Sink::to(&out), b"3");
    // Error may go on at any time, and waits for output; output may write once, and then waits for error.
    err_turns.send(Turn::Take).unwrap();
    out_turns.send(Turn::Take).unwrap();
    assert_eq!(out_taken.recv().unwrap(), b"1");
    assert_eq!(err_taken.recv().unwrap(), b"2");
    out_turns.send(Turn::Take).unwrap();
    assert_eq!(out_taken.recv().unwrap(), b"3");
}

#[test]
fn a_stalled_output_does_not_hold_up_error_for_good() {
    let (out, out_turns, _out_taken) = gated("stalled-out");
    let (err, err_turns, err_taken) = gated("free-err");
    Queue::pair(&out, &err);
    drop(err_turns);
    done(&mut Sink::to(&out), b"nobody reads this");
    for text in [b"one".as_slice(), b"two", b"three"] {
        done(&mut Sink::to(&err), text);
    }
    assert!(err.drain(None));
    assert_eq!(err_taken.try_iter().flatten().collect::<Vec<u8>>(), b"onetwothree");
    drop(out_turns);
}

#[test]
fn a_tail_keeps_the_last_and_marks_the_cut() {
    let tail = Arc::new(Tail::new(8));
    let mut sink = Sink::null().with_tail(Arc::clone(&tail));
    assert_eq!(tail.text(), "");
    done(&mut sink, b"12345");
    assert_eq!(tail.text(), "12345");
    done(&mut sink, b"678");
    assert_eq!(tail.text(), "12345678");
    done(&mut sink, b"9");
    assert_eq!(tail.text(), "[1 bytes before this are not kept]\n23456789");
    done(&mut sink, "ä234567890é".as_bytes());
    assert_eq!(tail.text(), "[14 bytes before this are not kept]\n567890é");
    done(&mut sink, "ßßßßx".as_bytes());
    assert_eq!(tail.text(), "[24 bytes before this are not kept]\nßßßx");
}

#[test]
fn a_tail_keeps_what_its_writer_could_not_say() {
    let (queue, turns, _taken) = gated("unsaid");
    let tail = Arc::new(Tail::default());
    let mut sink = Sink::to(&queue).with_tail(Arc::clone(&tail));
    for _ in 0..16 {
        done(&mut sink, &[b'x'; 4096]);
    }
    let mut waiting = Call::write(&mut sink, b"last words");
    assert!(waiting.poll().is_pending());
    assert!(tail.text().ends_with("xlast words"));
    drop(waiting);
    drop(turns);
}

/// Input that arrives in pieces, when the test sends them; the end when it drops the sender.
fn piped() -> (Arc<Source>, Sender<Vec<u8>>) {
    struct Piped(Receiver<Vec<u8>>);
    impl Read for Piped {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let piece = self.0.recv().unwrap_or_default();
            buffer[..piece.len()].copy_from_slice(&piece);
            Ok(piece.len())
        }
    }
    let (sender, pieces) = unbounded();
    (Source::new(Box::new(Piped(pieces))), sender)
}

#[test]
fn readers_of_one_input_are_served_in_turn_however_often_they_lose() {
    let (source, sender) = piped();
    let io = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let readers: Vec<_> = (0..5)
        .map(|_| {
            let source = Arc::clone(&source);
            io.spawn(async move {
                let mut lines = 0;
                while let Ok(line) = source.read(64).await {
                    assert!(!line.is_empty());
                    lines += 1;
                }
                lines
            })
        })
        .collect();
    for number in 0..200 {
        sender.send(format!("line {number}\n").into_bytes()).unwrap();
    }
    drop(sender);
    let lines: Vec<i32> = readers.into_iter().map(|reader| io.block_on(reader).unwrap()).collect();
    assert_eq!(lines.iter().sum::<i32>(), 200);
    assert!(lines.iter().all(|lines| *lines > 0), "{lines:?}");
}

#[test]
fn a_reader_that_is_killed_takes_no_input_with_it() {
    let (source, sender) = piped();
    let woken = Arc::new(Woken(Mutex::new(false)));
    let waker = Waker::from(woken);
    let mut killed = Box::pin(source.read(64));
    assert!(killed.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    drop(killed);
    sender.send(b"for the next".to_vec()).unwrap();
    let io = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(io.block_on(source.read(7)).unwrap(), "for the");
    io.block_on(source.ready());
    assert_eq!(io.block_on(source.read(64)).unwrap(), " next");
    drop(sender);
    io.block_on(source.ready());
    assert!(matches!(io.block_on(source.read(64)), Err(StreamError::Closed)));
    assert!(matches!(io.block_on(source.read(64)), Err(StreamError::Closed)));
}
