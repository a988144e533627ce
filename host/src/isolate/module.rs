//! A module that is compiled and linked, and its exports looked up, once.

use std::any::Any;
use std::sync::OnceLock;

use wasmtime::{Engine, ExternType, InstancePre, ModuleExport, UnknownImportError};

use crate::abi::{self, Definer, State, is_newer, version};
use crate::compile::Digest;
use crate::digest::Sha256;
use crate::engine::Kind;
use crate::error::{LoadError, SpawnError};
use crate::exit::Frame;
use crate::inspect::{ModuleInfo, inspect};
use crate::lines::Place;
use crate::module::Code;
use crate::spawn::Entry;
use crate::sync::Arc;
use crate::wasi;

/// A loaded module. Cheap to clone; one compiled module serves any number of isolates.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let host = insula::Host::builder().isolates(1).build()?;
/// let module = host.load("empty", b"(module)")?;
/// assert_eq!((module.name(), module.is_trusted()), ("empty", false));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Module(Arc<Linked>);

struct Linked {
    code: Arc<Code>,
    /// Of the code, or of the same in the other engine of its kind.
    instance: InstancePre<State>,
    /// The module as it is in the engine that its host grew into, once that was needed.
    moved: OnceLock<Module>,
    memory: Option<ModuleExport>,
    /// Where entries are called by their number, and whether that takes one.
    by_number: Option<(ModuleExport, bool)>,
    initialize: Option<ModuleExport>,
    event_loop: Option<ModuleExport>,
    says_entered: bool,
}

/// The export that takes the number of an entry.
const BY_NUMBER: &str = "insula_entry";

/// Where a module says that its entry is called.
const REPORT: &str = "insula:isolate/report@";

/// What is called first in a new isolate, looked up and of the right type.
#[derive(Clone, Copy)]
pub(crate) struct EntryPoint {
    pub(crate) export: ModuleExport,
    /// The number for `insula_entry`.
    pub(crate) index: Option<u32>,
    /// `_start` runs constructors and `_initialize` by itself.
    pub(crate) is_main: bool,
}

/// Modules of the same bytes are the same, whatever they are called; trusted and not, they are two.
impl PartialEq for Module {
    fn eq(&self, other: &Module) -> bool {
        (self.id(), self.is_trusted()) == (other.id(), other.is_trusted())
    }
}

impl Eq for Module {}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module")
            .field("name", &self.name())
            .field("trusted", &self.is_trusted())
            .finish_non_exhaustive()
    }
}

impl Module {
    /// Links compiled code.
    pub(crate) fn link(code: Arc<Code>) -> Result<Module, LoadError> {
        let newer = code.compiled.imports().find(|import| is_newer(import.module()));
        if let Some(import) = newer {
            let (name, module) = (code.name.clone(), import.module().to_owned());
            return Err(LoadError::NewerAbi { name, module, host: version() });
        }
        Module::link_compiled(abi::link, &code.compiled, Arc::clone(&code))
    }

    fn link_compiled(
        ours: impl FnOnce(&wasmtime::Module) -> wasmtime::Result<Definer>,
        compiled: &wasmtime::Module,
        code: Arc<Code>,
    ) -> Result<Module, LoadError> {
        let linked = ours(compiled).and_then(|mut definer| wasi::link(&mut definer).map(|()| definer));
        let definer = linked.expect("no two imports have one name: a test lists them");
        let instance = definer.linker().instantiate_pre(compiled).map_err(|error| does_not_link(&code.name, &error))?;
        let plain = |name| entry(compiled, name, 0).filter(|(_, fits)| *fits).map(|(export, _)| export);
        let (initialize, event_loop) = (plain("_initialize"), plain("insula_loop"));
        let report =
            |import: &wasmtime::ImportType<'_>| import.module().starts_with(REPORT) && import.name() == "entered";
        let says_entered = compiled.imports().any(|import| report(&import));
        let (memory, by_number, moved) = (memory(compiled), entry(compiled, BY_NUMBER, 1), OnceLock::new());
        Ok(Module(Arc::new(Linked { memory, by_number, initialize, event_loop, says_entered, instance, moved, code })))
    }

    /// The same module in the same engine, with what this defines for its imports.
    #[cfg(feature = "testing")]
    pub(crate) fn linked_anew(
        &self,
        ours: impl FnOnce(&wasmtime::Module) -> wasmtime::Result<Definer>,
    ) -> Result<Module, LoadError> {
        Module::link_compiled(ours, self.0.instance.module(), Arc::clone(&self.0.code))
    }

    /// Frames with names as their author wrote them.
    pub(crate) fn shown_frames(&self, frames: &[Frame]) -> Vec<Frame> {
        let shown = |frame: &Frame| {
            let function = frame.function.as_deref().map(|name| self.code().names.shown(frame.index, name));
            Frame { function, ..frame.clone() }
        };
        frames.iter().map(shown).collect()
    }

    /// It, for whoever below cannot name it.
    pub(crate) fn as_any(&self) -> Arc<dyn Any + Send + Sync> {
        Arc::clone(&self.0) as Arc<dyn Any + Send + Sync>
    }

    /// What [`Module::as_any`] gave.
    pub(crate) fn of_any(any: Arc<dyn Any + Send + Sync>) -> Option<Module> {
        any.downcast().ok().map(Module)
    }

    /// The same module in this engine, if it was loaded into it.
    pub(crate) fn in_engine(&self, engine: &Engine) -> Option<Module> {
        let there = |module: &&Module| Engine::same(module.engine(), engine);
        Some(self).filter(there).or_else(|| self.0.moved.get().filter(there)).cloned()
    }

    /// The same module, loaded once more into this engine, which is the other one of the host and of its kind.
    pub(crate) fn load_into(&self, engine: &Engine) -> Result<Module, LoadError> {
        if let Some(there) = self.in_engine(engine) {
            return Ok(there);
        }
        let code = &self.0.code;
        let compiled = code
            .again(engine)
            .map_err(|error| LoadError::Compile { name: code.name.clone(), reason: format!("{error:#}") })?;
        let moved = Module::link_compiled(abi::link, compiled, Arc::clone(code))?;
        // Where another thread was faster, its own is used by all.
        Ok(self.0.moved.get_or_init(|| moved).clone())
    }

    /// The file it was loaded from, or what the embedder called it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.code.name
    }

    /// The sha256 of its bytes, in the binary form.
    #[must_use]
    pub fn digest(&self) -> Sha256 {
        self.0.code.sha256()
    }

    /// What tells it from modules of other bytes.
    pub(crate) fn id(&self) -> &Digest {
        &self.0.code.digest
    }

    /// What it imports, exports and consists of.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let host = insula::Host::builder().isolates(1).build()?;
    /// let module = host.load("plugin", b"(module (func (export \"init\")) (func (export \"score\")))")?;
    /// assert_eq!(module.info().entries().collect::<Vec<_>>(), ["init", "score"]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn info(&self) -> ModuleInfo {
        inspect(self.name(), self.0.code.bytes()).expect("its bytes were valid when they were compiled")
    }

    /// The module with its compiled code in one piece, for [`Host::load_precompiled`](crate::Host::load_precompiled) in a host
    /// of the same settings, of the same version of insula, on a processor that has what this one has.
    #[must_use]
    pub fn precompile(&self) -> Vec<u8> {
        self.0.code.precompiled()
    }

    /// Where in its sources a frame of one of its isolates is: innermost first, and more than one where functions were
    /// inlined. Empty where the module does not say: it was built without debug information, or stripped of it.
    ///
    /// The first call reads the module's debug information, which takes some milliseconds for each megabyte of it; what
    /// is found is kept. A frame of another module's isolate leads to a place that means nothing.
    #[must_use]
    pub fn places(&self, frame: &Frame) -> Vec<Place> {
        self.0.code.places(frame.offset).to_vec()
    }

    /// Whether its isolates run without preemption; see [`Host::load_trusted`](crate::Host::load_trusted).
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.0.code.kind == Kind::Trusted
    }

    /// Whether what its isolates do is counted.
    pub(crate) fn counts_fuel(&self) -> bool {
        self.0.code.kind == Kind::Counted
    }

    pub(crate) fn code(&self) -> &Arc<Code> {
        &self.0.code
    }

    pub(crate) fn instance(&self) -> &InstancePre<State> {
        &self.0.instance
    }

    /// Where its isolates are made.
    pub(crate) fn engine(&self) -> &Engine {
        self.0.instance.module().engine()
    }

    pub(crate) fn memory(&self) -> Option<&ModuleExport> {
        self.0.memory.as_ref()
    }

    pub(crate) fn initialize(&self) -> Option<&ModuleExport> {
        self.0.initialize.as_ref()
    }

    pub(crate) fn event_loop(&self) -> Option<&ModuleExport> {
        self.0.event_loop.as_ref()
    }

    /// Whether it says by itself that its entry is called.
    pub(crate) fn says_entered(&self) -> bool {
        self.0.says_entered
    }

    /// The export that an entry means.
    pub(crate) fn entry_point(&self, wanted: &Entry) -> Result<EntryPoint, SpawnError> {
        let compiled = self.0.instance.module();
        let (name, index, found) = match wanted {
            Entry::Main => ("_start", None, entry(compiled, "_start", 0)),
            Entry::Export(name) => (name.as_str(), None, entry(compiled, name, 0)),
            Entry::Index(index) => (BY_NUMBER, Some(*index), self.0.by_number),
        };
        match found {
            Some((export, true)) => Ok(EntryPoint { export, index, is_main: name == "_start" }),
            Some((_, false)) => Err(SpawnError::EntryType { module: self.name().to_owned(), entry: name.to_owned() }),
            None => Err(SpawnError::NoEntry { module: self.name().to_owned(), entry: name.to_owned() }),
        }
    }
}

/// The export of this name, if it is a function of so many numbers and without results (`Some(true)`) or something else.
fn entry(compiled: &wasmtime::Module, name: &str, parameters: usize) -> Option<(ModuleExport, bool)> {
    let export = compiled.get_export_index(name)?;
    let fits = match compiled.get_export(name)? {
        ExternType::Func(function) => {
            let takes = function.params().len() == parameters && function.results().len() == 0;
            takes && function.params().all(|parameter| parameter.is_i32())
        }
        _ => false,
    };
    Some((export, fits))
}

/// The linear memory that it exports.
fn memory(compiled: &wasmtime::Module) -> Option<ModuleExport> {
    let export = compiled.get_export_index("memory")?;
    matches!(compiled.get_export("memory")?, ExternType::Memory(_)).then_some(export)
}

/// Names the import that the linker does not have, or has with another type.
fn does_not_link(name: &str, error: &wasmtime::Error) -> LoadError {
    let name = name.to_owned();
    match error.downcast_ref::<UnknownImportError>() {
        Some(unknown) => {
            LoadError::UnknownImport { name, module: unknown.module().to_owned(), field: unknown.name().to_owned() }
        }
        None => LoadError::ImportType { name, reason: format!("{error:#}") },
    }
}
