//! A module that is read while its host is made, where the host is told which file it will load.
//!
//! To find its code in the cache takes about as long as to make the rest of a host, and a thread does so meanwhile. The name
//! of the code is a digest of the module, which is read while that thread begins.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Builder;

use super::loading::read_open;
use crate::cache::{Authentic, Cache, EntryName};
use crate::compile::Digest;
use crate::engine::Trial;
use crate::module::{Known, binary_digest};
use crate::stdio::Sink;
use crate::sync::{Arc, Mutex};

/// A file that was read, and what is found of it.
pub(super) struct Ahead(Mutex<Option<Read>>);

/// A thread that looks into the cache when it is told for what, and is standard output's then.
pub(super) struct Seeker {
    names: Sender<EntryName>,
    finds: Receiver<Option<Authentic>>,
}

/// A file that was read before it is loaded.
struct Read {
    path: PathBuf,
    bytes: Vec<u8>,
    length: u64,
    /// Of a module in its binary form.
    digest: Option<Digest>,
    finds: Option<Receiver<Option<Authentic>>>,
}

/// The same, with what was found.
pub(super) struct Found {
    pub(super) bytes: Vec<u8>,
    /// Bytes of the file.
    pub(super) length: u64,
    pub(super) known: Option<Known>,
}

impl Seeker {
    /// One that has its thread, if the system gives one: else whoever loads the module looks into the cache.
    pub(super) fn of(cache: &Arc<Cache>, stdout: &Sink) -> Option<Seeker> {
        let ((names, named), (found, finds)) = (channel::<EntryName>(), channel());
        let (cache, stdout) = (Arc::clone(cache), stdout.clone());
        let seeks = move || {
            cache.prepare();
            if let Ok(name) = named.recv() {
                // Where nobody wants it any more, it is nothing to anybody.
                drop(found.send(cache.find(&name)));
                drop(cache);
                // It is not loaded yet, and will print something.
                stdout.serve();
            }
        };
        Builder::new().name("insula-stdout".to_owned()).spawn(seeks).ok()?;
        Some(Seeker { names, finds })
    }

    fn seek(self, name: EntryName) -> Receiver<Option<Authentic>> {
        // Who has ended finds nothing.
        let _ = self.names.send(name);
        self.finds
    }
}

impl Ahead {
    /// Nothing was read.
    pub(super) fn none() -> Ahead {
        Ahead(Mutex::default())
    }

    /// Reads the file, and has its code looked for that is made so. One that may have no end is not read before it
    /// is loaded, and what is wrong with another is said then.
    pub(super) fn read(path: &Path, bytes_max: u64, trial: &Trial, seeker: Option<Seeker>) -> Ahead {
        let read = regular(path).and_then(|file| read_open(file, bytes_max));
        let Ok((bytes, length)) = read else { return Ahead::none() };
        let digest = binary_digest(&bytes);
        let finds = seeker.zip(digest).map(|(seeker, digest)| seeker.seek(EntryName::of(trial, &digest)));
        Ahead(Mutex::new(Some(Read { path: path.to_owned(), bytes, length, digest, finds })))
    }

    /// What was found of the file at this path, once. Waits for it.
    pub(super) fn take(&self, path: &Path) -> Option<Found> {
        let Read { bytes, length, digest, finds, .. } = self.0.lock().take_if(|read| read.path == path)?;
        let code = finds.and_then(|finds| finds.recv().ok()?);
        Some(Found { bytes, length, known: digest.map(|digest| Known { digest, code }) })
    }
}

/// A file that has an end. What is none is not opened, since that may wait for somebody, or be an end for somebody.
fn regular(path: &Path) -> io::Result<File> {
    match path.metadata()?.is_file() {
        true => File::open(path),
        false => Err(io::ErrorKind::InvalidInput.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Kind, first_engine};

    #[test]
    fn what_is_kept_of_a_file_is_found_by_the_thread() {
        let folder = std::env::temp_dir().join(format!("insula-ahead-{}", std::process::id()));
        let trial = Trial::of(Kind::Checked, 64 << 10);
        let wasm = wat::parse_str("(module)").unwrap();
        let (digest, path) = (binary_digest(&wasm).unwrap(), folder.join("module.wasm"));
        let cache = Arc::new(Cache::open(folder.join("cache")));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(&path, &wasm).unwrap();
        let found = || {
            let ahead = Ahead::read(&path, 1 << 20, &trial, Seeker::of(&cache, &Sink::null()));
            assert!(ahead.take(&folder).is_none(), "it is for that path");
            let found = ahead.take(&path).unwrap();
            assert!(ahead.take(&path).is_none(), "it is taken once");
            assert_eq!((found.bytes, found.length), (wasm.clone(), wasm.len() as u64));
            found.known.unwrap()
        };
        assert!(found().code.is_none());
        let engine = first_engine(trial.kind, &trial.shape).unwrap();
        cache.store(&EntryName::of(&trial, &digest), &wasmtime::Module::new(&engine, &wasm).unwrap());
        let known = found();
        assert!(known.digest == digest && known.code.is_some_and(|code| code.load(&engine).is_some()));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
