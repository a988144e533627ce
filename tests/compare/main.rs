//! insula beside its native references, measured in one run.
//!
//! `cargo run --release -p insula-tests --bin compare -- [--job NAME] [--json FILE] [--quick]`
//!
//! A job is a function that measures ours and the reference in turns, and answers with rows of the table. What a row
//! claims is a ratio of medians of one run, or a bound; docs/performance.md says what each job does and what limits it.

mod guest;
mod jobs;
mod measure;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use clap::Parser;

use measure::Effort;
use table::Row;

/// Measures insula beside its native references.
#[derive(Parser)]
#[command(name = "compare", version)]
struct Arguments {
    /// Runs only the jobs whose names contain this; can be given several times.
    #[arg(long = "job", value_name = "NAME")]
    jobs: Vec<String>,
    /// Writes the table as JSON too: a list of objects with the columns as keys.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Does a tenth of the work: says whether a job runs, and not much about its numbers.
    #[arg(long)]
    quick: bool,
    /// Names the jobs and ends.
    #[arg(long)]
    list: bool,
    /// The process of the job `idle`.
    #[arg(long, hide = true, num_args = 2, value_names = ["WASM", "COUNT"])]
    idle: Option<Vec<String>>,
    /// The process of the job `flood`.
    #[arg(long, hide = true, num_args = 3, value_names = ["WASM", "COUNT", "LENGTH"])]
    flood: Option<Vec<String>>,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if let Some([wasm, count]) = arguments.idle.as_deref() {
        jobs::idle::measure_here(wasm.as_ref(), count)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some([wasm, count, length]) = arguments.flood.as_deref() {
        jobs::flood::measure_here(wasm.as_ref(), count, length)?;
        return Ok(ExitCode::SUCCESS);
    }
    let wanted =
        |name: &str| arguments.jobs.is_empty() || arguments.jobs.iter().any(|part| name.contains(part.as_str()));
    let jobs: Vec<_> = jobs::ALL.iter().filter(|job| wanted(job.name)).collect();
    anyhow::ensure!(!jobs.is_empty(), "no job has such a name: --list names them");
    if arguments.list {
        jobs.iter().for_each(|job| println!("{:<14} {}", job.name, job.about));
        return Ok(ExitCode::SUCCESS);
    }
    if cfg!(debug_assertions) {
        eprintln!("compare: a debug build: its numbers mean nothing; run it with --release");
    }
    let effort = Effort { quick: arguments.quick };
    let module = guest::build().context("the guest of the measurements cannot be built")?;
    let mut rows: Vec<Row> = Vec::new();
    for (at, job) in (1..).zip(&jobs) {
        eprint!("[{at}/{}] {:<14} {} ..", jobs.len(), job.name, job.about);
        let began = Instant::now();
        let found = (job.run)(&module, effort).with_context(|| format!("the job `{}`", job.name))?;
        eprintln!(" {:.1} s", began.elapsed().as_secs_f64());
        rows.extend(found);
    }
    print!("{}", table::text(&rows));
    if let Some(path) = &arguments.json {
        std::fs::write(path, table::json(&rows)?).with_context(|| path.display().to_string())?;
    }
    let missed = rows.iter().any(|row| row.pass == Some(false));
    Ok(if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
