//! Modules from compiled code that an embedder kept: the one way in for code that is not checked.
//!
//! It is `unsafe`, and says what its caller must know. Nothing else of the host loads such bytes: not the other loads, not
//! the command line, and no guest.

use super::{Host, Inner};
use crate::cache::Vouched;
use crate::compile::Artefact;
use crate::engine::Kind;
use crate::error::LoadError;
use crate::isolate::Module;

impl Host {
    /// Loads what [`Module::precompile`] made, without compiling it: in a program that has its plugins in itself, or on a
    /// machine that is not to compile. A module that was trusted when it was precompiled is [trusted](Host::load_trusted)
    /// here.
    ///
    /// Where code is to be kept from one run to the next, [`HostBuilder::cache_folder`](crate::HostBuilder::cache_folder)
    /// does that without a promise of yours. No [`CompileLimits`](crate::CompileLimits) are asked, since nothing is
    /// compiled.
    ///
    /// # Safety
    /// The bytes hold machine code, which runs in this process as a part of it; no sandbox is around it but the one that the
    /// compiler wove into it. So they must be exactly what `Module::precompile` returned. Whoever could have written to them
    /// on their way, to the file, the network or the bucket that they lay in, can do in this process whatever the process
    /// can. A checksum in them finds accidents; it finds no attack, as anybody can make it anew: sign them yourself, and check
    /// the signature before you call this. Never load so what a stranger gave, whatever he says that it is.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use insula::{Exit, Host, Spawn};
    /// let host = Host::builder().isolates(1).build()?;
    /// let kept = host.load("kept", b"(module (func (export \"run\")))")?.precompile();
    ///
    /// let other = Host::builder().isolates(1).build()?;
    /// // SAFETY: the bytes are from `precompile`, three lines above, and nobody else had them.
    /// let module = unsafe { other.load_precompiled("kept", &kept) }?;
    /// assert_eq!(other.spawn(&module, Spawn::entry("run"))?.join(), Exit::Returned);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`LoadError::NotPrecompiled`] where the bytes were cut or changed, [`LoadError::OtherEngine`] where they are for
    /// another engine than this host's; those of [`Host::load`] for what the module imports and needs, and of
    /// [`Host::load_trusted`] for one that is trusted.
    #[allow(unsafe_code, reason = "what it loads runs unchecked, and only its caller knows where it was")]
    pub unsafe fn load_precompiled(&self, name: &str, bytes: &[u8]) -> Result<Module, LoadError> {
        let artefact = Artefact::read(name, bytes)?;
        // SAFETY: the caller promises that `Module::precompile` made these bytes, and it put there what `serialized`
        // returned.
        let code = unsafe { Vouched::by_embedder(artefact.code) };
        self.inner().adopt(name, &artefact, code)
    }
}

impl Inner {
    /// A module with its code, in the quarters of its kind.
    fn adopt(&self, name: &str, artefact: &Artefact<'_>, code: Vouched<'_>) -> Result<Module, LoadError> {
        match artefact.kind {
            Kind::Checked | Kind::Counted => self.checked.adopt(name, artefact, code),
            Kind::Trusted => self.trusted_for(name)?.adopt(name, artefact, code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use crate::spawn::Spawn;

    const TEXT: &[u8] = b"(module (import \"wasi_snapshot_preview1\" \"sched_yield\" (func $yield (result i32)))
        (func (export \"run\") (drop (call $yield))))";

    fn host() -> Host {
        Host::builder().isolates(2).trusted_isolates(2).threads(1).build().unwrap()
    }

    #[allow(unsafe_code, reason = "what is tested")]
    fn load(host: &Host, bytes: &[u8]) -> Result<Module, LoadError> {
        // SAFETY: the tests pass what `precompile` returned, or what is refused before its code is looked at.
        unsafe { host.load_precompiled("kept", bytes) }
    }

    #[test]
    fn what_was_precompiled_runs_in_another_host_and_tells_the_same() {
        let (one, other) = (host(), host());
        for module in [one.load("yields", TEXT).unwrap(), one.load_trusted("yields", TEXT).unwrap()] {
            let again = load(&other, &module.precompile()).unwrap();
            assert_eq!((again.name(), again.digest()), ("kept", module.digest()));
            assert_eq!((again.info(), again.is_trusted()), (module.info(), module.is_trusted()));
            assert_eq!(other.spawn(&again, Spawn::entry("run")).unwrap().join(), Exit::Returned);
            // It is known now, as what was loaded is.
            assert!(other.load("yields", TEXT).is_ok());
        }
    }

    #[test]
    fn other_bytes_and_code_of_another_engine_are_refused() {
        let (host, narrow) = (host(), Host::builder().isolates(1).memory_max(1 << 20).memory_reservation(1 << 20));
        let kept = host.load("yields", TEXT).unwrap().precompile();
        let error = load(&narrow.build().unwrap(), &kept).unwrap_err();
        assert!(
            matches!(&error, LoadError::OtherEngine { version, .. } if version == env!("CARGO_PKG_VERSION")),
            "{error}"
        );
        for broken in [&kept[..kept.len() - 1], &kept[..30], TEXT, b"\0asm\x01\0\0\0", b""] {
            assert!(matches!(load(&host, broken), Err(LoadError::NotPrecompiled { .. })));
        }
    }

    #[test]
    fn no_other_load_takes_precompiled_code() {
        let host = host();
        let kept = host.load("yields", TEXT).unwrap().precompile();
        for refused in [host.load("kept", &kept), host.load_trusted("kept", &kept)] {
            assert!(matches!(refused, Err(LoadError::Precompiled { .. })));
        }
        assert!(matches!(crate::inspect::inspect("kept", &kept), Err(LoadError::Precompiled { .. })));
    }

    #[test]
    #[allow(unsafe_code)]
    fn code_that_counts_fuel_is_for_hosts_that_count() {
        let builder = || Host::builder().isolates(2).threads(1);
        let (counting, plain) = (builder().count_fuel(true).build().unwrap(), builder().build().unwrap());
        for (one, other) in [(&counting, &plain), (&plain, &counting)] {
            let bytes = one.load("yields", TEXT).unwrap().precompile();
            // SAFETY: `precompile` made these bytes a line above.
            let [here, there] = [one, other].map(|host| unsafe { host.load_precompiled("yields", &bytes) });
            assert_eq!(one.spawn(&here.unwrap(), Spawn::entry("run")).unwrap().join(), Exit::Returned);
            assert!(matches!(there, Err(LoadError::OtherEngine { .. })));
        }
    }
}
