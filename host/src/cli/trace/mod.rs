//! `--trace`, and `insula trace`: a run as a picture of who did what when, and who told whom.
//!
//! - `recording`: what `insula run --trace` keeps while the program runs, and writes when it is over.
//! - `file`: the file, in the trace format of Chromium that Perfetto opens too; and what is read back from it.
//! - `page`: one HTML page with timeline and sequence; `stats`, `mermaid`: the same as numbers, and as a diagram's text.

mod file;
mod mermaid;
mod page;
mod recording;
mod stats;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};

use super::code::Outcome;
use super::report;
use file::Trace;
pub(super) use recording::Recording;

/// Shows what a run did that `insula run --trace FILE` recorded.
#[derive(Args, Debug)]
#[command(arg_required_else_help = true, after_help = EXAMPLES)]
pub(super) struct Command {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Makes a page of it that any browser shows: a timeline, and a sequence diagram
    #[command(after_help = "Examples:\n  insula trace show run.json")]
    Show {
        /// A file that `insula run --trace` wrote
        file: PathBuf,
        /// The page; by default the file's name with `.html`
        #[arg(short, long, value_name = "PAGE")]
        output: Option<PathBuf>,
    },
    /// Prints how long each isolate ran, waited and was ready, and what it sent and received
    #[command(after_help = "Examples:\n  insula trace stats --json run.json")]
    Stats {
        /// A file that `insula run --trace` wrote
        file: PathBuf,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Prints its messages as a sequence diagram, in the language of Mermaid
    #[command(after_help = "Examples:\n  insula trace mermaid --limit 50 run.json")]
    Mermaid {
        /// A file that `insula run --trace` wrote
        file: PathBuf,
        /// As many messages, births and ends, the first ones
        #[arg(long, value_name = "N", default_value_t = 500)]
        limit: usize,
    },
}

const EXAMPLES: &str = "\
Examples:
  insula run --trace run.json app.wasm     records; ui.perfetto.dev opens run.json too
  insula trace show run.json               writes run.html
  insula trace stats run.json
  insula trace mermaid --limit 50 run.json > run.mmd";

impl Command {
    pub(super) fn run(self) -> Result<Outcome> {
        match self.what {
            What::Show { file, output } => {
                let page = output.unwrap_or_else(|| file.with_extension("html"));
                let text = page::page(&Trace::read(&file)?);
                std::fs::write(&page, text).with_context(|| report::path(&page))?;
                report::note(&format!("the page is {}", report::path(&page)));
            }
            What::Stats { file, json } => stats::print(&Trace::read(&file)?, json)?,
            What::Mermaid { file, limit } => mermaid::print(&Trace::read(&file)?, limit)?,
        }
        Ok(Outcome::Done)
    }
}
