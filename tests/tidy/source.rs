//! The text files of the repository.

use std::path::Path;
use std::sync::OnceLock;

use crate::harness::repository;

/// What is looked at: sources, prose, manifests, and the script without an ending.
const ENDINGS: [&str; 7] = [".rs", ".md", ".wit", ".toml", ".wat", ".yml", "/run"];

/// A text file.
pub(crate) struct Source {
    path: String,
    text: String,
}

impl Source {
    /// A file of this text, for tests of rules.
    #[cfg(test)]
    pub(crate) fn new(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    /// Its path from the root of the repository, with slashes.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// All of it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it lies below this folder, which ends in a slash.
    pub(crate) fn is_in(&self, folder: &str) -> bool {
        self.path.starts_with(folder)
    }

    /// Whether it is Rust.
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether it is written for people.
    pub(crate) fn is_prose(&self) -> bool {
        self.path.ends_with(".md") || self.path.ends_with(".wit")
    }

    /// Whether all of it is tests: in `tests/`, or the tests of a module in a file of their own.
    pub(crate) fn is_test(&self) -> bool {
        self.is_rust() && (self.is_in("tests/") || self.path.ends_with("/tests.rs") || self.path.contains("/tests/"))
    }

    /// A finding in a line, counted from 1.
    pub(crate) fn finding(&self, line: usize, what: impl std::fmt::Display) -> String {
        format!("{}:{line}: {what}", self.path)
    }
}

/// All of them, read once.
pub(crate) fn sources() -> &'static [Source] {
    static SOURCES: OnceLock<Vec<Source>> = OnceLock::new();
    SOURCES.get_or_init(|| {
        let mut found = Vec::new();
        walk(repository(), "", &mut found);
        found.sort_by(|one, other| one.path.cmp(&other.path));
        assert!(found.len() > 20, "the repository is not where the tests think it is");
        found
    })
}

/// Collects what lies in a folder, whose path from the root is `at`, empty or with a slash behind it.
fn walk(folder: &Path, at: &str, found: &mut Vec<Source>) {
    // Cargo marks a target directory with this, whatever its name is.
    if folder.join("CACHEDIR.TAG").exists() {
        return;
    }
    for entry in std::fs::read_dir(folder).expect("a folder of the repository can be read") {
        let entry = entry.expect("a folder of the repository can be read");
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{at}{name}");
        if entry.path().is_dir() {
            if !matches!(name.as_str(), ".git" | "target") {
                walk(&entry.path(), &format!("{path}/"), found);
            }
        } else if ENDINGS.iter().any(|ending| path.ends_with(ending)) {
            match std::fs::read_to_string(entry.path()) {
                Ok(text) => found.push(Source { path, text }),
                // An editor's lock file is a link to nowhere, and other files come and go too.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => panic!("{path}: {error}"),
            }
        }
    }
}
