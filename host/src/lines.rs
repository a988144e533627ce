//! From a place in a module's code to file, line and column: the module's own DWARF, read once, when somebody asks.
//!
//! DWARF is bytes of a stranger's. Written to hurt, a megabyte of it costs gigabytes or hours (a thousand units that
//! share one table of ranges), and a reader that descends by recursion, as addr2line does into inlined functions,
//! overflows our stack, which no `catch_unwind` holds. So this is a reader of our own over gimli's parsers: one pass,
//! no recursion, every list and text bounded, every step paid for out of a fixed sum (`dwarf.rs`). What does not parse,
//! or is too much, is left out; the answer is then poorer, never an error.
//!
//! The result is two tables: the rows of the line programs, and the *scopes*, which are functions and the functions
//! inlined into them. The addresses of wasm's DWARF count from the start of the code section's contents.

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use wasmparser::{Parser, Payload};

use crate::printable::printable_line;

mod dwarf;

/// A longer name or path is cut.
const TEXT_BYTES_MAX: usize = 1024;
/// How deep functions that were inlined into each other are told.
const PLACES_MAX: usize = 16;
/// Scopes that are looked at for one address. Compilers make few that overlap, and a stranger as many as he likes.
const SCOPES_LOOKED_AT_MAX: usize = 4_096;
/// No file, no name.
const NONE: u32 = u32::MAX;

/// Where the code of one module comes from.
#[derive(Debug)]
pub(crate) struct Lines {
    /// Where the code section's contents begin in the module, and how long they are.
    code: std::ops::Range<usize>,
    rows: Vec<Row>,
    /// By where they begin.
    scopes: Vec<Scope>,
    /// For each scope, how far it and those before it reach.
    reach: Vec<u32>,
    texts: Vec<String>,
}

/// Where code comes from: a function, and a spot in it. [`Module::places`](crate::Module::places) finds them.
///
/// Both are the module's own words. `Display` is one line, in which they are escaped.
///
/// ```
/// # fn tell(module: &insula::Module, frame: &insula::Frame) {
/// for place in module.places(frame) {
///     eprintln!("in {place}"); // in app::work at src/app.rs:7:13
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Place {
    /// The function, demangled.
    pub function: Option<String>,
    /// None where the compiler made the code up.
    pub spot: Option<Spot>,
}

/// A line of source. `Display` is `file:line:column`, without a column that is not known.
///
/// ```
/// # fn show(place: &insula::Place) {
/// if let Some(spot) = &place.spot {
///     println!("{} line {}", insula::printable_line(&spot.file), spot.line);
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Spot {
    /// The path as the compiler was given it.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1; 0 where it is not known.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable_line(self.function.as_deref().unwrap_or("?")))?;
        match &self.spot {
            Some(spot) => write!(f, " at {}", printable_line(&spot.to_string())),
            None => Ok(()),
        }
    }
}

/// The code from `address` to the next row's comes from `at`.
#[derive(Clone, Copy, Debug)]
struct Row {
    address: u32,
    at: Location,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Location {
    file: u32,
    line: u32,
    column: u32,
}

const NOWHERE: Location = Location { file: NONE, line: 0, column: 0 };

/// The code in `low..high` belongs to a function, at `call` inlined into the scope around it.
#[derive(Clone, Copy, Debug)]
struct Scope {
    low: u32,
    high: u32,
    depth: u32,
    name: u32,
    call: Location,
}

impl Lines {
    /// Reads a module's DWARF; none where it has none that can be used.
    pub(crate) fn parse(wasm: &[u8]) -> Option<Lines> {
        // gimli means not to panic on junk; if it does, this module has no lines, and that is all.
        catch_unwind(AssertUnwindSafe(|| parse(wasm))).ok().flatten()
    }

    /// Where the instruction at this offset in the module's bytes comes from, innermost function first: those that were
    /// inlined there, then the one that holds the code. Empty where nothing is known.
    pub(crate) fn find(&self, module_offset: u64) -> Vec<Place> {
        let offset = usize::try_from(module_offset).ok().filter(|offset| self.code.contains(offset));
        let Some(address) = offset.and_then(|offset| u32::try_from(offset - self.code.start).ok()) else {
            return Vec::new();
        };
        let begun = self.scopes.partition_point(|scope| scope.low <= address);
        let reaching = self.reach[..begun].iter().rev().take_while(|reach| **reach > address);
        let reaching = reaching.take(SCOPES_LOOKED_AT_MAX).count();
        let candidates = self.scopes[begun - reaching..begun].iter();
        let mut scopes: Vec<&Scope> = candidates.filter(|scope| address < scope.high).collect();
        scopes.sort_by_key(|scope| std::cmp::Reverse(scope.depth));
        let mut at = self.location(address);
        if scopes.is_empty() {
            let spot = self.spot(at);
            return spot.map(|spot| Place { function: None, spot: Some(spot) }).into_iter().collect();
        }
        let mut places = Vec::new();
        for scope in scopes.into_iter().take(PLACES_MAX) {
            places.push(Place { function: self.text(scope.name).map(demangled), spot: self.spot(at) });
            at = scope.call;
        }
        places
    }

    fn location(&self, address: u32) -> Location {
        let next = self.rows.partition_point(|row| row.address <= address);
        next.checked_sub(1).map_or(NOWHERE, |last| self.rows[last].at)
    }

    fn spot(&self, at: Location) -> Option<Spot> {
        let file = self.text(at.file)?.to_owned();
        (at.line != 0).then_some(Spot { file, line: at.line, column: at.column })
    }

    fn text(&self, index: u32) -> Option<&str> {
        self.texts.get(usize::try_from(index).ok()?).map(String::as_str)
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)?;
        if self.column != 0 {
            write!(f, ":{}", self.column)?;
        }
        Ok(())
    }
}

fn parse(wasm: &[u8]) -> Option<Lines> {
    let mut sections: HashMap<&str, &[u8]> = HashMap::new();
    let mut code = 0..0;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.ok()? {
            Payload::CodeSectionStart { range, .. } => code = range,
            Payload::CustomSection(section) if section.name().starts_with(".debug_") => {
                sections.insert(section.name(), section.data());
            }
            _ => {}
        }
    }
    let lines = Lines { code, rows: Vec::new(), scopes: Vec::new(), reach: Vec::new(), texts: Vec::new() };
    let mut lines = dwarf::read(|name| sections.get(name).copied().unwrap_or(&[]), lines)?;
    lines.scopes.sort_by_key(|scope| scope.low);
    let mut reach = 0;
    let further = |scope: &Scope| {
        reach = scope.high.max(reach);
        reach
    };
    lines.reach = lines.scopes.iter().map(further).collect();
    Some(lines).filter(|lines| !lines.rows.is_empty())
}

/// A mangled name as its author wrote it, and cut: a name of a kilobyte can mean one of a gigabyte.
pub(crate) fn demangled(name: &str) -> String {
    struct Cut(String);
    impl Write for Cut {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.push_str(text);
            if self.0.len() > TEXT_BYTES_MAX { Err(fmt::Error) } else { Ok(()) }
        }
    }
    let mut cut = Cut(String::new());
    if write!(cut, "{:#}", rustc_demangle::demangle(name)).is_err() {
        cut.0.truncate(cut.0.floor_char_boundary(TEXT_BYTES_MAX));
        cut.0.push('…');
    }
    cut.0
}

#[cfg(test)]
pub(crate) mod tests;
