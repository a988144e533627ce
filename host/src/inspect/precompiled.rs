//! What a piece of precompiled code says of itself. Its code is not looked at: to read a forged one does no harm.

use super::{ModuleInfo, inspect};
use crate::compile::Artefact;
use crate::engine::Kind;
use crate::error::LoadError;

/// What [`Module::precompile`](crate::Module::precompile) made, as it says itself; [`inspect_precompiled`] tells.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let host = insula::Host::builder().isolates(1).build()?;
/// let kept = host.load("kept", b"(module (func (export \"run\")))")?.precompile();
/// let info = insula::inspect_precompiled("kept", &kept)?;
/// assert_eq!(info.machine, format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS));
/// assert_eq!((info.is_trusted, info.module.entries().count()), (false, 1));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PrecompiledInfo {
    /// The version of insula that made it.
    pub version: String,
    /// The machine that it is for: its architecture and system, as `x86_64-linux`.
    pub machine: String,
    /// Whether it was [trusted](crate::Host::load_trusted).
    pub is_trusted: bool,
    /// How many bytes of code it has.
    pub code_bytes: u64,
    /// The module that it came from, which is in it.
    pub module: ModuleInfo,
}

/// Whether bytes begin as those of [`Module::precompile`](crate::Module::precompile) do. The first hundred are enough.
#[must_use]
pub fn is_precompiled(bytes: &[u8]) -> bool {
    Artefact::detect(bytes)
}

/// What precompiled code says of itself, and what the module in it imports and exports. Nothing of it runs. Who made the
/// bytes it cannot say: see [`Host::load_precompiled`](crate::Host::load_precompiled).
///
/// # Errors
/// [`LoadError::NotPrecompiled`] where the bytes are something else, or were cut or changed; those of [`inspect`] for the
/// module in them.
pub fn inspect_precompiled(name: &str, bytes: &[u8]) -> Result<PrecompiledInfo, LoadError> {
    let Artefact { version, machine, kind, module, code, .. } = Artefact::read(name, bytes)?;
    let (is_trusted, code_bytes) = (kind == Kind::Trusted, code.len() as u64);
    Ok(PrecompiledInfo { version, machine, is_trusted, code_bytes, module: inspect(name, module)? })
}
