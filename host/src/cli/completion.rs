//! `insula completion`: what a shell needs to complete our commands and flags.

use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::code::Outcome;
use super::{Cli, answer};

/// Prints a script by which a shell completes insula's commands and flags
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Completion {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  insula completion bash > ~/.local/share/bash-completion/completions/insula
  insula completion zsh > ~/.zfunc/_insula
  insula completion fish > ~/.config/fish/completions/insula.fish";

impl Completion {
    pub(super) fn run(self) -> Result<Outcome> {
        let mut script = Vec::new();
        generate(self.shell, &mut Cli::command(), "insula", &mut script);
        answer::bytes(&script)
    }
}
