//! What a program is made from, and who says that it changed.
//!
//! Of a module that is a file, that file. Of a package, what cargo says it read for the last build, the manifests, and
//! all Rust files of the packages that are here: one that is new is in no dependency file yet. Nothing else counts, or a
//! program that writes into its own package would be started again by what it wrote.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use crate::cli::report;
use crate::cli::target::Target;

/// Files that say how a package is built.
const MANIFESTS: [&str; 4] = ["Cargo.toml", "Cargo.lock", "rust-toolchain", "rust-toolchain.toml"];

/// What a program is made from.
#[derive(Debug, Default)]
pub(super) struct Sources {
    files: BTreeSet<PathBuf>,
    /// Folders whose Rust files and manifests count, with all below them.
    packages: BTreeSet<PathBuf>,
    /// Where cargo writes.
    built: BTreeSet<PathBuf>,
}

impl Sources {
    /// Of these targets; what cargo read for them, if it built these modules of them.
    pub(super) fn of<'a>(targets: &[Target], modules: impl IntoIterator<Item = &'a Path>) -> Sources {
        let mut sources = Sources::default();
        for target in targets {
            match target {
                Target::Module(path) => sources.files.extend(placed(path)),
                Target::Program(program) => match program.workspace() {
                    Ok(workspace) => {
                        sources.packages.extend(workspace.packages);
                        sources.built.insert(workspace.target);
                        sources.files.extend(MANIFESTS.iter().map(|name| workspace.root.join(name)));
                    }
                    // Its manifest is being written; the build will say what is wrong with it.
                    Err(_) => sources.packages.extend([program.folder().to_owned()]),
                },
            }
        }
        for module in modules {
            if let Ok(text) = std::fs::read_to_string(module.with_extension("d")) {
                sources.files.extend(read_by_cargo(&text));
            }
        }
        sources
    }

    /// Whether what happened at this path makes it another program.
    fn concerns(&self, path: &Path) -> bool {
        if self.files.contains(path) {
            return true;
        }
        let counts = path.extension().is_some_and(|extension| extension == "rs")
            || path.file_name().is_some_and(|name| MANIFESTS.iter().any(|manifest| name == *manifest));
        counts && self.is_in_a_package(path)
    }

    /// Whether the path is in one of the packages, and not in what is hidden or built there. A package may itself lie where
    /// cargo builds, as one that is made for a test does where the environment names that folder.
    fn is_in_a_package(&self, path: &Path) -> bool {
        let is_hidden = |path: &Path| path.iter().any(|step| step.as_encoded_bytes().starts_with(b"."));
        let is_built =
            |package: &Path| self.built.iter().any(|built| path.starts_with(built) && !package.starts_with(built));
        self.packages
            .iter()
            .any(|package| path.strip_prefix(package).is_ok_and(|inside| !is_hidden(inside)) && !is_built(package))
    }

    /// The folders to be watched, each without what is below it.
    fn folders(&self) -> BTreeSet<PathBuf> {
        let mut folders: BTreeSet<PathBuf> =
            self.files.iter().filter_map(|file| Some(file.parent()?.to_owned())).collect();
        let mut left: Vec<PathBuf> = self.packages.iter().cloned().collect();
        while let Some(folder) = left.pop() {
            let Ok(entries) = folder.read_dir() else { continue };
            let below = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            left.extend(below.map(|entry| entry.path()).filter(|path| self.is_in_a_package(path) && !is_cache(path)));
            folders.insert(folder);
        }
        folders
    }
}

/// Has a watched file or folder tell of what happens there.
pub(super) struct Watcher {
    watcher: RecommendedWatcher,
    sources: Arc<Mutex<Sources>>,
    watched: BTreeSet<PathBuf>,
}

impl Watcher {
    /// Calls `changed`, on a thread of its own, whenever something happens that concerns the sources.
    pub(super) fn new(changed: impl Fn() + Send + 'static) -> Result<Watcher> {
        let sources = Arc::new(Mutex::new(Sources::default()));
        let asked = Arc::clone(&sources);
        let told = move |event: notify::Result<Event>| {
            // What could not be read, as when too much happened at once, may be a change.
            let is_change = event.as_ref().map_or(true, |event| {
                let sources = asked.lock().unwrap_or_else(PoisonError::into_inner);
                is_change(event, &sources)
            });
            if is_change {
                changed();
            }
        };
        let watcher = notify::recommended_watcher(told).context("cannot watch files")?;
        Ok(Watcher { watcher, sources, watched: BTreeSet::new() })
    }

    /// From now on these sources are watched.
    pub(super) fn watch(&mut self, sources: Sources) {
        let folders = sources.folders();
        *self.sources.lock().unwrap_or_else(PoisonError::into_inner) = sources;
        let gone: Vec<PathBuf> = self.watched.difference(&folders).cloned().collect();
        for folder in gone {
            // Who deleted it has it watched no more already.
            let _ = self.watcher.unwatch(&folder);
            self.watched.remove(&folder);
        }
        for folder in folders {
            if self.watched.contains(&folder) {
                continue;
            }
            match self.watcher.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => drop(self.watched.insert(folder)),
                Err(_) if !folder.exists() => {}
                Err(error) => report::note(&format!("cannot watch {}: {error}", report::path(&folder))),
            }
        }
    }
}

/// Whether somebody wrote, moved or removed what concerns these sources; reading is none of it, cargo does that too.
fn is_change(event: &Event, sources: &Sources) -> bool {
    match event.kind {
        EventKind::Create(CreateKind::Folder) => event.paths.iter().any(|path| sources.is_in_a_package(path)),
        EventKind::Create(_)
        | EventKind::Remove(_)
        | EventKind::Modify(ModifyKind::Any | ModifyKind::Data(_) | ModifyKind::Name(_) | ModifyKind::Other)
        | EventKind::Access(AccessKind::Close(AccessMode::Write)) => {
            event.paths.iter().any(|path| sources.concerns(path))
        }
        EventKind::Any | EventKind::Other => true,
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)) => false,
    }
}

/// The file at its place, by the name that its folder has, whatever a link of that name leads to.
fn placed(path: &Path) -> Option<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(folder.canonicalize().ok()?.join(path.file_name()?))
}

/// Whether a folder says of itself that it can be made again, as cargo's target directories do.
fn is_cache(folder: &Path) -> bool {
    folder.join("CACHEDIR.TAG").is_file()
}

/// What a dependency file of cargo's names behind the colon; a space in a name is written with a backslash before it.
fn read_by_cargo(text: &str) -> Vec<PathBuf> {
    let lists = text.lines().filter_map(|line| line.split_once(": ")).map(|(_, list)| list);
    let mut files = Vec::new();
    for list in lists {
        let mut name = String::new();
        for word in list.split(' ') {
            match word.strip_suffix('\\') {
                Some(start) => name.extend([start, " "]),
                None => {
                    name.push_str(word);
                    files.extend((!name.is_empty()).then(|| PathBuf::from(std::mem::take(&mut name))));
                }
            }
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> Sources {
        let set = |paths: &[&str]| paths.iter().map(PathBuf::from).collect();
        Sources { files: set(&["/w/data.txt", "/m/app.wasm"]), packages: set(&["/w/p"]), built: set(&["/w/p/target"]) }
    }

    #[test]
    fn rust_files_manifests_and_what_cargo_read_count() {
        let sources = sources();
        for path in ["/w/data.txt", "/m/app.wasm", "/w/p/src/new.rs", "/w/p/Cargo.toml", "/w/p/build.rs"] {
            assert!(sources.concerns(Path::new(path)), "{path}");
        }
        for path in ["/w/p/out.txt", "/w/p/target/x/build/out.rs", "/w/p/.git/x.rs", "/m/other.wasm", "/w/q/src/a.rs"] {
            assert!(!sources.concerns(Path::new(path)), "{path}");
        }
    }

    #[test]
    fn a_package_that_lies_where_cargo_builds_counts() {
        let [packages, built] = ["/t/tmp/p", "/t"].map(|path| BTreeSet::from([PathBuf::from(path)]));
        let sources = Sources { packages, built, ..Sources::default() };
        assert!(sources.concerns(Path::new("/t/tmp/p/src/main.rs")));
        assert!(!sources.concerns(Path::new("/t/debug/build/out.rs")));
    }

    #[test]
    fn who_only_reads_changes_nothing() {
        let event = |kind, path: &str| Event::new(kind).add_path(path.into());
        let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
        assert!(is_change(&event(written, "/m/app.wasm"), &sources()));
        assert!(is_change(&event(EventKind::Create(CreateKind::Folder), "/w/p/src/part"), &sources()));
        assert!(!is_change(&event(EventKind::Create(CreateKind::Folder), "/w/p/target/part"), &sources()));
        let opened = EventKind::Access(AccessKind::Open(AccessMode::Any));
        assert!(!is_change(&event(opened, "/m/app.wasm"), &sources()));
        let read = EventKind::Access(AccessKind::Close(AccessMode::Read));
        assert!(!is_change(&event(read, "/m/app.wasm"), &sources()));
    }

    #[test]
    fn a_dependency_file_is_read_with_spaces_in_names() {
        let text = "/t/app.wasm: /p/src/main.rs /p/with\\ a\\ space.rs /p/Cargo.toml\n\n/p/src/main.rs:\n";
        let files = ["/p/src/main.rs", "/p/with a space.rs", "/p/Cargo.toml"].map(PathBuf::from);
        assert_eq!(read_by_cargo(text), files);
    }
}
