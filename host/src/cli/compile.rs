//! `insula compile`: a program with its code, so that who runs it need not compile.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use insula::Host;

use super::code::Outcome;
use super::target::Target;
use super::{cargo, progress, report, run};

/// Compiles a program ahead of time, for this machine and this version of insula
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Compile {
    /// The file to write; by default the module's name with .cwasm, in this folder
    #[arg(short, long, value_name = "OUT.cwasm")]
    output: Option<PathBuf>,

    /// A .wasm or .wat file, a .rs file that is a bin or example of the package around it, or a package folder
    #[arg(value_name = "TARGET")]
    target: PathBuf,
}

const EXAMPLES: &str = "\
What is written holds the module and machine code for it. Another version of insula, another machine
and another processor refuse it. Such code runs unchecked, so `insula run` asks for a flag: give it
for files that you made yourself, and that nobody else could write to.

Examples:
  insula compile app.wasm                 writes app.cwasm
  insula compile -o out/app.cwasm app/    a package folder, built first
  insula run --allow-precompiled app.cwasm";

impl Compile {
    pub(super) fn run(self) -> Result<Outcome> {
        let module = Target::find(&self.target)?.module()?;
        let output = match self.output {
            Some(output) => output,
            None => Path::new(module.file_name().context("the target has no name")?).with_extension("cwasm"),
        };
        if cargo::same_file(&output, &module) {
            bail!("{} is the module itself: give another file with -o", report::path(&output));
        }
        let mut builder = Host::builder().isolates(1).threads(1).compile_limits(run::compile_limits());
        if let Some(folder) = run::cache_folder() {
            builder = builder.cache_folder(folder);
        }
        let host = builder.build()?;
        let code = progress::while_at_work("compiling", &module, || host.load_file(&module))?.precompile();
        std::fs::write(&output, code).with_context(|| report::path(&output))?;
        Ok(Outcome::Answered(ExitCode::SUCCESS))
    }
}
