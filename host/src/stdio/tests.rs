//! Readers that stall, vanish and come back, without a clock: a gate says when the writer thread may go on.

mod at_once;

use crossbeam_channel::{Receiver, Sender, unbounded};
use insula_wire::MailboxPolicy;
use std::io::{Read, Write};
use std::task::{Wake, Waker};
use std::thread;

use super::descriptor::Writes;
use super::input::Source;
use super::*;
use crate::exit::IsolateId;
use crate::port::{Charged, Mailbox, Port, Room, SendRight};

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
    impl Writes for Gated {}
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
    assert_eq!(tail.captured().to_string(), "");
    done(&mut sink, b"12345");
    assert_eq!(tail.captured().to_string(), "12345");
    done(&mut sink, b"678");
    assert_eq!(tail.captured().to_string(), "12345678");
    done(&mut sink, b"9");
    assert_eq!(tail.captured().to_string(), "[1 bytes before this are not kept]\n23456789");
    done(&mut sink, "ä234567890é".as_bytes());
    assert_eq!(tail.captured().to_string(), "[14 bytes before this are not kept]\n567890é");
    done(&mut sink, "ßßßßx".as_bytes());
    assert_eq!(tail.captured().to_string(), "[24 bytes before this are not kept]\nßßßx");
    // No character is that long: these are bytes that are no text.
    done(&mut sink, &[0x80; 9]);
    let shown = format!("[35 bytes before this are not kept]\n{}", "\u{fffd}".repeat(5));
    assert_eq!(tail.captured().to_string(), shown);
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
    assert!(tail.captured().to_string().ends_with("xlast words"));
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

/// The output of an isolate of this name, by lines.
fn lines(queue: &Arc<Queue>, name: &str, number: u64) -> Sink {
    Sink { to: To::Lines(Arc::new(Lines::unnamed(queue).named(name, IsolateId(number)))), tail: None }
}

/// All that a queue wrote, where its gate is open.
fn written(queue: &Queue, taken: &Receiver<Vec<u8>>) -> String {
    assert!(queue.drain(None));
    String::from_utf8(taken.try_iter().flatten().collect()).unwrap()
}

#[test]
fn lines_are_written_whole_behind_their_name() {
    let (queue, turns, taken) = gated("lines");
    drop(turns);
    let (mut one, mut two) = (lines(&queue, "one", 1), lines(&queue, "t\nwo", 2));
    done(&mut one, b"a ");
    done(&mut two, b"b\r\n\nc");
    done(&mut one, b"line\n");
    assert_eq!(written(&queue, &taken), "[t\\nwo #2] b\n[t\\nwo #2] \n[one #1] a line\n");
    done(&mut one, b"tab\t\x1b[2K\xff\n");
    assert_eq!(written(&queue, &taken), "[one #1] tab\t\\u{1b}[2K\u{fffd}\n");
    drop(two);
    assert_eq!(written(&queue, &taken), "[t\\nwo #2] c\n", "what had no end when its isolate was gone");
}

#[test]
fn a_line_that_is_too_long_is_broken_between_characters() {
    let (queue, turns, taken) = gated("long");
    drop(turns);
    let mut sink = lines(&queue, "x", 1);
    let text = "é".repeat(3_000);
    done(&mut sink, b"1");
    done(&mut sink, &text.as_bytes()[..4_000]);
    assert_eq!(written(&queue, &taken), "");
    done(&mut sink, &text.as_bytes()[4_000..]);
    done(&mut sink, b"\n");
    let shown = written(&queue, &taken);
    let parts: Vec<&str> = shown.lines().map(|line| line.strip_prefix("[x #1] ").unwrap()).collect();
    assert_eq!((parts.len(), parts[0].len(), parts.concat()), (2, 4_095, format!("1{text}")));
}

#[test]
fn a_line_is_broken_where_it_is_too_long_and_not_where_a_write_ends() {
    let (queue, turns, taken) = gated("edge");
    drop(turns);
    let mut sink = lines(&queue, "x", 1);
    // WASI hands on 4 KiB at a time: here that is in the middle of a character.
    let text = format!("1{}", "é".repeat(3_000));
    text.as_bytes().chunks(4_096).for_each(|chunk| done(&mut sink, chunk));
    done(&mut sink, b"\n");
    let shown = written(&queue, &taken);
    let parts: Vec<&str> = shown.lines().map(|line| line.strip_prefix("[x #1] ").unwrap()).collect();
    assert_eq!((parts.len(), parts[0].len(), parts.concat()), (2, 4_095, text));
    // One that is as long as it may be is one line, and one of a byte more is two.
    for (bytes, expected) in [(4_095, 1), (4_096, 1), (4_097, 2), (8_192, 2)] {
        done(&mut sink, &vec![b'x'; bytes]);
        done(&mut sink, b"\n");
        assert_eq!(written(&queue, &taken).lines().count(), expected, "{bytes}");
    }
}

#[test]
fn lines_wait_for_room_and_whoever_is_killed_there_leaves_none() {
    let (queue, turns, taken) = gated("lines-wait");
    let (mut full, mut waits) = (Sink::to(&queue), lines(&queue, "w", 7));
    for _ in 0..16 {
        done(&mut full, &[b'x'; 4096]);
    }
    let mut waiting = Call::write(&mut waits, b"late\nno end");
    assert!(waiting.poll().is_pending());
    drop(waiting);
    drop(waits);
    drop(turns);
    assert_eq!(written(&queue, &taken).trim_start_matches('x'), "");
    let mut sink = lines(&queue, "w", 8);
    done(&mut sink, b"no end");
    let mut finish = Box::pin(sink.unfinished().unwrap().finish());
    assert!(finish.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
    assert!(sink.unfinished().is_none());
    assert_eq!(written(&queue, &taken), "[w #8] no end\n");
}

/// A port with room for one message, and the output that goes to it.
fn to_port(policy: MailboxPolicy) -> (Arc<Mailbox>, Arc<Port>, Sink) {
    let room = Room { messages_max: 1, bytes_max: 1 << 20, message_bytes_max: 1 << 20, ports_max: 1 };
    let mailbox = Mailbox::of_embedder(room, Charged::default());
    let port = mailbox.open(1, 0, policy).unwrap();
    let sink = Sink::of(Outlet::Port(SendRight::new(&port)), &Sink::null());
    (mailbox, port, sink)
}

#[test]
fn a_print_to_a_full_port_waits_and_is_sent_or_fails() {
    let (mailbox, port, mut sink) = to_port(MailboxPolicy::Wait);
    done(&mut sink, b"first");
    let mut waiting = Call::write(&mut sink, b"second");
    assert!(waiting.poll().is_pending() && !waiting.is_woken());
    assert_eq!(mailbox.discard(&port), Some(true));
    assert!(waiting.is_woken() && matches!(waiting.poll(), Poll::Ready(Ok(()))));
    drop(waiting);
    let mut waiting = Call::write(&mut sink, b"third");
    assert!(waiting.poll().is_pending());
    mailbox.close_port(&port);
    assert!(waiting.is_woken());
    assert_eq!(errno(waiting.poll()), Some(rustix::io::Errno::PIPE.raw_os_error()));
    let (_mailbox, _port, mut sink) = to_port(MailboxPolicy::Error);
    done(&mut sink, b"first");
    let refused = Call::write(&mut sink, b"second").poll();
    assert_eq!(errno(refused), Some(rustix::io::Errno::NOSPC.raw_os_error()));
}

#[test]
fn a_print_that_waits_for_a_notice_to_be_taken_fails_when_the_port_closes() {
    let (mailbox, port, mut sink) = to_port(MailboxPolicy::Wait);
    mailbox.reserve(&port, 100).unwrap();
    let mut waiting = Call::write(&mut sink, b"first");
    assert!(waiting.poll().is_pending());
    mailbox.close_port(&port);
    assert!(waiting.is_woken() && matches!(waiting.poll(), Poll::Ready(Err(_))));
}

#[test]
fn a_line_of_the_embedders_is_whole_and_begins_where_a_line_does() {
    let (queue, turns, taken) = gated("line");
    let mut guest = Sink::to(&queue);
    done(&mut guest, b"a guest in the midst of");
    queue.put_line(Bytes::from("one\n")).unwrap();
    queue.put_line(Bytes::from("two\n")).unwrap();
    done(&mut guest, b" a line\n");
    queue.put_line(Bytes::from("three\n")).unwrap();
    turns.send(Turn::TakeAtMost(1)).unwrap();
    drop(turns);
    assert!(queue.drain(None));
    let all: Vec<u8> = taken.try_iter().flatten().collect();
    assert_eq!(String::from_utf8_lossy(&all), "a guest in the midst of\none\ntwo\n a line\nthree\n");
    assert_eq!(queue.room().unwrap(), 64 << 10, "what was added took no room, and gives none back");
}

#[test]
fn lines_have_room_of_their_own_and_no_more() {
    let (queue, turns, taken) = gated("lines");
    let mut guest = Sink::to(&queue);
    while queue.room().unwrap() > 0 {
        done(&mut guest, &[b'g'; 4 << 10]);
    }
    let line = Bytes::from([&[b'l'; 64 << 10][..], b"\n"].concat());
    let put = (0..).take_while(|_| queue.put_line(line.clone()).is_ok()).count();
    assert_eq!(put, 15, "of 1 MiB, whatever guests have taken");
    assert_eq!(queue.put_line(line.clone()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop(turns);
    assert!(queue.drain(None));
    let written: usize = taken.try_iter().map(|bytes| bytes.len()).sum();
    assert_eq!(written, (64 << 10) + 1 + 15 * line.len());
    queue.put_line(line).unwrap();
}

#[test]
fn a_line_that_must_not_be_lost_has_any_length_and_comes_whatever_waits() {
    let (queue, turns, taken) = gated("last-word");
    let line = Bytes::from([&[b'l'; 1 << 20][..], b"\n"].concat());
    assert_eq!(queue.put_line(line.clone()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    queue.put_line_anyway(line.clone()).unwrap();
    queue.put_line_anyway(line.clone()).unwrap();
    assert_eq!(queue.put_line(Bytes::from("log\n")).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop(turns);
    assert!(queue.drain(None));
    let written: usize = taken.try_iter().map(|bytes| bytes.len()).sum();
    assert_eq!(written, 2 * line.len());
    queue.put_line(Bytes::from("log\n")).unwrap();
}
