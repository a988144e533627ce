//! `insula inspect`: what a module needs, offers and consists of, without running or compiling it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use insula::{ImportOrigin, ItemType, LoadError, ModuleInfo, PrecompiledInfo, Unmet};
use serde::Serialize;

use super::answer::{self, size, table};
use super::code::Outcome;
use super::report;
use super::target::Target;

/// Tells what a module imports, exports and consists of, and why it would not load
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Inspect {
    /// As JSON
    #[arg(long)]
    json: bool,

    /// A .wasm, .wat or .cwasm file, a .rs file that is a bin or example of the package around it, or a package folder
    #[arg(value_name = "TARGET")]
    target: PathBuf,
}

const EXAMPLES: &str = "\
Nothing of the module runs, and nothing is compiled. The exit code is 0 also where the module would
not be loaded; `links` in the JSON says whether it would.

Examples:
  insula inspect app.wasm
  insula inspect --json app.wasm | jq .links
  insula inspect app.cwasm                for whom it was compiled, and the module in it";

/// What is told, as JSON has it.
#[derive(Serialize)]
struct Told {
    file: String,
    bytes: u64,
    sha256: String,
    contract: Option<String>,
    precompiled: Option<Precompiled>,
    links: bool,
    imports: Vec<Import>,
    exports: Vec<Export>,
    entries: Vec<String>,
    spawns_functions: bool,
    memories: Vec<Memory>,
    sections: Vec<Section>,
}

#[derive(Serialize)]
struct Precompiled {
    version: String,
    machine: String,
    trusted: bool,
    code_bytes: u64,
}

#[derive(Serialize)]
struct Import {
    origin: &'static str,
    module: String,
    name: String,
    #[serde(rename = "type")]
    item: String,
    unmet: Option<String>,
}

#[derive(Serialize)]
struct Export {
    name: String,
    #[serde(rename = "type")]
    item: String,
}

#[derive(Serialize)]
struct Memory {
    bytes_min: u64,
    bytes_max: Option<u64>,
}

#[derive(Serialize)]
struct Section {
    name: String,
    custom: bool,
    bytes: u64,
}

/// Exports that a host calls by itself, and nobody spawns.
const CALLED_BY_HOSTS: [&str; 2] = ["_initialize", "insula_loop"];

/// The export by which functions of the module are spawned.
const BY_NUMBER: &str = "insula_entry";

impl Inspect {
    pub(super) fn run(self) -> Result<Outcome> {
        let module = Target::find(&self.target)?.module()?;
        let told = Told::of(&module)?;
        if self.json { answer::json(&told) } else { answer::text(&told.text()) }
    }
}

impl Told {
    fn of(path: &Path) -> Result<Told> {
        let bytes = std::fs::read(path).with_context(|| report::path(path))?;
        let file = path.display().to_string();
        let (module, precompiled) = match insula::inspect(&file, &bytes) {
            Err(LoadError::Precompiled { .. }) => {
                let PrecompiledInfo { version, machine, is_trusted, code_bytes, module, .. } =
                    insula::inspect_precompiled(&file, &bytes)?;
                (module, Some(Precompiled { version, machine, trusted: is_trusted, code_bytes }))
            }
            module => (module?, None),
        };
        Ok(Told::new(file, &module, precompiled))
    }

    fn new(file: String, info: &ModuleInfo, precompiled: Option<Precompiled>) -> Told {
        let unmet = info.unmet();
        let entries = info.entries().filter(|entry| !CALLED_BY_HOSTS.contains(entry)).map(str::to_owned);
        let exports = info.exports.iter();
        let exports = exports.map(|export| Export { name: export.name.clone(), item: export.item.to_string() });
        let sections = info.sections.iter();
        let sections = sections.map(|section| Section {
            name: section.name.clone(),
            custom: section.is_custom,
            bytes: section.bytes,
        });
        Told {
            file,
            bytes: info.bytes,
            sha256: info.digest.to_string(),
            contract: info.contract_version().map(|version| format!("insula:isolate@{version}")),
            precompiled,
            links: unmet.is_empty(),
            imports: imports(info, &unmet),
            exports: exports.collect(),
            entries: entries.collect(),
            spawns_functions: info.exports.iter().any(|export| export.name == BY_NUMBER),
            memories: info.memories.iter().filter_map(memory).collect(),
            sections: sections.collect(),
        }
    }
}

/// By origin, and in the module's order for each.
fn imports(info: &ModuleInfo, unmet: &[Unmet]) -> Vec<Import> {
    let mut imports: Vec<_> = info.imports.iter().collect();
    imports.sort_by_key(|import| import.origin());
    let told = imports.into_iter().map(|import| Import {
        origin: match import.origin() {
            ImportOrigin::Insula => "insula",
            ImportOrigin::Wasi => "wasi",
            _ => "unknown",
        },
        module: import.module.clone(),
        name: import.name.clone(),
        item: import.item.to_string(),
        unmet: unmet.iter().find(|unmet| unmet.import == *import).map(|unmet| unmet.reason.to_string()),
    });
    told.collect()
}

fn memory(item: &ItemType) -> Option<Memory> {
    match item {
        ItemType::Memory { bytes_min, bytes_max } => Some(Memory { bytes_min: *bytes_min, bytes_max: *bytes_max }),
        _ => None,
    }
}

impl Told {
    fn text(&self) -> String {
        let mut text = self.head();
        let count = |origin: &str| self.imports.iter().filter(|import| import.origin == origin).count();
        let counts = [count("insula"), count("wasi"), count("unknown")];
        text += &format!("\nimports: {} of insula, {} of WASI, {} unknown\n", counts[0], counts[1], counts[2]);
        let named = |import: &Import| format!("{}.{}", import.module, import.name);
        text += &table(&self.imports.iter().map(|import| [named(import), import.item.clone()]).collect::<Vec<_>>());
        let unmet = self.imports.iter().filter_map(|import| Some([named(import), import.unmet.clone()?]));
        let unmet: Vec<_> = unmet.collect();
        if !unmet.is_empty() {
            text += &format!("\nwill not link: {}\n{}", unmet.len(), table(&unmet));
        }
        let exports: Vec<_> = self.exports.iter().map(|export| [export.name.clone(), export.item.clone()]).collect();
        text += &format!("\nexports: {}\n{}", exports.len(), table(&exports));
        text += &format!("\nentries:\n{}", table(&self.entry_rows()));
        let kind = |section: &Section| if section.custom { "custom" } else { "" }.to_owned();
        let sections = self.sections.iter();
        let sections = sections.map(|section| [section.name.clone(), size(section.bytes), kind(section)]);
        text += &format!("\nsections: {}\n{}", self.sections.len(), table(&sections.collect::<Vec<_>>()));
        text
    }

    fn head(&self) -> String {
        let memory = |memory: &Memory| match memory.bytes_max {
            Some(max) => format!("{} at first, at most {}", size(memory.bytes_min), size(max)),
            None => format!("{} at first, and what the isolate's limit allows", size(memory.bytes_min)),
        };
        let memories: Vec<String> = self.memories.iter().map(memory).collect();
        let row = |name: &str, value: String| [name.to_owned(), value];
        let mut rows = vec![
            row("module", self.file.clone()),
            row("size", size(self.bytes)),
            row("sha256", self.sha256.clone()),
            row("contract", self.contract.clone().unwrap_or_else(|| "none: it imports nothing of insula's".to_owned())),
            row("memory", if memories.is_empty() { "none".to_owned() } else { memories.join("; ") }),
            row("links", if self.links { "yes" } else { "no" }.to_owned()),
        ];
        if let Some(Precompiled { version, machine, trusted, code_bytes }) = &self.precompiled {
            let trusted = if *trusted { ", trusted" } else { "" };
            let code = format!("by insula {version} for {machine}{trusted}; {} of code", size(*code_bytes));
            rows.push(row("precompiled", code));
        }
        table(&rows)
    }

    fn entry_rows(&self) -> Vec<[String; 2]> {
        let role = |entry: &String| if entry == "_start" { "main" } else { "by its name" };
        let mut rows: Vec<_> = self.entries.iter().map(|entry| [entry.clone(), role(entry).to_owned()]).collect();
        if self.spawns_functions {
            rows.push([BY_NUMBER.to_owned(), "functions of its own, as Isolate::spawn starts them".to_owned()]);
        }
        if rows.is_empty() {
            rows.push(["none".to_owned(), "no export is a function without parameters and results".to_owned()]);
        }
        rows
    }
}
