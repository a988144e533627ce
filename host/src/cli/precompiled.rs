//! `--allow-precompiled`: the one place of the command line that loads code without compiling it.
//!
//! Such a file is machine code, and runs with all that the user may do: whoever can forge one has the user's rights. No
//! look at the file tells a forged one, so only the user can answer for it, and does so by a flag that is spelled as
//! wasmtime spells it. Without the flag such a file is refused by name, whatever it is called.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use insula::{Ahead, Host, LoadError, Module};

use super::{progress, report};

/// Loads a module's file, which may have been read ahead, and one of precompiled code where that is allowed.
pub(super) fn load(host: &Host, path: &Path, ahead: Option<Ahead>, allowed: bool) -> Result<Module> {
    let name = path.display().to_string();
    if allowed && is_precompiled(path)? {
        let bytes = std::fs::read(path).with_context(|| report::path(path))?;
        return Ok(load_allowed(host, &name, &bytes)?);
    }
    let load = || ahead.map_or_else(|| host.load_file(path), |ahead| host.load_ahead(ahead));
    progress::while_at_work("compiling", path, load).map_err(|error| match error {
        LoadError::Precompiled { .. } if allowed => {
            anyhow!(
                "{}: this is wasmtime's compiled code, which insula does not load; give the .wasm that it came from",
                report::path(path)
            )
        }
        LoadError::Precompiled { .. } => anyhow!(
            "{}: precompiled code runs unchecked: give --allow-precompiled if you made this file with `insula compile` \
             and nobody else could write to it, or else the .wasm that it came from",
            report::path(path)
        ),
        other => other.into(),
    })
}

#[allow(unsafe_code, reason = "the user answers for the file, by --allow-precompiled")]
fn load_allowed(host: &Host, name: &str, bytes: &[u8]) -> Result<Module, LoadError> {
    // SAFETY: the user said that `Module::precompile` made these bytes, by a flag whose help says what it means; without
    // it nobody comes here. The bytes are in memory of ours, so that what is checked for accidents is what runs.
    unsafe { host.load_precompiled(name, bytes) }
}

/// Whether the file begins as precompiled code does.
fn is_precompiled(path: &Path) -> Result<bool> {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(100).read_to_end(&mut head));
    read.with_context(|| report::path(path))?;
    Ok(insula::is_precompiled(&head))
}
