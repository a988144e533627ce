//! What a module imports and exports, asked before it runs, or is loaded at all.
//!
//! No code is compiled for the answer, and no host is needed: so a module that no host would load can be asked what it
//! would have needed.

use std::fmt;

use wasmparser::types::{EntityType, Types};
use wasmparser::{MemoryType, Parser, Payload, ValType};

use crate::compile::validate;
use crate::error::LoadError;
use crate::module::binary;

/// What a module imports and exports; [`inspect`] and [`Module::info`](crate::Module::info) tell.
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
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModuleInfo {
    /// What it needs, in its order.
    pub imports: Vec<ImportInfo>,
    /// What it offers, in its order.
    pub exports: Vec<ExportInfo>,
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

impl ModuleInfo {
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

/// What a module imports and exports, from its bytes, binary or text. Nothing is compiled and nothing runs.
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
    let mut info = ModuleInfo::default();
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    let item = types.as_ref().entity_type_from_import(&import).map(|entity| item(types, &entity));
                    let (module, name) = (import.module.to_owned(), import.name.to_owned());
                    info.imports.extend(item.map(|item| ImportInfo { module, name, item }));
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    let item = types.as_ref().entity_type_from_export(&export).map(|entity| item(types, &entity));
                    info.exports.extend(item.map(|item| ExportInfo { name: export.name.to_owned(), item }));
                }
            }
            _ => {}
        }
    }
    Ok(info)
}

fn item(types: &Types, entity: &EntityType) -> ItemType {
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
