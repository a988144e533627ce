//! What is kept of a run: events, in memory up to a bound, and the file when all is over. Nothing is written
//! meanwhile: formatting takes longer than what it would tell of.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use insula::Host;

use super::super::{kept, report};
use super::file;

/// Events that are kept: some 50 MB of turns and messages, 500 of births and ends; of those beyond only the number.
const EVENTS_MAX: usize = 1 << 21;

/// A run that is recorded.
pub(in crate::cli) struct Recording {
    path: PathBuf,
    file: kept::Kept,
    recording: insula::Recording,
}

impl Recording {
    /// Records what happens in this host from now on. The file is made at once: who cannot have it is told before the
    /// program runs.
    pub(in crate::cli) fn begin(host: &Host, path: &Path) -> Result<Recording> {
        let file = kept::Kept::open(path).with_context(|| format!("cannot write the trace {}", report::path(path)))?;
        let recording = host.record(EVENTS_MAX).context("cannot record the run")?;
        Ok(Recording { path: path.to_owned(), file, recording })
    }

    /// Writes the file.
    pub(in crate::cli) fn end(self, program: &str) -> Result<()> {
        let Recording { path, file, recording } = self;
        let insula::Recorded { events, missed, .. } = recording.stop();
        let unwritten = || format!("cannot write the trace {}", report::path(&path));
        let mut out = file.begin().with_context(unwritten)?;
        let written = file::write(&mut out, program, &events, missed).and_then(|()| Ok(out.flush()?));
        written.with_context(unwritten)?;
        if missed > 0 {
            report::note(&format!("the trace {} lacks {missed} events: more than could be kept", report::path(&path)));
        }
        Ok(())
    }
}
