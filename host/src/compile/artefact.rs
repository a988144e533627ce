//! A module and its code in one piece, as [`Module::precompile`](crate::Module::precompile) makes it.
//!
//! The module is there in full: digest, exports and lines are read from it, and a host that cannot use the code may
//! compile it. A checksum finds what was cut or changed by accident, and nothing that was changed on purpose.

use serde::{Deserialize, Serialize};

use super::wire::VERSION;
use crate::digest::Sha256;
use crate::engine::Kind;
use crate::error::{LoadError, machine};

/// What an artefact begins with; a change of what follows changes it.
const MAGIC: &[u8; 21] = b"insula-precompiled-2\n";

/// Bytes of a sha256, and of a length.
const SUM_BYTES: usize = 32;
const LENGTH_BYTES: usize = 4;

/// What is in front of the module.
#[derive(Serialize, Deserialize)]
struct Head {
    version: String,
    machine: String,
    engine: [u8; 32],
    kind: Kind,
    module_bytes: u64,
}

/// An artefact, read.
pub(crate) struct Artefact<'a> {
    /// The version of insula that made it.
    pub(crate) version: String,
    /// The machine that it is for, as errors name it.
    pub(crate) machine: String,
    /// The digest of the engine that the code is for.
    pub(crate) engine: [u8; 32],
    pub(crate) kind: Kind,
    /// The module, in its binary form.
    pub(crate) module: &'a [u8],
    /// Its code.
    pub(crate) code: &'a [u8],
}

impl<'a> Artefact<'a> {
    /// Whether the bytes are meant to be one.
    pub(crate) fn detect(bytes: &[u8]) -> bool {
        bytes.starts_with(MAGIC)
    }

    /// The artefact of a module and its code.
    pub(crate) fn write(engine: [u8; 32], kind: Kind, module: &[u8], code: &[u8]) -> Vec<u8> {
        let (version, machine) = (VERSION.to_owned(), machine());
        let head = Head { version, machine, engine, kind, module_bytes: module.len() as u64 };
        let head = postcard::to_allocvec(&head).expect("a head is of types that postcard knows");
        let length = u32::try_from(head.len()).expect("a head is short").to_le_bytes();
        let rest = [&length[..], &head, module, code].concat();
        let Sha256(sum) = Sha256::of(&rest);
        [&MAGIC[..], &sum, &rest].concat()
    }

    /// Reads one.
    pub(crate) fn read(name: &str, bytes: &'a [u8]) -> Result<Artefact<'a>, LoadError> {
        let wrong = |reason| LoadError::NotPrecompiled { name: name.to_owned(), reason };
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| wrong("it begins with something else"))?;
        let (sum, rest) = rest.split_at_checked(SUM_BYTES).ok_or_else(|| wrong("it is cut short"))?;
        if Sha256::of(rest).0 != *sum {
            return Err(wrong("it was cut or changed since"));
        }
        Artefact::parse(rest).ok_or_else(|| wrong("its head makes no sense"))
    }

    /// Whether this version of insula made it for this machine. What an engine's digest tells is more, and has no words.
    pub(crate) fn is_of_here(&self) -> bool {
        self.version == VERSION && self.machine == machine()
    }

    fn parse(rest: &'a [u8]) -> Option<Artefact<'a>> {
        let (length, rest) = rest.split_first_chunk::<LENGTH_BYTES>()?;
        let (head, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        let head: Head = postcard::from_bytes(head).ok()?;
        let (module, code) = rest.split_at_checked(usize::try_from(head.module_bytes).ok()?)?;
        Some(Artefact {
            version: head.version,
            machine: head.machine,
            engine: head.engine,
            kind: head.kind,
            module,
            code,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_artefact_comes_back_and_no_other_bytes_do() {
        let whole = Artefact::write([7; 32], Kind::Trusted, b"module", b"code");
        let read = Artefact::read("x", &whole).unwrap();
        assert_eq!(
            (read.engine, read.kind, read.module, read.code),
            ([7; 32], Kind::Trusted, &b"module"[..], &b"code"[..])
        );
        assert_eq!((read.version.as_str(), read.machine.as_str()), (VERSION, machine().as_str()));
        assert!(read.is_of_here());
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert!(matches!(Artefact::read("x", &changed), Err(LoadError::NotPrecompiled { .. })), "{at}");
            assert!(matches!(Artefact::read("x", &whole[..at]), Err(LoadError::NotPrecompiled { .. })), "{at}");
        }
    }
}
