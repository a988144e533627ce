//! `insula man`: manual pages, made of the same text as `insula help`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Command, CommandFactory};
use clap_mangen::Man as Page;

use super::code::Outcome;
use super::{Cli, answer, report};

/// Prints the manual page of insula or of a command, or writes all of them
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Man {
    /// A folder that gets a page for each command; it is made if it is missing
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    out: Option<PathBuf>,

    /// The command whose page is printed
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  insula man run | man -l -
  insula man --out ~/.local/share/man/man1";

impl Man {
    pub(super) fn run(self) -> Result<Outcome> {
        let mut root = Cli::command().disable_help_subcommand(true);
        if let Some(folder) = self.out {
            std::fs::create_dir_all(&folder).with_context(|| report::path(&folder))?;
            clap_mangen::generate_to(root, &folder).with_context(|| report::path(&folder))?;
            return Ok(Outcome::Answered(ExitCode::SUCCESS));
        }
        // Gives each command the full name that its page has.
        root.build();
        let page = match &self.command {
            None => &root,
            Some(name) => visible(&root).find(|command| command.get_name() == name).with_context(|| {
                let names: Vec<&str> = visible(&root).map(Command::get_name).collect();
                format!("there is no command `{name}`; the commands are: {}", names.join(", "))
            })?,
        };
        let mut text = Vec::new();
        Page::new(page.clone()).render(&mut text).context("cannot make the page")?;
        answer::bytes(&text)
    }
}

fn visible(root: &Command) -> impl Iterator<Item = &Command> {
    root.get_subcommands().filter(|command| !command.is_hide_set())
}
