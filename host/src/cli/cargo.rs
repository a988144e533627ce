//! Guests from source: cargo finds them, and builds them for wasm32-wasip1.
//!
//! It is the user's cargo with the user's toolchain and settings, run where the package is, less the flags that are
//! meant for the host: `insula` may itself run below `cargo run`, whose flags would end up in the guest.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;

use super::progress::Line;
use super::report;

/// What guests are built for.
pub(super) const TRIPLE: &str = "wasm32-wasip1";

/// What the environment may say about the host's build, and a guest's build must not hear.
const FOR_THE_HOST: [&str; 5] =
    ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTC_WORKSPACE_WRAPPER"];

/// A package of a workspace.
#[derive(Debug, Deserialize)]
pub(super) struct Package {
    id: String,
    name: String,
    manifest_path: PathBuf,
    default_run: Option<String>,
    targets: Vec<Built>,
    /// The folder of its workspace.
    #[serde(skip)]
    root: PathBuf,
}

/// What cargo calls a target: a bin, an example, a library.
#[derive(Clone, Debug, Deserialize)]
struct Built {
    name: String,
    kind: Vec<String>,
    src_path: PathBuf,
}

/// A program that can be built and run.
#[derive(Debug)]
pub(super) struct Program {
    package: String,
    manifest: PathBuf,
    kind: Kind,
    name: String,
    root: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Bin,
    Example,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Bin => "bin",
            Kind::Example => "example",
        }
    }
}

/// What a program is built from, beside what its own dependency file says.
#[derive(Debug)]
pub(super) struct Workspace {
    /// The folders of the packages that are not from a registry: the program's, and those that it depends on by path.
    pub(super) packages: Vec<PathBuf>,
    /// Where cargo builds.
    pub(super) target: PathBuf,
    pub(super) root: PathBuf,
}

/// The packages of the workspace that the manifest in `folder` belongs to.
pub(super) fn packages(folder: &Path) -> Result<Vec<Package>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
        workspace_root: PathBuf,
    }
    let mut command = cargo(folder);
    command.args(["metadata", "--no-deps", "--format-version", "1"]);
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().map_err(no_cargo)?;
    if !output.status.success() {
        bail!("cargo cannot read the package in {}", report::path(folder));
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("cargo metadata says what is no JSON")?;
    let Metadata { packages, workspace_root } = metadata;
    Ok(packages.into_iter().map(|package| Package { root: workspace_root.clone(), ..package }).collect())
}

impl Package {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn is_at(&self, manifest: &Path) -> bool {
        same_file(&self.manifest_path, manifest)
    }

    /// The names of what it has to run.
    pub(super) fn programs(&self) -> impl Iterator<Item = &str> {
        self.targets.iter().filter(|target| target.program().is_some()).map(|target| target.name.as_str())
    }

    /// The program whose main file this is.
    pub(super) fn program_at(&self, file: &Path) -> Option<Program> {
        let target =
            self.targets.iter().find(|target| target.program().is_some() && same_file(&target.src_path, file))?;
        self.program(target)
    }

    /// The one that `cargo run` runs.
    pub(super) fn default_program(&self) -> Result<Program> {
        let bins: Vec<&Built> = self.targets.iter().filter(|target| target.program() == Some(Kind::Bin)).collect();
        let default = self.default_run.as_ref();
        let chosen = match bins.as_slice() {
            [] => bail!("package {} has no bin; give the .rs file of an example", self.name),
            [only] => Some(*only),
            bins => bins.iter().copied().find(|bin| Some(&bin.name) == default),
        };
        chosen.and_then(|bin| self.program(bin)).with_context(|| {
            let names: Vec<&str> = bins.iter().map(|bin| bin.name.as_str()).collect();
            format!(
                "package {} has several bins ({}) and no default-run: give the .rs file of one",
                self.name,
                names.join(", ")
            )
        })
    }

    fn program(&self, target: &Built) -> Option<Program> {
        let (package, manifest, root) = (self.id.clone(), self.manifest_path.clone(), self.root.clone());
        Some(Program { package, manifest, kind: target.program()?, name: target.name.clone(), root })
    }
}

impl Built {
    fn program(&self) -> Option<Kind> {
        [Kind::Bin, Kind::Example].into_iter().find(|kind| self.kind.iter().any(|word| word == kind.word()))
    }
}

impl Program {
    /// What it is built from. cargo's own words are for the build, which comes after.
    pub(super) fn workspace(&self) -> Result<Workspace> {
        #[derive(Deserialize)]
        struct Metadata {
            packages: Vec<Local>,
            target_directory: PathBuf,
            workspace_root: PathBuf,
        }
        #[derive(Deserialize)]
        struct Local {
            source: Option<String>,
            manifest_path: PathBuf,
        }
        let mut command = cargo(self.folder());
        command.args(["metadata", "--quiet", "--format-version", "1", "--filter-platform", TRIPLE]);
        let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().map_err(no_cargo)?;
        let metadata: Metadata =
            serde_json::from_slice(&output.stdout).context("cargo metadata says what is no JSON")?;
        let local = metadata.packages.into_iter().filter(|package| package.source.is_none());
        let packages = local.filter_map(|package| Some(package.manifest_path.parent()?.to_owned())).collect();
        Ok(Workspace { packages, target: metadata.target_directory, root: metadata.workspace_root })
    }

    /// The folder of its workspace, in which the names of its sources begin.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of its package.
    pub(super) fn folder(&self) -> &Path {
        self.manifest.parent().unwrap_or(Path::new("."))
    }

    /// Builds it, and says where its module is. cargo's own words go where cargo puts them.
    pub(super) fn build(&self) -> Result<PathBuf> {
        ensure_target(self.folder())?;
        let mut command = cargo(self.folder());
        command.args(["build", "--release", "--quiet", "--target", TRIPLE, "--message-format=json-render-diagnostics"]);
        command.arg("--manifest-path").arg(&self.manifest).args(["-p", &self.package]);
        command.args([&format!("--{}", self.kind.word()), &self.name]);
        let line = Line::begin(&format!("building {} `{}`", self.kind.word(), self.name));
        if line.is_seen() {
            command.stderr(Stdio::piped());
            keep_colours(&mut command);
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(no_cargo)?;
        let (messages, errors) = (child.stdout.take().context("cargo has no output")?, child.stderr.take());
        let module = std::thread::scope(|scope| {
            scope.spawn(|| errors.map(|errors| pass_on(errors, &line)));
            self.module_in(BufReader::new(messages))
        });
        let status = child.wait().context("cannot wait for cargo")?;
        line.end();
        if !status.success() {
            bail!("cargo cannot build {} `{}` for {TRIPLE}", self.kind.word(), self.name);
        }
        module?.with_context(|| format!("cargo built {} `{}`, but no .wasm file", self.kind.word(), self.name))
    }

    /// The module's file, from cargo's messages. All are read: cargo would wait for us otherwise.
    fn module_in(&self, messages: impl BufRead) -> Result<Option<PathBuf>> {
        #[derive(Deserialize)]
        struct Artifact {
            target: Built,
            filenames: Vec<PathBuf>,
        }
        let mut module = None;
        for line in messages.lines() {
            let line = line.context("cannot read what cargo says")?;
            // Other kinds of message have other fields, and are not for us.
            let Ok(artifact) = serde_json::from_str::<Artifact>(&line) else { continue };
            if artifact.target.name == self.name && artifact.target.program() == Some(self.kind) {
                let is_module = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "wasm");
                module = artifact.filenames.into_iter().find(is_module).or(module);
            }
        }
        Ok(module)
    }
}

/// Has cargo colour what it writes to a pipe of ours as it would where ours ends.
fn keep_colours(command: &mut Command) {
    let wanted = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    if wanted && std::env::var_os("CARGO_TERM_COLOR").is_none() {
        command.env("CARGO_TERM_COLOR", "always");
    }
}

/// Says what cargo says, a line at a time: what is in pieces would be torn by the line below it.
fn pass_on(errors: impl Read, line: &Line) {
    let mut errors = BufReader::new(errors);
    loop {
        let mut bytes = Vec::new();
        match errors.read_until(b'\n', &mut bytes) {
            Ok(0) | Err(_) => break,
            Ok(_) => line.say(bytes),
        }
    }
}

/// Adds the target to the toolchain that cargo will use in `folder`, if it is missing.
pub(super) fn ensure_target(folder: &Path) -> Result<()> {
    let Some(told) = missing_target(folder) else { return Ok(()) };
    report::note(&format!("the Rust toolchain has no target {TRIPLE} yet: {told}"));
    let mut words = told.split(' ');
    let mut rustup = Command::new(words.next().unwrap_or_default());
    match rustup.args(words).current_dir(folder).stdout(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(anyhow!("cannot add the target {TRIPLE}; once you can, run: {told}")),
        Err(error) => {
            Err(anyhow!("cannot add the target {TRIPLE} ({error}); install Rust with rustup, then run: {told}"))
        }
    }
}

/// The command that adds the target to the toolchain that cargo will use in `folder`, if it is missing.
pub(super) fn missing_target(folder: &Path) -> Option<String> {
    let mut command = rustc(folder);
    command.args(["--print", "target-libdir", "--target", TRIPLE]).stderr(Stdio::null());
    // Where there is no answer, cargo will say better what is wrong with the toolchain.
    let output = command.output().ok().filter(|output| output.status.success())?;
    let library = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if has_std(&library) {
        return None;
    }
    let toolchain = toolchain_of(&library).map(|toolchain| format!("--toolchain {toolchain} ")).unwrap_or_default();
    Some(format!("rustup target add {toolchain}{TRIPLE}"))
}

fn has_std(library: &Path) -> bool {
    let Ok(files) = library.read_dir() else { return false };
    files.flatten().any(|file| file.file_name().to_string_lossy().starts_with("libstd-"))
}

/// The name that rustup has for the toolchain that this folder is in.
fn toolchain_of(library: &Path) -> Option<&str> {
    let mut folders = library.iter().skip_while(|folder| *folder != "toolchains");
    folders.nth(1)?.to_str()
}

/// rustc as the user has it in `folder`, where rustup finds the package's toolchain file.
pub(super) fn rustc(folder: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    command.current_dir(folder);
    command
}

/// cargo as the user has it in `folder`, where it finds the package's toolchain file and settings.
pub(super) fn cargo(folder: &Path) -> Command {
    // Set when we run below cargo, which is then the one in use.
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(folder);
    for name in FOR_THE_HOST {
        command.env_remove(name);
    }
    command
}

pub(super) fn no_cargo(error: std::io::Error) -> anyhow::Error {
    anyhow!("cannot run cargo ({error}): install Rust from https://rustup.rs, or give a .wasm file")
}

pub(super) fn same_file(one: &Path, other: &Path) -> bool {
    let canonical = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    canonical(one) == canonical(other)
}
