//! Who asks a run.

use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use insula::printable;

use super::super::report;
use super::protocol::{Answer, Ask, Row, Run};
use super::socket;

/// How long an answer may take: longer than a ping.
const PATIENCE: Duration = Duration::from_secs(10);

/// A run that is asked.
pub(super) struct Asker {
    stream: BufReader<UnixStream>,
}

impl Asker {
    /// Reaches the run that a process's number or a socket names.
    pub(super) fn reach(run: &str) -> Result<Asker> {
        Asker::at(&socket::named(run)?)
    }

    /// Reaches the run at this socket.
    pub(super) fn at(socket: &Path) -> Result<Asker> {
        let named = || format!("nobody answers at {}: the run is over", report::path(socket));
        let stream = UnixStream::connect(socket).with_context(named)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Asker { stream: BufReader::new(stream) })
    }

    /// Asks, and waits for the answer.
    pub(super) fn ask(&mut self, ask: &Ask) -> Result<Answer> {
        let over = "the run is over, or busy: it answers no more";
        let mut line = serde_json::to_string(ask)?;
        line.push('\n');
        self.stream.get_mut().write_all(line.as_bytes()).context(over)?;
        line.clear();
        if self.stream.read_line(&mut line).context(over)? == 0 {
            bail!("{over}");
        }
        match serde_json::from_str(&line).context("the run answers what this insula does not understand")? {
            Answer::Refused { why } => bail!("{}", printable(&why)),
            answer => Ok(answer),
        }
    }

    /// Its isolates.
    pub(super) fn isolates(&mut self) -> Result<Vec<Row>> {
        match self.ask(&Ask::List {})? {
            Answer::List { isolates } => Ok(isolates),
            _ => bail!("the run answers something else than was asked"),
        }
    }

    /// Which run it is.
    pub(super) fn run(&mut self) -> Result<Run> {
        match self.ask(&Ask::Run {})? {
            Answer::Run(run) => Ok(run),
            _ => bail!("the run answers something else than was asked"),
        }
    }
}
