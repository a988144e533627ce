//! A module's code: checked, compiled once, and what it exports.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{OnceLock, Weak};

use wasmtime::Engine;

use crate::cache::{Authentic, Cache, EntryName, Vouched, deserialize, engine_digest, loaded_again, serialized};
use crate::compile::{Artefact, Digest, Flights, Order, Refusal, Workshop, digest, tried};
use crate::digest::Sha256;
use crate::engine::{Kind, Places, Shape, Trial};
use crate::error::LoadError;
use crate::hash::NumberMap;
use crate::lines::{Lines, Place, demangled};
use crate::sync::{Arc, Mutex};

/// The bytes and the compiled code of a module. A tree of isolates keeps the ones that it started with.
pub(crate) struct Code {
    pub(crate) name: String,
    pub(crate) digest: Digest,
    /// Made when somebody asks for it.
    sha256: OnceLock<Sha256>,
    pub(crate) compiled: wasmtime::Module,
    /// The same in the other engine of its kind, once somebody was born there.
    again: Arc<OnceLock<wasmtime::Module>>,
    pub(crate) kind: Kind,
    bytes: Arc<Vec<u8>>,
    lines: OnceLock<Option<Lines>>,
    /// The places of offsets that were asked for before.
    places: Mutex<NumberMap<u64, Arc<[Place]>>>,
    /// Of its functions, as frames show them.
    pub(crate) names: Names,
    /// The engine's pool stays mapped for as long as code of it is around.
    _places: Arc<Places>,
}

/// Compiles for the engines of one kind that a host has. It knows the modules that are in use, by digest, and perhaps a
/// folder that keeps them: compilers of all kinds may share it, since an entry is of one kind.
pub(crate) struct Compiler {
    trial: Trial,
    places: Arc<Places>,
    known: Mutex<HashMap<Digest, Weak<Code>>>,
    flights: Flights,
    folder: Option<Arc<Cache>>,
    workshop: Arc<Workshop>,
}

/// What was found out about bytes before they are loaded.
pub(crate) struct Known {
    pub(crate) digest: Digest,
    /// What the cache has of them.
    pub(crate) code: Option<Authentic>,
}

/// What a compiler makes code with.
pub(crate) struct Equipment {
    pub(crate) folder: Option<Arc<Cache>>,
    pub(crate) workshop: Arc<Workshop>,
    pub(crate) trial: Trial,
    pub(crate) places: Arc<Places>,
}

impl Compiler {
    pub(crate) fn new(equipment: Equipment) -> Compiler {
        let Equipment { folder, workshop, trial, places } = equipment;
        let (known, flights) = (Mutex::default(), Flights::default());
        Compiler { trial, places, known, flights, folder, workshop }
    }

    /// Compiles bytes for this engine, or finds what was compiled from the same bytes before, perhaps for another one of
    /// its kind. What is known of them is of these very bytes.
    pub(crate) fn compile(
        &self,
        engine: &Engine,
        name: &str,
        bytes: Cow<'_, [u8]>,
        known: Option<Known>,
    ) -> Result<Arc<Code>, LoadError> {
        let limits = &self.workshop.limits;
        limits.check_length(bytes.len() as u64).map_err(|refusal| refusal.of(name))?;
        let bytes = binary(name, bytes)?;
        let checked = limits.check_length(bytes.len() as u64).and_then(|()| limits.check_functions(&bytes));
        checked.map_err(|refusal| refusal.of(name))?;
        let found = known.unwrap_or_else(|| Known { digest: digest(&bytes), code: None });
        let digest = found.digest;
        if let Some(code) = self.known(&digest).filter(|code| code.name == name) {
            return Ok(code);
        }
        let bytes = Arc::new(bytes);
        let known = || self.known(&digest).map(|code| code.compiled.clone());
        let brought = self.flights.bring(self.order(engine, name, found, &bytes), known);
        let (compiled, flight) = brought.map_err(|refusal| refusal.of(name))?;
        let code = self.keep(name, digest, bytes, compiled);
        // Not before: until then nobody else would find the code.
        drop(flight);
        Ok(code)
    }

    /// The code of a module that was compiled elsewhere, for an engine that makes the same code as this one.
    pub(crate) fn adopt(
        &self,
        engine: &Engine,
        name: &str,
        artefact: &Artefact<'_>,
        code: Vouched<'_>,
    ) -> Result<Arc<Code>, LoadError> {
        if !artefact.is_of_here() || artefact.engine != engine_digest(engine) {
            let (version, machine) = (artefact.version.clone(), artefact.machine.clone());
            return Err(LoadError::OtherEngine { name: name.to_owned(), version, machine });
        }
        let compiled = deserialize(engine, code).map_err(|error| Refusal::by_wasmtime(&error));
        let compiled =
            compiled.and_then(|compiled| tried(compiled, &self.trial)).map_err(|refusal| refusal.of(name))?;
        Ok(self.keep(name, digest(artefact.module), Arc::new(artefact.module.to_vec()), compiled))
    }

    /// Whether this folder is the one that keeps its code.
    pub(crate) fn is_kept_in(&self, folder: Option<&Path>) -> bool {
        self.folder.as_ref().map(|cache| cache.folder()) == folder
    }

    /// What the cache calls the code of bytes of this digest.
    pub(crate) fn entry(&self, digest: &Digest) -> EntryName {
        EntryName::of(&self.trial, digest)
    }

    /// What its engines are made for.
    pub(crate) fn shape(&self) -> &Shape {
        &self.trial.shape
    }

    /// What is in use of these bytes.
    fn known(&self, digest: &Digest) -> Option<Arc<Code>> {
        self.known.lock().get(digest).and_then(Weak::upgrade)
    }

    fn keep(&self, name: &str, digest: Digest, bytes: Arc<Vec<u8>>, compiled: wasmtime::Module) -> Arc<Code> {
        let mut known = self.known.lock();
        // Under another name it is the same code.
        let before = known.get(&digest).and_then(Weak::upgrade);
        let same = before.as_ref().filter(|code| wasmtime::Module::same(&code.compiled, &compiled));
        let code = Arc::new(Code {
            name: name.to_owned(),
            digest,
            sha256: OnceLock::new(),
            again: same.map(|code| Arc::clone(&code.again)).unwrap_or_default(),
            compiled,
            kind: self.trial.kind,
            bytes,
            lines: OnceLock::new(),
            places: Mutex::default(),
            names: Names::default(),
            _places: Arc::clone(&self.places),
        });
        known.retain(|_, code| code.strong_count() > 0);
        known.insert(digest, Arc::downgrade(&code));
        code
    }

    fn order(&self, engine: &Engine, name: &str, found: Known, bytes: &Arc<Vec<u8>>) -> Order {
        Order {
            name: name.to_owned(),
            workshop: Arc::clone(&self.workshop),
            engine: engine.clone(),
            trial: self.trial,
            folder: self.folder.clone(),
            digest: found.digest,
            found: found.code,
            bytes: Arc::clone(bytes),
            _places: Arc::clone(&self.places),
        }
    }
}

/// Refuses bytes that are others than the embedder expects.
pub(crate) fn expect(name: &str, bytes: &[u8], expected: &Sha256) -> Result<(), LoadError> {
    let found = Sha256::of(bytes);
    if found == *expected {
        return Ok(());
    }
    Err(LoadError::WrongDigest { name: name.to_owned(), expected: *expected, found })
}

/// Whether these are of a module in its binary form, if of any.
pub(crate) fn is_binary(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// The binary form: text is assembled, what can be no core module is refused with its reason.
pub(crate) fn binary(name: &str, bytes: Cow<'_, [u8]>) -> Result<Vec<u8>, LoadError> {
    let name = name.to_owned();
    if Engine::detect_precompiled(&bytes).is_some() || Artefact::detect(&bytes) {
        return Err(LoadError::Precompiled { name });
    }
    if wasmparser::Parser::is_component(&bytes) {
        return Err(LoadError::Component { name });
    }
    let not_wasm = |reason: String| LoadError::NotWasm { name: name.clone(), reason };
    if bytes.is_empty() {
        return Err(not_wasm("it is empty".to_owned()));
    }
    if is_binary(&bytes) {
        return Ok(bytes.into_owned());
    }
    if looks_like_text(&bytes) {
        let text = wat::parse_bytes(&bytes).map_err(|error| not_wasm(first_line(&error.to_string())))?;
        return Ok(text.into_owned());
    }
    Err(not_wasm("it begins with neither `\\0asm` nor `(`".to_owned()))
}

/// What a module in its binary form begins with.
const MAGIC: &[u8] = b"\0asm";

fn looks_like_text(bytes: &[u8]) -> bool {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(first, Some(b'(' | b';'))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// The names of a module's functions as their author wrote them: to demangle one takes longer than to walk to its frame,
/// and modules fail at few places.
#[derive(Default)]
pub(crate) struct Names(Mutex<NumberMap<u32, String>>);

/// Names that a module keeps.
const NAMES_MAX: usize = 256;

/// Offsets whose places a module keeps.
const PLACES_MAX: usize = 256;

/// Bytes of a function's name that are read.
const NAME_BYTES_MAX: usize = 512;

impl Names {
    /// The name to show for a function of this index, whose name in the module is `mangled`.
    pub(crate) fn shown(&self, index: u32, mangled: &str) -> String {
        if let Some(known) = self.0.lock().get(&index) {
            return known.clone();
        }
        // A name is the guest's, and may be as long as it likes.
        let name = demangled(&mangled[..mangled.floor_char_boundary(NAME_BYTES_MAX)]);
        let mut names = self.0.lock();
        if names.len() < NAMES_MAX {
            names.insert(index, name.clone());
        }
        name
    }
}

impl Code {
    /// That of its bytes.
    pub(crate) fn sha256(&self) -> Sha256 {
        *self.sha256.get_or_init(|| Sha256::of(&self.bytes))
    }

    /// The same code in another engine of its kind.
    ///
    /// # Errors
    /// Where the system has no memory for it.
    pub(crate) fn again(&self, engine: &Engine) -> wasmtime::Result<&wasmtime::Module> {
        if let Some(again) = self.again.get() {
            return Ok(again);
        }
        let again = loaded_again(engine, &self.compiled)?;
        // Where another thread was faster, its own is used by all.
        Ok(self.again.get_or_init(|| again))
    }

    /// The module and its code, for [`Compiler::adopt`].
    pub(crate) fn precompiled(&self) -> Vec<u8> {
        let engine = engine_digest(self.compiled.engine());
        Artefact::write(engine, self.kind, &self.bytes, &serialized(&self.compiled))
    }

    /// The module, in its binary form.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where in the sources an offset of the module is, innermost first; empty where it does not say.
    pub(crate) fn places(&self, offset: u64) -> Arc<[Place]> {
        if let Some(known) = self.places.lock().get(&offset) {
            return Arc::clone(known);
        }
        let lines = self.lines.get_or_init(|| Lines::parse(&self.bytes));
        let found: Arc<[Place]> = lines.as_ref().map(|lines| lines.find(offset)).unwrap_or_default().into();
        let mut places = self.places.lock();
        if places.len() < PLACES_MAX {
            places.insert(offset, Arc::clone(&found));
        }
        found
    }

    /// Whether [`Code::places`] answers for this offset without a look.
    pub(crate) fn knows_places(&self, offset: u64) -> bool {
        self.places.lock().contains_key(&offset)
    }

    /// Whether its lines were read already.
    pub(crate) fn lines_are_read(&self) -> bool {
        self.lines.get().is_some()
    }

    /// Whether frames of this module can be resolved to lines.
    pub(crate) fn has_lines(&self) -> bool {
        self.lines.get_or_init(|| Lines::parse(&self.bytes)).is_some()
    }
}
