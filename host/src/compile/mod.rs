//! How much of a module is compiled, by whom, and for how long.
//!
//! - [`CompileLimits`]: what bounds a compile. Sizes and counts are looked at before wasmtime sees a byte.
//! - `workshop`: where a host compiles. Each compile has threads of its own, there are so many of them at once, and two
//!   loads of the same bytes are one compile.
//! - `child`: [`CompileChild`], a process that compiles for a host; `answer` is what runs in it, `wire` what both say.
//! - `artefact`: a module and its code in one piece, for embedders that keep such things.
//! - `counts`: how often, and how long that took.
//! - `refusal`: why there is no code, without the name that somebody gave to the bytes.
//!
//! Wasmtime's compiler cannot be interrupted. In this process a compile that takes too long is left behind on its
//! threads, and counted; a child is killed. Memory is bounded in a child only.

mod answer;
mod artefact;
mod child;
mod counts;
mod refusal;
mod wire;
mod workshop;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wasmparser::types::Types;
use wasmparser::{Parser, Payload};

pub use answer::compile_child;
pub(crate) use artefact::Artefact;
pub use child::CompileChild;
#[cfg(feature = "metrics")]
pub(crate) use counts::BOUNDS_MS;
pub(crate) use counts::Counts;
pub(crate) use refusal::Refusal;
pub(crate) use workshop::{Flights, Order, Workshop, tried};

/// What tells bytes of modules from others, in here: their BLAKE3, since a start has no time for a sha256.
pub(crate) type Digest = [u8; 32];

/// That of these bytes.
pub(crate) fn digest(bytes: &[u8]) -> Digest {
    blake3::hash(bytes).into()
}

/// The bounds of compiling, the same for every module that a host loads, each with a default that keeps the host safe.
///
/// Exceeding one is an error of the load that says the limit, its value and what was found. Code that is taken from the
/// cache is not compiled; the sizes and counts bound it all the same, so that what is refused is refused each time.
///
/// | limit | default |
/// |---|---|
/// | bytes of a module, of its text too | 64 MiB |
/// | functions | 100,000 |
/// | bytes of one function's body | 512 KiB |
/// | wall time of a compile | 60 s |
/// | compiles at once | 8 |
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::{CompileLimits, Host, LoadError};
/// let host = Host::builder().isolates(1).compile_limits(CompileLimits::default().functions(1)).build()?;
/// let refused = host.load("two", b"(module (func) (func))");
/// assert!(matches!(refused, Err(LoadError::Limit { which: "functions", limit: 1, found: 2, .. })));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CompileLimits {
    /// Bytes of a module, as it is given and in its binary form.
    pub bytes_max: u64,
    /// Functions of a module.
    pub functions_max: u64,
    /// Bytes of the body of one function.
    pub function_bytes_max: u64,
    /// Wall time of a compile, validation included.
    pub wall_max: Duration,
    /// Compiles at once, those that were left behind included.
    pub at_once_max: u32,
}

impl Default for CompileLimits {
    fn default() -> CompileLimits {
        CompileLimits {
            bytes_max: 64 << 20,
            functions_max: 100_000,
            function_bytes_max: 512 << 10,
            wall_max: Duration::from_secs(60),
            at_once_max: 8,
        }
    }
}

impl CompileLimits {
    /// Sets the bound of a module's bytes.
    #[must_use]
    pub fn bytes(mut self, bytes: u64) -> CompileLimits {
        self.bytes_max = bytes;
        self
    }

    /// Sets how many functions a module may have.
    #[must_use]
    pub fn functions(mut self, functions: u64) -> CompileLimits {
        self.functions_max = functions;
        self
    }

    /// Sets the bound of one function's body, in bytes. What a function takes to be compiled, in time and memory, grows
    /// faster than its body.
    #[must_use]
    pub fn function_bytes(mut self, bytes: u64) -> CompileLimits {
        self.function_bytes_max = bytes;
        self
    }

    /// Sets the wall time of a compile. A load waits so long for the compile, and before that, where all places are taken,
    /// so long for a place.
    ///
    /// In this process the compile that takes longer goes on, since wasmtime cannot be interrupted: it is
    /// [left behind](crate::Host::compiles_left_behind), and what comes of it goes to the cache. A
    /// [child](CompileChild) is killed.
    #[must_use]
    pub fn wall(mut self, time: Duration) -> CompileLimits {
        self.wall_max = time;
        self
    }

    /// Sets how many modules may be compiled at once. A further load waits for a place; it is refused where all places
    /// are those of compiles that were left behind.
    #[must_use]
    pub fn at_once(mut self, compiles: u32) -> CompileLimits {
        self.at_once_max = compiles;
        self
    }

    /// Whether so many bytes are looked at.
    pub(crate) fn check_length(&self, length: u64) -> Result<(), Refusal> {
        within("bytes", self.bytes_max, length)
    }

    /// Whether a module's functions are compiled. Where they cannot be read, validation says why.
    pub(crate) fn check_functions(&self, module: &[u8]) -> Result<(), Refusal> {
        if (self.functions_max, self.function_bytes_max) == (u64::MAX, u64::MAX) {
            return Ok(());
        }
        for payload in Parser::new(0).parse_all(module) {
            match payload {
                Ok(Payload::FunctionSection(functions)) => {
                    within("functions", self.functions_max, functions.count().into())?;
                }
                Ok(Payload::CodeSectionStart { count, .. }) => within("functions", self.functions_max, count.into())?,
                Ok(Payload::CodeSectionEntry(body)) => {
                    within("function_bytes", self.function_bytes_max, body.range().len() as u64)?;
                }
                Ok(_) => {}
                Err(_) => return Ok(()),
            }
        }
        Ok(())
    }
}

fn within(which: &'static str, limit: u64, found: u64) -> Result<(), Refusal> {
    if found <= limit { Ok(()) } else { Err(Refusal::Limit { which, limit, found }) }
}

/// Refuses what is no valid module, with its reason. What was compiled before, in this process or an earlier one, was
/// valid then, and its bytes are the same: so this is asked before a module is compiled, and not at every load.
pub(crate) fn validate(bytes: &[u8]) -> Result<Types, Refusal> {
    let mut features = wasmparser::WasmFeatures::default();
    features.remove(wasmparser::WasmFeatures::THREADS);
    let checked = wasmparser::Validator::new_with_features(features).validate_all(bytes);
    checked.map_err(|error| Refusal::NotWasm(error.to_string()))
}
