//! The lines of source around a place, where the file is at hand.
//!
//! A module says which file that is, and a stranger's module says what it likes: a device that never ends, a key of the
//! user's, a file of a gigabyte. So only regular files are opened, of a bounded size, with an ending that sources have, and
//! that are, with all links followed, below the folder where the command runs or the package that the module is of.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use insula::printable_line;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

/// A longer file is not read.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// Characters of a line that are shown.
const LINE_CHARS_MAX: usize = 160;
/// Lines that are shown before the one that is meant, and after it.
const LINES_BEFORE: usize = 2;
const LINES_AFTER: usize = 1;
/// What the files of sources end in.
const ENDINGS: [&str; 14] = ["rs", "c", "cc", "cpp", "cxx", "h", "hpp", "zig", "go", "ts", "swift", "d", "nim", "odin"];

/// Where sources may be.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    /// Folders, with all links followed; the first that has a file counts. They are looked for when somebody wants them, as
    /// in few runs.
    roots: Arc<Roots>,
}

type Roots = LazyLock<Vec<PathBuf>, Box<dyn FnOnce() -> Vec<PathBuf> + Send>>;

/// A place in a file, as a module or a guest names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spot {
    pub(crate) file: String,
    /// From 1.
    pub(crate) line: u32,
    /// From 1; 0 where it is not known.
    pub(crate) column: u32,
}

impl From<insula::Spot> for Spot {
    fn from(insula::Spot { file, line, column, .. }: insula::Spot) -> Spot {
        Spot { file, line, column }
    }
}

impl Spot {
    /// `file:line:column`.
    pub(crate) fn parse(place: &str) -> Option<Spot> {
        let (rest, column) = place.rsplit_once(':')?;
        let (file, line) = rest.rsplit_once(':')?;
        Some(Spot { file: file.to_owned(), line: line.parse().ok()?, column: column.parse().ok()? })
    }

    /// `:line:column`.
    pub(crate) fn numbers(&self) -> String {
        match self.column {
            0 => format!(":{}", self.line),
            column => format!(":{}:{column}", self.line),
        }
    }
}

/// Some lines of source, one of them marked.
#[derive(Debug, PartialEq)]
pub(crate) struct Excerpt {
    /// The file's name, as it is shown.
    pub(crate) path: String,
    pub(crate) first_line: usize,
    pub(crate) text: String,
    /// What is marked of it, in bytes.
    pub(crate) marked: Range<usize>,
}

impl Sources {
    /// Those below the present folder, below the package or workspace whose target folder `module` is in, and below `folder`.
    pub(crate) fn around(module: &Path, folder: Option<&Path>) -> Sources {
        let (module, folder) = (module.to_owned(), folder.map(Path::to_owned));
        Sources::below(move || roots_around(&module, folder.as_deref()))
    }

    /// Looks for them now: they are the ones that are there before somebody writes there.
    pub(crate) fn found(self) -> Sources {
        LazyLock::force(&self.roots);
        self
    }

    fn below(roots: impl FnOnce() -> Vec<PathBuf> + Send + 'static) -> Sources {
        Sources { roots: Arc::new(LazyLock::new(Box::new(roots))) }
    }

    /// The lines around a spot; none where its file is not at hand, or has no such line.
    pub(crate) fn excerpt(&self, spot: &Spot) -> Option<Excerpt> {
        let file = self.roots.iter().find_map(|root| below(root, Path::new(&spot.file)))?;
        let text = read(&file)?;
        let line = usize::try_from(spot.line).ok().filter(|line| *line > 0)?;
        let first_line = line.saturating_sub(LINES_BEFORE).max(1);
        let lines: Vec<&str> = text.lines().skip(first_line - 1).take(line - first_line + 1 + LINES_AFTER).collect();
        let before = lines.get(..line - first_line)?;
        let meant = lines.get(line - first_line)?;
        let mut excerpt: String = before.iter().map(|line| shown(line) + "\n").collect();
        let marked = marked(meant, usize::try_from(spot.column).unwrap_or(0));
        let marked = excerpt.len() + marked.start..excerpt.len() + marked.end;
        excerpt.push_str(&shown(meant));
        lines[before.len() + 1..].iter().for_each(|line| excerpt.push_str(&format!("\n{}", shown(line))));
        let path = super::trap::cut(&self.shorten(&spot.file));
        Some(Excerpt { path, first_line, text: excerpt, marked })
    }

    /// A path without what is the same for all: the present folder, cargo's registry, the toolchain's sources.
    pub(crate) fn shorten(&self, path: &str) -> String {
        for root in self.roots.iter().filter_map(|root| root.to_str()) {
            if let Some(rest) = path.strip_prefix(root).and_then(|rest| rest.strip_prefix('/')) {
                return rest.to_owned();
            }
        }
        let after = |mark: &str| path.split_once(mark).map(|(_, rest)| rest);
        let in_registry = after("/registry/src/").and_then(|rest| rest.split_once('/')).map(|(_, rest)| rest);
        let in_checkout = after("/git/checkouts/");
        let in_library = path.starts_with("/rustc/").then(|| after("/library/")).flatten();
        in_registry.or(in_checkout).or(in_library).or(after("/rustlib/src/rust/library/")).unwrap_or(path).to_owned()
    }
}

fn roots_around(module: &Path, folder: Option<&Path>) -> Vec<PathBuf> {
    let here = std::env::current_dir().and_then(|folder| folder.canonicalize()).ok();
    let module = module.canonicalize().ok();
    let targets =
        module.iter().flat_map(|module| module.ancestors()).filter(|folder| folder.join("CACHEDIR.TAG").is_file());
    let package = targets.filter_map(Path::parent).find(|folder| folder.join("Cargo.toml").is_file());
    let folder = folder.and_then(|folder| folder.canonicalize().ok());
    let found = here.into_iter().chain(package.map(Path::to_owned)).chain(folder);
    let mut roots: Vec<PathBuf> = Vec::new();
    for root in found.filter(|root| root.parent().is_some()) {
        if !roots.contains(&root) {
            roots.push(root);
        }
    }
    roots
}

/// The file of this path, if it is a source that lies below `root`.
fn below(root: &Path, path: &Path) -> Option<PathBuf> {
    let is_source = path.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| ENDINGS.contains(&ending));
    let file = root.join(path).canonicalize().ok().filter(|_| is_source)?;
    let ending_stays = file.extension() == path.extension();
    (ending_stays && file.starts_with(root)).then_some(file)
}

/// The text of a regular file that is not too long. What it is is asked of the file that is open: of the path, it may be
/// another by then. Nor does opening wait, as for a pipe it would.
fn read(path: &Path) -> Option<String> {
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let file: File = OpenOptions::new().read(true).custom_flags(nonblocking).open(path).ok()?;
    let metadata = file.metadata().ok().filter(|metadata| metadata.is_file() && metadata.len() <= FILE_BYTES_MAX)?;
    let mut text = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    file.take(FILE_BYTES_MAX).read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// A line as it is shown.
fn shown(line: &str) -> String {
    let cut: String = line.trim_end().chars().take(LINE_CHARS_MAX).collect();
    printable_line(&cut.replace('\t', "    ")).into_owned()
}

/// What is marked of a line, in bytes of what is shown of it: the word at the column, or, where there is none, all but the
/// space before it.
fn marked(line: &str, column: usize) -> Range<usize> {
    let whole = shown(line);
    let prefix: String = line.chars().take(column.saturating_sub(1)).collect();
    let start = shown_prefix(&prefix);
    if column == 0 || start >= whole.len() || !whole.is_char_boundary(start) {
        return whole.len() - whole.trim_start().len()..whole.len();
    }
    let word =
        whole[start..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').map(char::len_utf8).sum::<usize>();
    let one = whole[start..].chars().next().map_or(0, char::len_utf8);
    start..start + word.max(one)
}

/// The length of the beginning of a line as it is shown.
fn shown_prefix(prefix: &str) -> usize {
    printable_line(&prefix.replace('\t', "    ")).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(file: &str, line: u32, column: u32) -> Spot {
        Spot::parse(&format!("{file}:{line}:{column}")).expect("it is a spot")
    }

    fn only_below(root: &Path) -> Sources {
        let roots = vec![root.to_owned()];
        Sources::below(|| roots)
    }

    /// A folder with a few files, gone with the test.
    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("insula-source-{name}-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("src")).expect("it can be made");
        folder.canonicalize().expect("it is there")
    }

    #[test]
    fn the_line_is_shown_with_those_around_it_and_the_word_is_marked() {
        let root = folder("lines");
        std::fs::write(root.join("src/a.rs"), "one\ntwo\n\tlet x = data[7];\nfour\nfive\n").expect("it can be written");
        let sources = only_below(&root);
        let excerpt = sources.excerpt(&at("src/a.rs", 3, 10)).expect("it is there");
        assert_eq!((excerpt.first_line, excerpt.text.as_str()), (1, "one\ntwo\n    let x = data[7];\nfour"));
        assert_eq!(&excerpt.text[excerpt.marked.clone()], "data");
        let excerpt = sources.excerpt(&at("src/a.rs", 1, 99)).expect("it is there");
        assert_eq!(&excerpt.text[excerpt.marked], "one", "beyond its end the line is marked");
        assert_eq!(sources.excerpt(&at("src/a.rs", 6, 1)), None);
        assert_eq!(sources.excerpt(&at("src/none.rs", 1, 1)), None);
        std::fs::remove_dir_all(root).expect("it is ours");
    }

    #[test]
    fn a_module_cannot_have_other_files_shown() {
        let root = folder("others");
        let outside = folder("outside");
        std::fs::write(outside.join("key.rs"), "secret\n").expect("it can be written");
        std::fs::write(root.join(".env"), "secret\n").expect("it can be written");
        std::os::unix::fs::symlink(outside.join("key.rs"), root.join("link.rs")).expect("it can be made");
        std::os::unix::fs::symlink(root.join(".env"), root.join("env.rs")).expect("it can be made");
        std::os::unix::fs::symlink("/dev/zero", root.join("zero.rs")).expect("it can be made");
        let fifo = std::process::Command::new("mkfifo").arg(root.join("src/pipe.rs")).status();
        assert!(fifo.is_ok_and(|status| status.success()));
        let long = File::create(root.join("long.rs")).expect("it can be made");
        long.set_len(FILE_BYTES_MAX + 1).expect("it can be that long");
        let sources = only_below(&root);
        let outside_file = outside.join("key.rs").display().to_string();
        let files =
            [".env", "env.rs", "link.rs", "zero.rs", "src/pipe.rs", "long.rs", "src", "/dev/stdin", &outside_file];
        for file in files.into_iter().chain(["../outside/key.rs", "/etc/passwd"]) {
            assert_eq!(sources.excerpt(&at(file, 1, 1)), None, "{file}");
        }
        std::fs::remove_dir_all(root).expect("it is ours");
        std::fs::remove_dir_all(outside).expect("it is ours");
    }

    #[test]
    fn paths_are_shortened_to_what_tells_them_apart() {
        let sources = only_below(Path::new("/me/app"));
        for (path, short) in [
            ("/me/app/src/main.rs", "src/main.rs"),
            ("/me/.cargo/registry/src/index.crates.io-1949/serde-1.0.0/src/lib.rs", "serde-1.0.0/src/lib.rs"),
            ("/rustc/abcdef/library/core/src/panicking.rs", "core/src/panicking.rs"),
            ("/me/other/src/main.rs", "/me/other/src/main.rs"),
            ("src/main.rs", "src/main.rs"),
        ] {
            assert_eq!(sources.shorten(path), short);
        }
    }

    #[test]
    fn what_a_source_says_is_escaped() {
        let line = "let \u{1b}[31m\u{202e} = 1;";
        assert!(!shown(line).contains(['\u{1b}', '\u{202e}']));
        let marked = marked(line, 11);
        assert!(marked.end <= shown(line).len());
    }
}
