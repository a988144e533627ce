//! Which imports of a module no host has, and why: all of them, where a load stops at the first.

use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;

use wasmtime::{Engine, FuncType, ValType};

use crate::abi::{self, is_newer, version};
use crate::inspect::{ImportInfo, ItemType, ModuleInfo};
use crate::wasi;

/// An import that keeps a module from being loaded; [`ModuleInfo::unmet`] finds them.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::UnmetReason;
/// let text = "(module (import \"insula:isolate/clock@0.1.0\" \"now\" (func (result i32))))";
/// let unmet = insula::inspect("typed", text.as_bytes())?.unmet();
/// assert!(matches!(&unmet[0].reason, UnmetReason::OtherType { host } if host.to_string() == "function () -> (i64)"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unmet {
    /// What it is.
    pub import: ImportInfo,
    /// What is wrong with it.
    pub reason: UnmetReason,
}

/// Why no host has an import.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let text = "(module (import \"insula:isolate/clock@9.0.0\" \"now\" (func (result i64))))";
/// let unmet = insula::inspect("late", text.as_bytes())?.unmet();
/// assert_eq!(unmet[0].reason.to_string(), "this insula has insula:isolate@0.1.0, which is older");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnmetReason {
    /// It is of a newer contract.
    Newer {
        /// The contract that hosts have.
        host: String,
    },
    /// There is nothing of that name.
    Unknown,
    /// What has that name is something else.
    OtherType {
        /// What it is.
        host: ItemType,
    },
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}: {}", self.import.module, self.import.name, self.reason)
    }
}

impl fmt::Display for UnmetReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnmetReason::Newer { host } => write!(f, "this insula has {host}, which is older"),
            UnmetReason::Unknown => f.write_str("no host has it"),
            UnmetReason::OtherType { host } => write!(f, "what hosts have is a {host}"),
        }
    }
}

impl ModuleInfo {
    /// The imports that keep it from being loaded, with the reasons; none, where a host has all that it needs.
    ///
    /// No module is compiled for the answer. It is the same for every host of this version: grants decide what calls do, and
    /// not what there is.
    ///
    /// # Panics
    /// Where no engine can be made.
    #[must_use]
    pub fn unmet(&self) -> Vec<Unmet> {
        let imports = self.imports.iter();
        let unmet = imports.filter_map(|import| Some(Unmet { import: import.clone(), reason: reason(import)? }));
        unmet.collect()
    }
}

fn reason(import: &ImportInfo) -> Option<UnmetReason> {
    if is_newer(&import.module) {
        return Some(UnmetReason::Newer { host: version() });
    }
    match offered().get(&(import.module.clone(), import.name.clone())) {
        None => Some(UnmetReason::Unknown),
        Some(item) if *item != import.item => Some(UnmetReason::OtherType { host: item.clone() }),
        Some(_) => None,
    }
}

/// What every host has: ours and WASI's, by module and name.
fn offered() -> &'static HashMap<(String, String), ItemType> {
    static OFFERED: OnceLock<HashMap<(String, String), ItemType>> = OnceLock::new();
    OFFERED.get_or_init(|| {
        let engine = Engine::default();
        let linker = abi::link_every(&engine).and_then(|mut linker| wasi::link(&mut linker).map(|()| linker));
        let linker = linker.expect("no two imports have one name");
        let functions = abi::defined(&engine, linker.linker()).into_iter();
        functions.map(|(module, name, function)| ((module, name), item(&function))).collect()
    })
}

fn item(function: &FuncType) -> ItemType {
    let named = |types: &mut dyn Iterator<Item = ValType>| types.map(|ty| ty.to_string()).collect();
    ItemType::Function { parameters: named(&mut function.params()), results: named(&mut function.results()) }
}

#[cfg(test)]
mod tests {
    use crate::inspect::inspect;

    #[test]
    fn what_hosts_have_is_met() {
        let text = "(module
            (import \"insula:isolate/clock@0.1.0\" \"now\" (func (result i64)))
            (import \"wasi_snapshot_preview1\" \"proc_exit\" (func (param i32)))
            (import \"wasi_snapshot_preview1\" \"path_open\" (func (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32))))";
        assert_eq!(inspect("met", text.as_bytes()).unwrap().unmet(), []);
    }

    #[test]
    fn every_import_that_is_not_is_told() {
        let text = "(module
            (import \"insula:isolate/clock@0.2.0\" \"now\" (func (result i64)))
            (import \"insula:isolate/clock@0.1.0\" \"then\" (func (result i64)))
            (import \"wasi_snapshot_preview1\" \"proc_exit\" (func (param i64)))
            (import \"insula:isolate/clock@0.1.0\" \"now\" (func (result i64)))
            (import \"env\" \"memory\" (memory 1)))";
        let unmet = inspect("unmet", text.as_bytes()).unwrap().unmet();
        let told: Vec<String> = unmet.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "insula:isolate/clock@0.2.0.now: this insula has insula:isolate@0.1.0, which is older",
                "insula:isolate/clock@0.1.0.then: no host has it",
                "wasi_snapshot_preview1.proc_exit: what hosts have is a function (i32) -> ()",
                "env.memory: no host has it",
            ]
        );
    }
}
