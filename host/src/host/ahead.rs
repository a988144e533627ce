//! A module that is read while its host is made, where the host is told which file it will load.
//!
//! To make an engine takes about as long as to read a module and to find its code in the cache, and neither needs the other.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::thread::Builder;

use super::loading::read;
use crate::cache::Cache;
use crate::engine::{Kind, compiling_engine};
use crate::module::Known;
use crate::stdio::Sink;
use crate::sync::{Arc, Mutex};

/// A file, and what is found of it.
pub(super) struct Ahead(Mutex<Option<(PathBuf, Receiver<Option<Found>>)>>);

/// A file that was read before it is loaded.
pub(super) struct Found {
    pub(super) bytes: Vec<u8>,
    /// Bytes of the file.
    pub(super) length: u64,
    pub(super) known: Option<Known>,
}

/// How a file is read ahead.
pub(super) struct Errand {
    pub(super) path: PathBuf,
    pub(super) bytes_max: u64,
    pub(super) cache: Option<Arc<Cache>>,
    pub(super) kind: Kind,
    pub(super) memory_reservation_bytes: u64,
    /// What has its thread when something is printed.
    pub(super) stdout: Sink,
}

impl Ahead {
    /// Nobody reads.
    pub(super) fn none() -> Ahead {
        Ahead(Mutex::default())
    }

    /// Has somebody run the errand. Where the system gives no thread, whoever loads does it.
    pub(super) fn of(errand: Errand) -> Ahead {
        let (found, finds) = channel();
        let path = errand.path.clone();
        let reads = move || {
            let stdout = errand.stdout.clone();
            // Where nobody wants it any more, it is nothing to anybody.
            drop(found.send(errand.run()));
            stdout.begin();
        };
        match Builder::new().name("insula-ahead".to_owned()).spawn(reads) {
            Ok(_) => Ahead(Mutex::new(Some((path, finds)))),
            Err(_) => Ahead::none(),
        }
    }

    /// What was found of the file at this path, once. Waits for it.
    pub(super) fn take(&self, path: &Path) -> Option<Found> {
        let (_, finds) = self.0.lock().take_if(|(ahead, _)| ahead == path)?;
        // What went wrong goes wrong again for whoever loads it, and is said there.
        finds.recv().ok()?
    }
}

impl Errand {
    fn run(self) -> Option<Found> {
        let (bytes, length) = read(&self.path, self.bytes_max).ok()?;
        let known = Known::of(&bytes, || {
            let cache = self.cache?;
            Some((cache, compiling_engine(self.kind, self.memory_reservation_bytes).ok()?))
        });
        Some(Found { bytes, length, known })
    }
}
