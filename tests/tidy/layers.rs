//! The layers of the host, as ARCHITECTURE.md's table states them.
//!
//! The table is the rule: a line for each module, from the top down; a module imports only modules below it, and names
//! only the crates of its line. Reading it from the document keeps the document true.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Source, sources};
use super::{blank, uses};

/// Crates that every layer may name.
const EVERYWHERE: [&str; 4] = ["insula_wire", "serde", "thiserror", "postcard"];

/// What layer 2 does without: whatever a seed could not decide, and locks that loom could not see.
const IMPURE: [&str; 8] = ["thread", "sync", "net", "fs", "process", "env", "io", "os"];

/// A module's line in the table.
struct Line {
    layer: u32,
    module: String,
    crates: Vec<String>,
}

/// The table, and what it is held against.
pub(super) struct Layers {
    /// From the top down.
    lines: Vec<Line>,
    /// The crates that the host depends on.
    crates: BTreeSet<String>,
    /// Items that the crate's root exports, and the modules that they are from.
    exports: BTreeMap<String, String>,
}

impl Layers {
    /// As the repository has them.
    pub(super) fn of_repository() -> Layers {
        let text = |path| sources().iter().find(|source| source.path() == path).map_or("", Source::text);
        Layers::new(text("ARCHITECTURE.md"), text("host/Cargo.toml"), text("host/src/lib.rs"))
    }

    fn new(architecture: &str, manifest: &str, root: &str) -> Layers {
        let lines: Vec<Line> = architecture.lines().filter_map(table_line).collect();
        assert!(!lines.is_empty(), "ARCHITECTURE.md has no table of layers");
        let exports = uses::paths(&blank::code(root)).into_iter().map(|path| path.segments);
        let exports =
            exports.filter_map(|path| Some((path.last()?.clone(), path.iter().find(|name| *name != "crate")?.clone())));
        Layers { lines, crates: dependencies(manifest), exports: exports.collect() }
    }

    /// A module imports only modules below it.
    pub(super) fn directions(&self, source: &Source) -> Vec<String> {
        let Some((from, code)) = self.subject(source) else { return vec![] };
        let mut findings = Vec::new();
        for path in uses::paths(&code) {
            let Some(name) = crate_level(source, &path.segments) else { continue };
            let module = self.exports.get(name).filter(|_| self.rank(name).is_none()).map_or(name, String::as_str);
            let Some(to) = self.rank(module) else { continue };
            if to < from {
                let what = format!("{} is above {}: imports point down", module, self.lines[from].module);
                findings.push(source.finding(blank::line(&code, path.at), what));
            }
        }
        findings.dedup(); // a tree of imports is one finding
        findings
    }

    /// A module names only the crates of its line.
    pub(super) fn crates(&self, source: &Source) -> Vec<String> {
        let Some((from, code)) = self.subject(source) else { return vec![] };
        let line = &self.lines[from];
        let allowed = |name: &str| EVERYWHERE.contains(&name) || line.crates.iter().any(|allowed| allowed == name);
        let paths = uses::paths(&code);
        let named = paths.iter().map(|path| (path.at, path.segments[0].as_str()));
        let wrong = named.filter(|(_, name)| self.crates.contains(*name) && !allowed(name));
        wrong
            .map(|(at, name)| source.finding(blank::line(&code, at), format!("{} does not name {name}", line.module)))
            .collect()
    }

    /// Every module has a line.
    pub(super) fn is_listed(&self, source: &Source) -> Vec<String> {
        match module(source) {
            Some(module) if self.rank(module).is_none() => {
                vec![source.finding(1, format!("{module} is not in ARCHITECTURE.md's table of layers"))]
            }
            _ => vec![],
        }
    }

    /// Layer 2 knows no clock, no thread, and no lock but those of `crate::sync`.
    pub(super) fn pure(&self, source: &Source) -> Vec<String> {
        let Some((from, code)) = self.subject(source) else { return vec![] };
        if self.lines[from].layer != 2 {
            return vec![];
        }
        let paths = uses::paths(&code);
        let impure = paths.iter().filter(|path| {
            let segments: Vec<&str> = path.segments.iter().map(String::as_str).collect();
            match &segments[..] {
                ["std" | "alloc", module, ..] if IMPURE.contains(module) => true,
                ["std", "time", item, ..] => *item != "Duration",
                _ => false,
            }
        });
        impure
            .map(|path| source.finding(blank::line(&code, path.at), format!("{} in layer 2", path.segments.join("::"))))
            .collect()
    }

    /// Every line has a module.
    fn without_a_file(&self, sources: &[Source]) -> Vec<&str> {
        let modules: BTreeSet<&str> =
            sources.iter().filter(|source| source.is_in("host/src/")).filter_map(module).collect();
        self.lines.iter().map(|line| line.module.as_str()).filter(|name| !modules.contains(name)).collect()
    }

    /// The module that a file belongs to, as its place in the table, and its code without tests.
    fn subject(&self, source: &Source) -> Option<(usize, String)> {
        let rank = self.rank(module(source)?)?;
        (!source.is_test()).then(|| (rank, blank::tests(&blank::code(source.text()))))
    }

    /// A module's place in the table, counted from the top.
    fn rank(&self, module: &str) -> Option<usize> {
        self.lines.iter().position(|line| line.module == module)
    }
}

/// A line of the table: `| layer | module | what it is | crates |`.
fn table_line(line: &str) -> Option<Line> {
    let cells: Vec<&str> = line.trim().strip_prefix('|')?.split('|').map(str::trim).collect();
    let [layer, module, _, crates, ..] = &cells[..] else { return None };
    Some(Line { layer: layer.parse().ok()?, module: ticked(module).next()?, crates: ticked(crates).collect() })
}

/// What a cell has between backticks, as identifiers.
fn ticked(cell: &str) -> impl Iterator<Item = String> + '_ {
    cell.split('`').skip(1).step_by(2).map(|name| name.trim_end_matches('/').replace('-', "_"))
}

/// The crates in a manifest's `[dependencies]`.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let lines = manifest.lines().skip_while(|line| *line != "[dependencies]").skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    let names = lines
        .filter_map(|line| line.split(['=', '.', ' ']).next())
        .filter(|name| !name.is_empty() && !name.starts_with('#'));
    names.map(|name| name.replace('-', "_")).collect()
}

/// The module at the crate's root that a file belongs to; the root itself is none.
fn module(source: &Source) -> Option<&str> {
    let (name, _) = source.path().strip_prefix("host/src/")?.split_once(['/', '.'])?;
    (name != "lib").then_some(name)
}

/// The name at the crate's root that a path of this file begins with, if it begins there.
fn crate_level<'a>(source: &Source, segments: &'a [String]) -> Option<&'a str> {
    let ups = segments.iter().take_while(|segment| *segment == "super").count();
    let inside = source.path().trim_start_matches("host/src/").trim_end_matches(".rs").trim_end_matches("/mod");
    let reaches_root = segments[0] == "crate" || ups > inside.matches('/').count();
    let name = segments.get(ups.max(1)).filter(|_| reaches_root)?;
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "| layer | module | what | crates |\n|---|---|---|---|\n| 4 | `abi/` | x | `wasmtime` |\n\
                         | 2 | `control` | x | |\n| 2 | `port/` | x | |\n| 1 | `sync` | x | |\n";
    const MANIFEST: &str =
        "[dependencies]\nwasmtime = 1\nserde.workspace = true\n# x\ntokio-util = { version = 1 }\n[lints]\nx = 1\n";
    const ROOT: &str = "mod abi;\npub use abi::State;\npub use crate::port::{Mailbox};\n";

    fn source(path: &str, text: &str) -> Source {
        Source::new(&format!("host/src/{path}"), text)
    }

    fn layers() -> Layers {
        Layers::new(TABLE, MANIFEST, ROOT)
    }

    #[test]
    fn an_import_that_points_up_is_found() {
        let up = ["host/src/port/mailbox.rs:2: control is above port: imports point down"];
        assert_eq!(layers().directions(&source("port/mailbox.rs", "\nuse crate::{sync::A, control};")), up);
        assert_eq!(layers().directions(&source("port/mailbox.rs", "\nfn a() -> super::super::control::B {}")), up);
        assert_eq!(layers().directions(&source("control.rs", "use super::abi::A;")).len(), 1);
        assert_eq!(layers().directions(&source("control.rs", "use crate::State;")).len(), 1);
        assert_eq!(
            layers().directions(&source("control.rs", "use crate::port; use super::sync; use super::control;")),
            [""; 0]
        );
        assert_eq!(
            layers().directions(&source("control.rs", "use crate::Mailbox;\n#[cfg(test)] mod t { use crate::abi; }")),
            [""; 0]
        );
        assert_eq!(layers().directions(&source("port/mod.rs", "use super::control::A;")).len(), 1);
        assert_eq!(layers().directions(&source("abi/wait.rs", "use super::control;")), [""; 0]);
    }

    #[test]
    fn a_crate_in_the_wrong_layer_is_found() {
        assert_eq!(
            layers().crates(&source("port/mod.rs", "use wasmtime::Store;")),
            ["host/src/port/mod.rs:1: port does not name wasmtime"]
        );
        assert_eq!(layers().crates(&source("abi/mod.rs", "fn a(s: wasmtime::Store) { tokio_util::b() }")).len(), 1);
        assert_eq!(layers().crates(&source("port/mod.rs", "// wasmtime::Store\nuse serde::Serialize;")), [""; 0]);
    }

    #[test]
    fn a_module_without_a_line_and_a_line_without_a_module_are_found() {
        assert_eq!(layers().is_listed(&source("timer/mod.rs", "")).len(), 1);
        assert_eq!(layers().is_listed(&source("abi/mod.rs", "")), [""; 0]);
        let sources = [source("abi/mod.rs", ""), source("sync.rs", ""), source("control.rs", "")];
        assert_eq!(layers().without_a_file(&sources), ["port"]);
    }

    #[test]
    fn a_thread_in_layer_2_is_found() {
        let text = "use std::{thread, time::Duration};\nuse std::sync::Mutex;\nuse std::time::Instant;";
        assert_eq!(layers().pure(&source("port/mod.rs", text)).len(), 3);
        assert_eq!(layers().pure(&source("sync.rs", text)), [""; 0]);
    }

    #[test]
    fn the_table_lists_what_there_is() {
        assert_eq!(Layers::of_repository().without_a_file(sources()), [""; 0]);
    }
}
