//! A file that is written when a run is over: it is opened before, so that who cannot have it is told before anything runs,
//! and holds what was in it until then, so that a run which is cut short takes nothing away.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Seek as _, SeekFrom};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The file, not written yet.
#[derive(Debug)]
pub(super) struct Kept(File);

impl Kept {
    /// Opens it, or makes it, with nothing in it.
    pub(super) fn open(path: &Path) -> io::Result<Kept> {
        Ok(Kept(OpenOptions::new().write(true).create(true).truncate(false).open(path)?))
    }

    /// Where it is written now: from its beginning, but behind what was printed where that goes to the same file.
    pub(super) fn begin(mut self) -> io::Result<BufWriter<File>> {
        let found = self.0.metadata()?;
        let is_same = |fd: BorrowedFd<'_>| {
            let printed = fd.try_clone_to_owned().and_then(|fd| File::from(fd).metadata());
            printed.is_ok_and(|printed| (printed.dev(), printed.ino()) == (found.dev(), found.ino()))
        };
        // A pipe or a terminal has neither length nor end.
        if found.is_file() {
            if is_same(io::stdout().as_fd()) || is_same(io::stderr().as_fd()) {
                self.0.seek(SeekFrom::End(0))?;
            } else {
                self.0.set_len(0)?;
            }
        }
        Ok(BufWriter::with_capacity(1 << 20, self.0))
    }
}
