//! What is written by who prints, without a thread.

use super::*;

/// What takes at once as much as it is told, and has a turn for each write that may wait.
struct AtOnce(Receiver<Turn>, Sender<Vec<u8>>, Receiver<io::Result<usize>>);

impl Write for AtOnce {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.recv();
        let _ = self.1.send(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Writes for AtOnce {
    fn write_at_once(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.2.try_recv().map_err(|_| io::ErrorKind::WouldBlock)??.min(bytes.len());
        let _ = self.1.send(bytes[..count].to_vec());
        Ok(count)
    }
}

#[test]
fn what_needs_no_wait_is_written_by_who_prints_and_the_rest_by_a_thread() {
    let ((turns, gate), (sender, taken), (counts, now)) = (unbounded(), unbounded(), unbounded());
    let queue = Queue::new("at-once", false, Box::new(AtOnce(gate, sender, now)));
    let mut sink = Sink::to(&queue);
    let next = |of: &Receiver<Vec<u8>>| String::from_utf8(of.try_recv().unwrap_or_default()).unwrap();
    counts.send(Ok(9)).unwrap();
    done(&mut sink, b"one\n");
    assert_eq!(next(&taken), "one\n");
    assert!(queue.drain(Some(std::time::Duration::ZERO)), "it is written");
    counts.send(Ok(2)).unwrap();
    done(&mut sink, b"two\n");
    assert_eq!(next(&taken), "tw");
    // From here on the thread writes, whatever could be written at once.
    counts.send(Ok(9)).unwrap();
    done(&mut sink, b"three");
    queue.put_line(Bytes::from_static(b"a line\n")).unwrap();
    assert_eq!(next(&taken), "");
    drop(turns);
    assert!(queue.drain(None));
    let rest: Vec<u8> = taken.try_iter().flatten().collect();
    assert_eq!(String::from_utf8(rest).unwrap(), "o\nthree\na line\n");
    assert_eq!(queue.room().unwrap(), 64 << 10, "all room is given back");
}

#[test]
fn a_line_of_the_embedder_s_begins_where_a_line_does_behind_what_was_written_at_once() {
    let ((turns, gate), (sender, taken), (counts, now)) = (unbounded(), unbounded(), unbounded());
    let queue = Queue::new("lines-at-once", false, Box::new(AtOnce(gate, sender, now)));
    counts.send(Ok(9)).unwrap();
    done(&mut Sink::to(&queue), b"guest");
    queue.put_line(Bytes::from_static(b"host\n")).unwrap();
    drop(turns);
    assert!(queue.drain(None));
    assert_eq!(taken.try_iter().flatten().collect::<Vec<u8>>(), b"guest\nhost\n");
}

#[test]
fn what_a_reader_that_is_gone_refuses_at_once_is_told_at_once() {
    const EPIPE: i32 = 32;
    let ((_turns, gate), (sender, _taken), (counts, now)) = (unbounded(), unbounded(), unbounded());
    let queue = Queue::new("gone-at-once", false, Box::new(AtOnce(gate, sender, now)));
    counts.send(Err(io::Error::from_raw_os_error(EPIPE))).unwrap();
    for _ in 0..2 {
        assert_eq!(errno(Call::write(&mut Sink::to(&queue), b"lost").poll()), Some(EPIPE));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_pipe_takes_at_once_what_it_has_room_for_and_an_error_when_its_reader_is_gone() {
    let (mut reader, writer) = io::pipe().unwrap();
    let mut pipe = Descriptor::new(writer);
    let full = loop {
        match pipe.write_at_once(&[b'x'; 4096]) {
            Ok(count) => assert_eq!(count, 4096),
            Err(error) => break error,
        }
    };
    assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    reader.read_exact(&mut [0; 4096]).unwrap();
    assert_eq!(pipe.write_at_once(b"more").unwrap(), 4);
    drop(reader);
    assert_eq!(pipe.write_at_once(b"lost").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}
