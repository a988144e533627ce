//! Modules that a host offers to its isolates, by name. A guest never names a path.

use std::collections::HashMap;
use std::path::PathBuf;

use insula_wire::Status;
use tokio::sync::Semaphore;

use super::{Host, Inner};
use crate::isolate::Module;
use crate::sync::{Arc, Mutex};

/// Modules that are compiled at one time for guests that wait for them.
const COMPILING_MAX: usize = 2;

/// What is offered. A module is read when it is first asked for, and stays what it was then (semantics 2.6).
pub(super) struct Catalog {
    offered: Mutex<HashMap<String, Offer>>,
    folder: Option<PathBuf>,
    compiling: Arc<Semaphore>,
}

#[derive(Clone)]
enum Offer {
    Loaded(Module),
    File(PathBuf),
}

impl Catalog {
    pub(super) fn new(folder: Option<PathBuf>) -> Catalog {
        Catalog { offered: Mutex::default(), folder, compiling: Arc::new(Semaphore::new(COMPILING_MAX)) }
    }

    /// The module of this name, if it was asked for before or was there from the start.
    pub(super) fn loaded(&self, name: &str) -> Option<Module> {
        match self.offered.lock().get(name) {
            Some(Offer::Loaded(module)) => Some(module.clone()),
            Some(Offer::File(_)) | None => None,
        }
    }

    /// The file that a name stands for.
    fn file(&self, name: &str) -> Option<PathBuf> {
        if let Some(Offer::File(path)) = self.offered.lock().get(name) {
            return Some(path.clone());
        }
        let folder = self.folder.as_ref().filter(|_| is_plain(name))?;
        let files = ["wasm", "wat"].map(|extension| folder.join(format!("{name}.{extension}")));
        files.into_iter().find(|file| file.is_file())
    }
}

/// A name that stays in its folder.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && !name.starts_with('.') && name.chars().all(plain)
}

impl Inner {
    pub(super) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Has the module of this name ready to be spawned, compiled off the threads that run guests.
    pub(super) async fn fetch(self: &Arc<Inner>, name: String) -> Result<(), (String, Status)> {
        if self.catalog.loaded(&name).is_some() {
            return Ok(());
        }
        let closed = || ("the host is shut down".to_owned(), Status::Closed);
        let permit = Arc::clone(&self.catalog.compiling).acquire_owned().await.map_err(|_| closed())?;
        if self.catalog.loaded(&name).is_some() {
            return Ok(());
        }
        let host = Arc::clone(self);
        let tasks = self.tasks().map_err(|none| {
            let refused = self.not_without(none);
            (refused.to_string(), refused.status())
        })?;
        let read = tasks.spawn_blocking(move || {
            // Held until it is compiled, also where nobody waits any more.
            let _permit = permit;
            let none = || (format!("there is no module `{name}` here"), Status::NotFound);
            let file = host.catalog.file(&name).ok_or_else(none)?;
            let module = host.load_file(&file).map_err(|error| (error.to_string(), Status::Invalid))?;
            host.catalog
                .offered
                .lock()
                .entry(name)
                .and_modify(|offer| offer.load(&module))
                .or_insert(Offer::Loaded(module));
            Ok(())
        });
        read.await.unwrap_or_else(|_| Err(closed()))
    }
}

impl Offer {
    /// A file that was read; what was loaded meanwhile stays.
    fn load(&mut self, module: &Module) {
        if let Offer::File(_) = self {
            *self = Offer::Loaded(module.clone());
        }
    }
}

impl Host {
    /// Offers a module to the isolates of this host, under a name: those that were given
    /// [`Grant::module`](crate::Grant::module) for it, or [`Grant::modules`](crate::Grant::modules), can spawn it.
    ///
    /// The last offer of a name counts.
    pub fn offer(&self, name: impl Into<String>, module: &Module) {
        self.inner().catalog.offered.lock().insert(name.into(), Offer::Loaded(module.clone()));
    }

    /// As [`Host::offer`], of a file that is read and compiled when it is first asked for.
    pub fn offer_file(&self, name: impl Into<String>, path: impl Into<PathBuf>) {
        self.inner().catalog.offered.lock().insert(name.into(), Offer::File(path.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_path() {
        for name in ["", ".", "..", ".hidden", "a/b", "../a", "a\\b", "/etc/passwd", "a\0", "c:x"] {
            assert!(!is_plain(name), "{name:?}");
        }
        assert!(is_plain("worker-2.v1") && is_plain("straße"));
    }
}
