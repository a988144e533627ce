//! A module that is read, and whose code is looked for, while its host is made: by whoever has a thread for that.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};

use super::loading::read_open;
use super::{Host, HostBuilder};
use crate::cache::{Authentic, Cache, EntryName};
use crate::compile::digest;
use crate::error::LoadError;
use crate::isolate::Module;
use crate::module::{Known, is_binary};

/// A file that is read while a host is made: see [`HostBuilder::read_ahead`].
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let builder = insula::Host::builder().cache_folder("cache");
/// let (ahead, read) = builder.read_ahead("app.wasm");
/// let reader = std::thread::spawn(read);
/// let host = builder.build()?;
/// let module = host.load_ahead(ahead)?;
/// # reader.join().unwrap();
/// # Ok(())
/// # }
/// ```
#[must_use = "it is there to be loaded"]
pub struct Ahead {
    path: PathBuf,
    found: Receiver<Found>,
}

/// What was found.
struct Found {
    bytes: Vec<u8>,
    /// Of a module in its binary form.
    known: Option<(Known, EntryName)>,
    /// The cache that was looked into.
    folder: Option<PathBuf>,
}

impl std::fmt::Debug for Ahead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ahead").field("path", &self.path).finish_non_exhaustive()
    }
}

impl HostBuilder {
    /// What reads a module's file and looks for its code in the [cache](HostBuilder::cache_folder), on another thread and
    /// while the host is made, and where [`Host::load_ahead`] finds what came of it. For programs that are to begin soon, and
    /// have a thread at hand: it saves no more than the time that it takes to make the host.
    ///
    /// Nothing is an error here: what cannot be read, or is no regular file, is left to who loads it.
    pub fn read_ahead(&self, path: impl Into<PathBuf>) -> (Ahead, Box<dyn FnOnce() + Send>) {
        let (path, (sender, found)) = (path.into(), channel());
        let (trial, bytes_max, folder) = (self.trial(), self.compile_bytes_max(), self.cache().map(Path::to_owned));
        let file = path.clone();
        let read = move || {
            let read = regular(&file).and_then(|file| read_open(file, bytes_max));
            let Some((bytes, _)) = read.ok().filter(|(bytes, length)| bytes.len() as u64 == *length) else { return };
            let known = is_binary(&bytes).then(|| {
                let digest = digest(&bytes);
                let name = EntryName::of(&trial, &digest);
                let find = |folder: &PathBuf| -> Option<Authentic> { Cache::open(folder.clone()).find(&name) };
                (Known { digest, code: folder.as_ref().and_then(find) }, name)
            });
            // Whoever is gone does not want it.
            let _ = sender.send(Found { bytes, known, folder });
        };
        (Ahead { path, found }, Box::new(read))
    }
}

impl Host {
    /// As [`Host::load_file`], of a file that was read while this host was made; waits until it is. What the file held then is
    /// loaded. Code that was looked for by a builder with other settings is not used.
    ///
    /// # Errors
    /// As [`Host::load_file`].
    pub fn load_ahead(&self, Ahead { path, found }: Ahead) -> Result<Module, LoadError> {
        let (inner, name) = (self.inner(), path.display().to_string());
        let Ok(Found { bytes, known, folder }) = found.recv() else { return inner.load_file(&path) };
        let known = known.map(|(known, looked_for)| {
            let is_ours =
                inner.checked.is_kept_in(folder.as_deref()) && looked_for == inner.checked.entry(&known.digest);
            Known { code: known.code.filter(|_| is_ours), ..known }
        });
        inner.checked.load(&name, bytes.into(), known)
    }
}

/// A file that has an end. What is none is not opened, since that may wait for somebody, or be an end for somebody.
fn regular(path: &Path) -> io::Result<File> {
    match path.metadata()?.is_file() {
        true => File::open(path),
        false => Err(io::ErrorKind::InvalidInput.into()),
    }
}
