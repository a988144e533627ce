//! What a module imports, exports and consists of, asked before it runs, or is loaded at all.
//!
//! No code is compiled for the answer, and no host is needed: so a module that no host would load can be asked what it
//! would have needed. The same goes for precompiled code (`precompiled`): the module in it is read, and the code is not.

mod precompiled;

use std::fmt;

use wasmparser::types::{EntityType, Types, TypesRef};
use wasmparser::{MemoryType, Parser, Payload, ValType};

pub use precompiled::{PrecompiledInfo, inspect_precompiled, is_precompiled};

use crate::compile::validate;
use crate::digest::Sha256;
use crate::error::LoadError;
use crate::module::binary;

/// What a module imports, exports and consists of; [`inspect`] and [`Module::info`](crate::Module::info) tell.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let text = r#"(module
///     (import "env" "send" (func (param i32 i64) (result i32)))
///     (memory (export "memory") 1)
///     (func (export "run")))"#;
/// let info = insula::inspect("plugin", text.as_bytes())?;
/// let import = &info.imports[0];
/// assert_eq!((import.module.as_str(), import.name.as_str()), ("env", "send"));
/// assert_eq!(import.item.to_string(), "function (i32, i64) -> (i32)");
/// assert_eq!(info.entries().collect::<Vec<_>>(), ["run"]);
/// assert_eq!(info.unmet()[0].to_string(), "env.send: no host has it");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModuleInfo {
    /// What it needs, in its order.
    pub imports: Vec<ImportInfo>,
    /// What it offers, in its order.
    pub exports: Vec<ExportInfo>,
    /// Its linear memories, those that it imports first.
    pub memories: Vec<ItemType>,
    /// What it consists of, in its order.
    pub sections: Vec<SectionInfo>,
    /// How many bytes it has in the binary form.
    pub bytes: u64,
    /// Their sha256, as [`Module::digest`](crate::Module::digest) says it.
    pub digest: Sha256,
}

/// A section of a module.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let info = insula::inspect("one", b"(module (func $f (export \"run\")) (@custom \"mark\" \"here\"))")?;
/// let names: Vec<_> = info.sections.iter().map(|section| section.name.as_str()).collect();
/// assert_eq!(names, ["type", "function", "export", "code", "mark", "name"]);
/// assert!(!info.sections[0].is_custom && info.sections[4].is_custom);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SectionInfo {
    /// What the specification calls it, or its own name where it is a custom one.
    pub name: String,
    /// Whether it is one that the specification leaves to tools: names, debug information.
    pub is_custom: bool,
    /// Bytes of its contents.
    pub bytes: u64,
}

/// Whose an import is, by the name of its module.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::ImportOrigin;
/// let text = "(module (import \"wasi_snapshot_preview1\" \"sched_yield\" (func (result i32))) (import \"env\" \"x\" (func)))";
/// let info = insula::inspect("two", text.as_bytes())?;
/// let origins: Vec<_> = info.imports.iter().map(|import| import.origin()).collect();
/// assert_eq!(origins, [ImportOrigin::Wasi, ImportOrigin::Unknown]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ImportOrigin {
    /// The contract `insula:isolate`.
    Insula,
    /// WASI, of whatever version.
    Wasi,
    /// Somebody else.
    Unknown,
}

/// Something that a module imports.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let text = "(module (import \"insula:isolate/clock@0.1.0\" \"now\" (func (result i64))))";
/// let info = insula::inspect("late", text.as_bytes())?;
/// assert!(info.imports.iter().all(|import| import.module.starts_with("insula:isolate/")));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImportInfo {
    /// Whose it is.
    pub module: String,
    /// Its name there.
    pub name: String,
    /// What it is.
    pub item: ItemType,
}

/// Something that a module exports.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let info = insula::inspect("one", b"(module (func (export \"run\") (param i32)))")?;
/// assert_eq!((info.exports[0].name.as_str(), info.entries().count()), ("run", 0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportInfo {
    /// Its name.
    pub name: String,
    /// What it is.
    pub item: ItemType,
}

/// What is imported or exported. Types of values are named as in the text format.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::ItemType;
/// let info = insula::inspect("memory", b"(module (memory (export \"memory\") 1 16))")?;
/// let memory = ItemType::Memory { bytes_min: 64 << 10, bytes_max: Some(1 << 20) };
/// assert_eq!(info.exports[0].item, memory);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ItemType {
    /// A function.
    Function {
        /// The types of what it takes.
        parameters: Vec<String>,
        /// The types of what it returns.
        results: Vec<String>,
    },
    /// A linear memory.
    Memory {
        /// What it has from the start.
        bytes_min: u64,
        /// What it can grow to, where the module says so.
        bytes_max: Option<u64>,
    },
    /// A table.
    Table,
    /// A global.
    Global,
    /// A tag of exceptions.
    Tag,
}

impl ImportInfo {
    /// Whose it is. That it is insula's or WASI's does not mean that a host has it: see [`ModuleInfo::unmet`].
    #[must_use]
    pub fn origin(&self) -> ImportOrigin {
        if contract_version(&self.module).is_some() {
            ImportOrigin::Insula
        } else if self.module.starts_with("wasi_") || self.module.starts_with("wasi:") {
            ImportOrigin::Wasi
        } else {
            ImportOrigin::Unknown
        }
    }
}

/// The version in the name of an interface of insula's.
fn contract_version(module: &str) -> Option<&str> {
    let interface = module.strip_prefix(insula_wire::PACKAGE)?.strip_prefix('/')?;
    Some(interface.split_once('@')?.1)
}

impl ModuleInfo {
    /// The version of the contract `insula:isolate` that it was built for, as its imports name it; the newest, where they
    /// name several, and none where it imports nothing of insula's.
    #[must_use]
    pub fn contract_version(&self) -> Option<&str> {
        let parts =
            |version: &&str| version.split('.').map(|part| part.parse().unwrap_or(u32::MAX)).collect::<Vec<_>>();
        self.imports.iter().filter_map(|import| contract_version(&import.module)).max_by_key(parts)
    }

    /// The exports that [`Spawn::entry`](crate::Spawn::entry) takes: functions without parameters and results.
    pub fn entries(&self) -> impl Iterator<Item = &str> {
        let plain = |export: &&ExportInfo| match &export.item {
            ItemType::Function { parameters, results } => parameters.is_empty() && results.is_empty(),
            ItemType::Memory { .. } | ItemType::Table | ItemType::Global | ItemType::Tag => false,
        };
        self.exports.iter().filter(plain).map(|export| export.name.as_str())
    }
}

impl fmt::Display for ItemType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ItemType::Function { parameters, results } => {
                write!(f, "function ({}) -> ({})", parameters.join(", "), results.join(", "))
            }
            ItemType::Memory { bytes_min, .. } => write!(f, "memory of {bytes_min} bytes"),
            ItemType::Table => f.write_str("table"),
            ItemType::Global => f.write_str("global"),
            ItemType::Tag => f.write_str("tag"),
        }
    }
}

/// What a module imports, exports and consists of, from its bytes, binary or text. Nothing is compiled and nothing runs.
///
/// # Errors
/// [`LoadError`], under this name, where the bytes are no module. What the module needs and a host does not have is no
/// error here.
pub fn inspect(name: &str, bytes: &[u8]) -> Result<ModuleInfo, LoadError> {
    let bytes = binary(name, bytes.into())?;
    let types = validate(&bytes).map_err(|refusal| refusal.of(name))?;
    let not_wasm =
        |error: wasmparser::BinaryReaderError| LoadError::NotWasm { name: name.to_owned(), reason: error.to_string() };
    read(&bytes, &types).map_err(not_wasm)
}

fn read(bytes: &[u8], types: &Types) -> wasmparser::Result<ModuleInfo> {
    let types = types.as_ref();
    let memories = (0..types.memory_count()).map(|index| of_memory(&types.memory_at(index))).collect();
    let (imports, exports, sections) = (Vec::new(), Vec::new(), Vec::new());
    let mut info =
        ModuleInfo { imports, exports, memories, sections, bytes: bytes.len() as u64, digest: Sha256::of(bytes) };
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        info.sections.extend(section(&payload));
        match payload {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    let item = types.entity_type_from_import(&import).map(|entity| item(types, &entity));
                    let (module, name) = (import.module.to_owned(), import.name.to_owned());
                    info.imports.extend(item.map(|item| ImportInfo { module, name, item }));
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    let item = types.entity_type_from_export(&export).map(|entity| item(types, &entity));
                    info.exports.extend(item.map(|item| ExportInfo { name: export.name.to_owned(), item }));
                }
            }
            _ => {}
        }
    }
    Ok(info)
}

/// The section that the parser has come to; of code it first says that it begins, and then each function.
fn section(payload: &Payload<'_>) -> Option<SectionInfo> {
    const NAMES: [&str; 14] = [
        "custom",
        "type",
        "import",
        "function",
        "table",
        "memory",
        "global",
        "export",
        "start",
        "element",
        "code",
        "data",
        "data count",
        "tag",
    ];
    let (id, range) = payload.as_section()?;
    let name = NAMES.get(usize::from(id))?;
    let (name, is_custom) = match payload {
        Payload::CustomSection(custom) => (custom.name(), true),
        _ => (*name, false),
    };
    Some(SectionInfo { name: name.to_owned(), is_custom, bytes: range.len() as u64 })
}

fn item(types: TypesRef<'_>, entity: &EntityType) -> ItemType {
    match entity {
        EntityType::Func(id) | EntityType::FuncExact(id) => {
            let function = types[*id].unwrap_func();
            let named = |types: &[ValType]| types.iter().map(ToString::to_string).collect();
            ItemType::Function { parameters: named(function.params()), results: named(function.results()) }
        }
        EntityType::Memory(memory) => of_memory(memory),
        EntityType::Table(_) => ItemType::Table,
        EntityType::Global(_) => ItemType::Global,
        EntityType::Tag(_) => ItemType::Tag,
    }
}

fn of_memory(memory: &MemoryType) -> ItemType {
    const PAGE_LOG2: u32 = 16;
    let bytes = |pages: u64| pages.saturating_mul(1 << memory.page_size_log2.unwrap_or(PAGE_LOG2));
    ItemType::Memory { bytes_min: bytes(memory.initial), bytes_max: memory.maximum.map(bytes) }
}
