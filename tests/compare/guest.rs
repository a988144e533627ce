//! The guest of the measurements, and hosts that run it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use insula::{Grant, Host, HostBuilder, Module, Spawn};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Where the guest's module is.
pub(crate) type Wasm = Path;

/// Builds the guest, as its user would.
pub(crate) fn build() -> anyhow::Result<PathBuf> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the tests lie in the repository")?;
    let target = target_folder()?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(repository).args(["build", "--quiet", "--release", "--target", "wasm32-wasip1"]);
    cargo.args(["-p", "insula-compare-guest", "--target-dir"]).arg(&target);
    let status = cargo.status().context("cargo cannot be run")?;
    anyhow::ensure!(status.success(), "cargo build ended with {status}");
    Ok(target.join("wasm32-wasip1/release/insula-compare-guest.wasm"))
}

/// The target directory that this program lies in.
pub(crate) fn target_folder() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?;
    Ok(program.ancestors().nth(2).context("a program lies in TARGET/PROFILE")?.to_path_buf())
}

/// A host, and the guest's module in it.
pub(crate) struct Ours {
    pub(crate) host: Host,
    pub(crate) module: Module,
}

impl Ours {
    /// Two workers, room for so many isolates.
    pub(crate) fn new(wasm: &Wasm, isolates: u32) -> anyhow::Result<Ours> {
        Ours::with(wasm, Host::builder().isolates(isolates).threads(2))
    }

    /// As the builder says; compiled code is kept below the target directory.
    pub(crate) fn with(wasm: &Wasm, builder: HostBuilder) -> anyhow::Result<Ours> {
        let host = builder.cache_folder(target_folder()?.join("compare-cache")).build()?;
        let module = host.load_file(wasm)?;
        Ok(Ours { host, module })
    }

    /// What the export answers, in an isolate of its own.
    pub(crate) fn ask<A: Serialize, V: DeserializeOwned + 'static>(
        &self,
        export: &str,
        argument: &A,
    ) -> anyhow::Result<V> {
        let spawn = Spawn::entry(export).grant(Grant::fine_clock());
        Ok(self.host.compute(&self.module, spawn, argument)?.join()?)
    }
}
