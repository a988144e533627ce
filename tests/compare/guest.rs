//! The guest of the measurements, and hosts that run it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use insula::{Grant, Host, HostBuilder, Module, Spawn};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Where the guest's module is.
pub(crate) type Wasm = Path;

/// Builds the guest, as its user would, and the small programs beside it.
pub(crate) fn build() -> anyhow::Result<PathBuf> {
    build_guest("release", &[])
}

/// Builds a program of the guest's package once more, with the lines of its sources in it.
pub(crate) fn build_with_lines(program: &str) -> anyhow::Result<PathBuf> {
    let settings = ["inherits='release'", "strip='none'", "debug='line-tables-only'"];
    let settings = settings.map(|setting| format!("--config=profile.lines.{setting}"));
    let guest = build_guest("lines", &[&settings[..], &[format!("--bin={program}")]].concat())?;
    Ok(guest.with_file_name(format!("{program}.wasm")))
}

/// The program of births, deaths and many that wait, which lies beside the other.
pub(crate) fn lives(wasm: &Wasm) -> PathBuf {
    wasm.with_file_name("insula-compare-lives.wasm")
}

fn build_guest(profile: &str, options: &[String]) -> anyhow::Result<PathBuf> {
    let mut cargo = cargo_build(profile)?;
    // Whoever builds this program faster by it means the host.
    cargo.env_remove("CARGO_PROFILE_RELEASE_LTO");
    cargo.args(["--target", "wasm32-wasip1", "-p", "insula-compare-guest"]).args(options);
    finish(cargo)?;
    Ok(target_folder()?.join("wasm32-wasip1").join(profile).join("insula-compare-guest.wasm"))
}

/// Builds the binary `insula`, and the references that it is measured beside.
pub(crate) fn build_programs() -> anyhow::Result<[PathBuf; 3]> {
    const REFERENCES: [&str; 2] = ["compare-cached", "compare-minimal"];
    let mut cargo = cargo_build("release")?;
    // With the package of this program beside it, cargo resolves the features of dependencies as it did for this program,
    // and finds all of them built.
    cargo.args(["-p", "insula", "-p", "insula-tests", "--bin", "insula", "--bin", REFERENCES[1]]);
    finish(cargo)?;
    let mut cargo = cargo_build("release")?;
    cargo.args(["-p", "insula-tests", "--bin", REFERENCES[0], "--features", "cached"]);
    finish(cargo)?;
    let folder = target_folder()?.join("release");
    let [cached, minimal] = REFERENCES;
    Ok(["insula", cached, minimal].map(|name| folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))))
}

/// Into the target directory that this program lies in.
fn cargo_build(profile: &str) -> anyhow::Result<Command> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the tests lie in the repository")?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(repository).args(["build", "--quiet", "--profile", profile]);
    cargo.arg("--target-dir").arg(target_folder()?);
    Ok(cargo)
}

fn finish(mut cargo: Command) -> anyhow::Result<()> {
    let status = cargo.status().context("cargo cannot be run")?;
    anyhow::ensure!(status.success(), "cargo build ended with {status}");
    Ok(())
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

    /// What the export answers, in an isolate of its own. The argument's types are to be the guest's: of a number that is
    /// an `i32` here and a `u32` there, twice as much arrives.
    pub(crate) fn ask<A: Serialize, V: DeserializeOwned + 'static>(
        &self,
        export: &str,
        argument: &A,
    ) -> anyhow::Result<V> {
        let spawn = Spawn::entry(export).grant(Grant::fine_clock());
        Ok(self.host.compute(&self.module, spawn, argument)?.join()?)
    }
}
