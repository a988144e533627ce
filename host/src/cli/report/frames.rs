//! Frames for a reader: the functions of the program, with file and line; those around them folded unless all are asked for.

use std::fmt::Write as _;

use insula::{Exit, Frame, Module, Uncaught};
use serde::{Deserialize, Serialize};

use super::source::Spot;
use super::trap::{Shown, cut};

/// Which frames are shown.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backtrace {
    /// Those of the program; the standard library's and the SDK's are counted.
    Short,
    /// All of them, with paths as the compiler had them.
    Full,
}

impl Backtrace {
    /// What was asked for, or what `RUST_BACKTRACE` says.
    pub(crate) fn or_environment(asked: Option<Backtrace>) -> Backtrace {
        asked.unwrap_or_else(|| match std::env::var_os("RUST_BACKTRACE") {
            Some(value) if value == "full" => Backtrace::Full,
            _ => Backtrace::Short,
        })
    }
}

/// Frames that are shown, at most: of those that a stranger makes, each can be many lines.
const FRAMES_MAX: usize = 64;

/// A frame, and where in the sources it is: functions that were inlined there first, then the one that holds the code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Placed {
    #[serde(flatten)]
    frame: Frame,
    places: Vec<Place>,
}

/// A function, and a spot in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Place {
    function: Option<String>,
    spot: Option<Spot>,
}

/// The frames with what their module knows of them.
pub(super) fn placed(frames: &[Frame], module: Option<&Module>) -> Vec<Placed> {
    let place = |place: insula::Place| Place { function: place.function, spot: place.spot.map(Spot::from) };
    let places = |frame: &Frame| module.map(|module| module.places(frame)).unwrap_or_default();
    let placed =
        |frame: &Frame| Placed { frame: frame.clone(), places: places(frame).into_iter().map(place).collect() };
    frames.iter().map(placed).collect()
}

/// The stack of an isolate that failed.
#[derive(Debug)]
pub(crate) struct Trace {
    lines: Vec<Line>,
    folded: usize,
    /// Whether the module says of any frame where it comes from.
    pub(crate) has_lines: bool,
}

/// A function that was entered.
#[derive(Debug)]
struct Line {
    function: String,
    spot: Option<Spot>,
    shown_spot: String,
}

impl Trace {
    /// Where the place is known (`is_placed`), and all frames are of libraries, none of them is of use.
    pub(crate) fn of(uncaught: &Uncaught, is_placed: bool, shown: &Shown) -> Trace {
        let frames = uncaught.exit.as_ref().map_or(&[][..], Exit::frames);
        Trace::of_frames(&placed(frames, uncaught.module.as_ref()), is_placed, shown)
    }

    /// The same of any frames.
    pub(super) fn of_frames(frames: &[Placed], is_placed: bool, shown: &Shown) -> Trace {
        let all = lines(frames, shown);
        let has_lines = all.iter().any(|(line, _)| line.spot.is_some());
        let total = all.len();
        let is_beneath = all.iter().all(|(_, is_program)| !is_program);
        let is_full = shown.backtrace == Backtrace::Full || (is_beneath && !is_placed);
        let mut lines: Vec<Line> =
            all.into_iter().filter(|(_, is_program)| is_full || *is_program).map(|(line, _)| line).collect();
        lines.truncate(FRAMES_MAX);
        Trace { folded: total - lines.len(), lines, has_lines }
    }

    /// Whether there are frames at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.folded == 0
    }

    /// Where the innermost of those that are shown is.
    pub(crate) fn innermost(&self) -> Option<Spot> {
        self.lines.iter().find_map(|line| line.spot.clone())
    }

    /// The frames as a block; none where there are none.
    pub(crate) fn text(&self) -> Option<String> {
        if self.is_empty() {
            return None;
        }
        if self.lines.is_empty() {
            return Some(format!("its {} frames are of libraries; --backtrace full shows them", self.folded));
        }
        let mut text = "frames, innermost first:".to_owned();
        let mut at = 0;
        // One that calls itself without an end is one line.
        for same in self.lines.chunk_by(|one, next| one.function == next.function && one.spot == next.spot) {
            let _ = write!(text, "\n{at:>3}: {}", same[0].function);
            if same.len() > 1 {
                let _ = write!(text, " ({} times)", same.len());
            }
            if same[0].spot.is_some() {
                let _ = write!(text, "\n       at {}", same[0].shown_spot);
            }
            at += same.len();
        }
        if self.folded > 0 {
            let s = if self.folded == 1 { "" } else { "s" };
            let _ = write!(text, "\n({} frame{s} of libraries left out; --backtrace full shows all)", self.folded);
        }
        Some(text)
    }
}

/// Where in its own code a guest spawned, in a few words.
pub(super) fn spawned_at(frames: &[Frame], module: &Module, shown: &Shown) -> Option<String> {
    let lines = lines(&placed(frames, Some(module)), shown);
    let (line, _) = lines.iter().find(|(_, is_program)| *is_program)?;
    let place = if line.spot.is_some() { format!(" at {}", line.shown_spot) } else { String::new() };
    Some(format!("in {}{place}", line.function))
}

/// The functions of these frames, inlined ones among them, and whether each is the program's own.
fn lines(frames: &[Placed], shown: &Shown) -> Vec<(Line, bool)> {
    let mut lines = Vec::new();
    for Placed { frame, places } in frames {
        if places.is_empty() {
            let named = frame.function.as_deref();
            let function = cut(&frame.to_string());
            lines.push((Line { function, spot: None, shown_spot: String::new() }, is_program(named, None)));
        }
        let holder = places.len().saturating_sub(1);
        for (at, Place { function, spot }) in places.iter().enumerate() {
            // Of the function that holds the code, its symbol says more than what may be left of the debug information.
            let function = frame.function.as_ref().filter(|_| at == holder).or(function.as_ref());
            let spot = spot.clone();
            let is_program = is_program(function.map(String::as_str), spot.as_ref());
            let function = cut(function.map_or("?", String::as_str));
            let shown_spot = spot.as_ref().map(|spot| shown_spot(spot, shown)).unwrap_or_default();
            lines.push((Line { function, spot, shown_spot }, is_program));
        }
    }
    lines
}

fn shown_spot(spot: &Spot, shown: &Shown) -> String {
    let file = match shown.backtrace {
        Backtrace::Full => spot.file.clone(),
        Backtrace::Short => shown.sources.shorten(&spot.file),
    };
    cut(&file) + &spot.numbers()
}

/// Crates that are beneath every program.
const BENEATH: [&str; 9] =
    ["std", "core", "alloc", "test", "panic_abort", "insula_guest", "insula_wire", "wasi", "dlmalloc"];

/// Functions of the linker's, the C library's and the compiler's.
const STARTS: [&str; 11] = [
    "_start",
    "_start.command_export",
    "__main_void",
    "__original_main",
    "main",
    "insula_loop",
    "insula_entry",
    "rust_panic",
    "__rustc",
    "abort",
    "rust_begin_unwind",
];

/// Whether a function is the program's own: neither of a library beneath every program, nor made by tools.
fn is_program(function: Option<&str>, spot: Option<&Spot>) -> bool {
    if spot.is_some_and(|spot| is_of_the_toolchain(&spot.file)) {
        return false;
    }
    let Some(name) = function else { return true };
    let name = name.trim_start_matches(['<', '&']).trim_start_matches("mut ").trim_start_matches("dyn ");
    let first = name.split("::").next().unwrap_or(name).split('[').next().unwrap_or(name);
    let is_beneath = BENEATH.contains(&first) && name.contains("::");
    !is_beneath && !STARTS.contains(&first) && !first.starts_with("__rust") && !first.starts_with("__wasm")
}

/// Whether a file is of the standard library, by where its builds and its installed sources are.
fn is_of_the_toolchain(file: &str) -> bool {
    let in_library = file.strip_prefix("library/").and_then(|rest| rest.split_once("/src/"));
    file.starts_with("/rustc/")
        || file.contains("/rustlib/src/rust/library/")
        || in_library.is_some_and(|(package, _)| BENEATH.contains(&package))
}

/// The last part of a path.
pub(crate) fn file_name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beneath_every_program_is_told_from_it() {
        for name in [
            "std::rt::lang_start::{{closure}}",
            "<alloc::vec::Vec<T> as core::ops::index::Index<I>>::index",
            "core::ops::function::FnOnce::call_once",
            "_start",
            "main",
            "__rust_start_panic",
            "__rustc[d9b87f19e823c0ef]::rust_panic",
            "insula_guest::spawn::entry",
        ] {
            assert!(!is_program(Some(name), None), "{name}");
        }
        for name in ["app::main", "<app::Worker as core::fmt::Debug>::fmt", "deep", "std", "main_loop", "stdx::f"] {
            assert!(is_program(Some(name), None), "{name}");
        }
        assert!(is_program(None, None), "a function without a name may be anybody's");
    }
}
