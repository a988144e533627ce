//! A file that is written when a run is over: it is opened before, so that who cannot have it is told before anything runs,
//! and holds what was in it until then, so that a run which is cut short takes nothing away.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter};
use std::path::Path;

/// The file, not written yet.
#[derive(Debug)]
pub(super) struct Kept(File);

impl Kept {
    /// Opens it, or makes it, with nothing in it.
    pub(super) fn open(path: &Path) -> io::Result<Kept> {
        Ok(Kept(OpenOptions::new().write(true).create(true).truncate(false).open(path)?))
    }

    /// Where it is written now, from its beginning.
    pub(super) fn begin(self) -> io::Result<BufWriter<File>> {
        // A pipe or a terminal has no length.
        if self.0.metadata()?.is_file() {
            self.0.set_len(0)?;
        }
        Ok(BufWriter::with_capacity(1 << 20, self.0))
    }
}
