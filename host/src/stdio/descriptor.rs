//! Standard output and error as the system has them, without a buffer of this process's in between: what a guest prints
//! goes where a child process's output would.

use std::io::{self, Write};
#[cfg(unix)]
use std::os::fd::AsFd;

/// Where a queue writes to.
pub(super) trait Writes: Write + Send {
    /// Writes as much as can be written without a wait; an error of the kind `WouldBlock` where that is nothing, or where
    /// nobody can tell.
    fn write_at_once(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// A descriptor of this process.
pub(super) struct Descriptor<D> {
    writes: D,
    /// Whether it may tell what has to wait: no file can, and others could hold it up by its position.
    tells: bool,
}

#[cfg(unix)]
impl<D: AsFd> Descriptor<D> {
    pub(super) fn new(writes: D) -> Descriptor<D> {
        use rustix::fs::{FileType, fstat};
        let kind = fstat(&writes).map(|status| FileType::from_raw_mode(status.st_mode));
        let tells = matches!(kind, Ok(FileType::Fifo | FileType::Socket | FileType::CharacterDevice));
        Descriptor { writes, tells }
    }
}

#[cfg(unix)]
impl<D: AsFd> Write for Descriptor<D> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        use rustix::io::{Errno, write};
        match write(&self.writes, bytes) {
            // One that is closed, or not to be written to, is nowhere, as it is for `std`.
            Err(Errno::BADF) => Ok(bytes.len()),
            written => Ok(written?),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(target_os = "linux")]
impl<D: AsFd + Send> Writes for Descriptor<D> {
    fn write_at_once(&mut self, bytes: &[u8]) -> io::Result<usize> {
        use rustix::io::{Errno, ReadWriteFlags, pwritev2};
        /// Where the descriptor is.
        const HERE: u64 = u64::MAX;
        if !self.tells {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        match pwritev2(&self.writes, &[io::IoSlice::new(bytes)], HERE, ReadWriteFlags::NOWAIT) {
            Ok(count) => Ok(count),
            // That nobody reads any more is so in any case. Whatever else is wrong, a write that may wait finds out.
            Err(Errno::PIPE) => Err(Errno::PIPE.into()),
            Err(_) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
impl<D: AsFd + Send> Writes for Descriptor<D> {}

#[cfg(not(unix))]
impl<D> Descriptor<D> {
    pub(super) fn new(writes: D) -> Descriptor<D> {
        Descriptor { writes, tells: false }
    }
}

#[cfg(not(unix))]
impl<D: Write> Write for Descriptor<D> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writes.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writes.flush()
    }
}

#[cfg(not(unix))]
impl<D: Write + Send> Writes for Descriptor<D> {}
