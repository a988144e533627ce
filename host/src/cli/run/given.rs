//! What a program is given: authority by `--dir`, `--env` and `--module`, the name of its entry, and where its output goes.

use anyhow::Result;
use clap::{ArgAction, Args, ValueHint};
use insula::{Grant, Output, Spawn, Stdin};

use crate::cli::grants::{Folder, Offer, Variable};

/// The flags of what a program is given.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "What the program is given")]
pub(in crate::cli) struct GivenFlags {
    /// A folder that the program may read and write, and the name that it has there
    #[arg(long = "dir", value_name = "HOST[::GUEST]", value_hint = ValueHint::DirPath)]
    pub(super) folders: Vec<Folder>,

    /// An environment variable for the program; without a value, the one of this process
    #[arg(long = "env", value_name = "NAME[=VALUE]")]
    pub(super) variables: Vec<Variable>,

    /// A module that the program may spawn, and its name; those beside the program it may spawn in any case
    #[arg(long = "module", value_name = "NAME=TARGET", value_hint = ValueHint::AnyPath)]
    pub(super) modules: Vec<Offer>,

    /// Run this export of the module, which takes and returns nothing, as main
    #[arg(long, value_name = "NAME")]
    pub(super) invoke: Option<String>,

    /// Load what `insula compile` made, too. It runs unchecked: only for files that you made yourself, and nobody else
    /// could write to
    #[arg(long, value_name = "true|false", action = ArgAction::Set, num_args = 0..=1, require_equals = true,
        default_value_t = false, default_missing_value = "true", hide_default_value = true, hide_possible_values = true)]
    pub(super) allow_precompiled: bool,

    /// Begin each line that is printed with the name and the number of its isolate
    #[arg(long, value_name = "true|false", action = ArgAction::Set, num_args = 0..=1, require_equals = true,
        default_value_t = false, default_missing_value = "true", hide_default_value = true, hide_possible_values = true)]
    pub(super) label: bool,
}

impl GivenFlags {
    /// What the flags grant, looked at before anything is built.
    pub(super) fn grants(&self) -> Result<Vec<Grant>> {
        let grants = self.folders.iter().map(Folder::grant).chain(self.variables.iter().map(Variable::grant));
        grants.collect()
    }

    /// Main, as these flags have it, of a module with this name.
    pub(super) fn main(&self, name: &str, arguments: &[String], grants: &[Grant]) -> Spawn {
        let entry = self.invoke.as_ref().map_or_else(Spawn::main, Spawn::entry);
        let arguments = arguments.iter().map(String::as_str);
        let spawn = entry.args(std::iter::once(name).chain(arguments)).stdin(Stdin::Inherit);
        let given = [Grant::fine_clock(), Grant::names("run"), Grant::modules()];
        let spawn = given.into_iter().chain(grants.iter().cloned()).fold(spawn, Spawn::grant);
        match self.label {
            true => spawn.stdout(Output::Labelled).stderr(Output::Labelled),
            false => spawn,
        }
    }
}
