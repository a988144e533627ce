//! What TARGET means: a module, or Rust to build one from.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;

use super::build;

/// A bin or an example of a package.
pub(super) struct Program {
    pub(super) manifest: PathBuf,
    pub(super) package: String,
    /// `--bin` or `--example`.
    pub(super) flag: &'static str,
    pub(super) name: String,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    manifest_path: PathBuf,
    default_run: Option<String>,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
    src_path: PathBuf,
}

/// The module that TARGET names, built if it is Rust.
pub(super) fn module_file(target: &Path) -> anyhow::Result<PathBuf> {
    let shown = target.display();
    if target.is_dir() {
        let manifest = target.join("Cargo.toml");
        if !manifest.is_file() {
            bail!("{shown}: the folder has no Cargo.toml; name a package's folder, a .rs, a .wasm or a .wat file");
        }
        return build::module(&of_package(target, &manifest)?);
    }
    if !target.exists() {
        bail!("{shown}: there is no such file or folder");
    }
    if target.extension().is_some_and(|extension| extension == "rs") {
        return build::module(&of_source(target)?);
    }
    Ok(target.to_owned())
}

/// The one program of a package: its default-run, or its only bin.
fn of_package(folder: &Path, manifest: &Path) -> anyhow::Result<Program> {
    let shown = folder.display();
    let manifest = manifest.canonicalize()?;
    let package = metadata(folder)?.packages.into_iter().find(|package| same(&package.manifest_path, &manifest));
    let package =
        package.with_context(|| format!("{shown}: a workspace without a package; name one of its packages"))?;
    let mut bins = package.targets.iter().filter(|target| target.kind.iter().any(|kind| kind == "bin"));
    let name = match (&package.default_run, bins.next(), bins.next()) {
        (Some(name), ..) => name.clone(),
        (None, Some(only), None) => only.name.clone(),
        (None, None, _) => bail!("{shown}: the package has no bin"),
        (None, Some(_), Some(_)) => {
            bail!("{shown}: the package has several bins and no default-run; name the .rs file of one")
        }
    };
    Ok(Program { manifest, package: package.id, flag: "--bin", name })
}

/// The bin or example that a source file is the root of.
fn of_source(file: &Path) -> anyhow::Result<Program> {
    let shown = file.display();
    let source = file.canonicalize()?;
    let folder = source.parent().unwrap_or(Path::new("/"));
    if !folder.ancestors().any(|folder| folder.join("Cargo.toml").is_file()) {
        bail!("{shown}: no Cargo package around it; `cargo new` makes one");
    }
    for package in metadata(folder)?.packages {
        for target in package.targets.iter().filter(|target| same(&target.src_path, &source)) {
            let flag = match target.kind.first().map(String::as_str) {
                Some("bin") => "--bin",
                Some("example") => "--example",
                _ => continue,
            };
            let (manifest, name) = (package.manifest_path.clone(), target.name.clone());
            return Ok(Program { manifest, package: package.id, flag, name });
        }
    }
    bail!("{shown}: it is no bin and no example of the Cargo package around it")
}

fn same(path: &Path, canonical: &Path) -> bool {
    path.canonicalize().is_ok_and(|path| path == canonical)
}

fn metadata(folder: &Path) -> anyhow::Result<Metadata> {
    let mut cargo = build::cargo(folder);
    cargo.args(["metadata", "--no-deps", "--format-version", "1"]);
    let output = cargo.output().context("cargo cannot be started; Rust comes with rustup (https://rustup.rs)")?;
    if !output.status.success() {
        bail!("cargo metadata failed:\n{}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    serde_json::from_slice(&output.stdout).context("cargo metadata printed what is no metadata")
}
