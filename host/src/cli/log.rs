//! The logs of a run, on standard error: as text for people, or as a JSON object a line.
//!
//! tracing-subscriber formats what the library and its crates tell by `tracing`. A line goes to where guests' standard
//! error goes, whole and never within a line of theirs; who logs waits for nobody, so what comes faster than it is read
//! is lost and counted. What the command says itself, its reports, is never lost, and as JSON it is a part of the log.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use anstream::{AutoStream, ColorChoice};
use anyhow::Result;
use insula::StderrLines;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{Targets, filter_fn};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry;

use super::report::{self, OWN, Voice};

/// What is logged.
#[derive(Clone, Debug)]
pub(super) struct Filter(Targets);

impl Default for Filter {
    fn default() -> Filter {
        Filter(Targets::new().with_default(Level::INFO))
    }
}

impl Filter {
    /// A level for all, or for some targets.
    pub(super) fn parse(text: &str) -> Result<Filter, String> {
        for part in text.split(',') {
            let (target, level) = part.rsplit_once('=').map_or((None, part), |(target, level)| (Some(target), level));
            let is_level = !level.is_empty() && level.parse::<LevelFilter>().is_ok();
            if !is_level || !target.is_none_or(is_target) {
                return Err(format!(
                    "`{part}` is neither a level, which are off, error, warn, info, debug and trace, nor TARGET=LEVEL, as \
                     insula=debug"
                ));
            }
        }
        text.parse().map(Filter).map_err(|error| format!("`{text}`: {error}"))
    }
}

/// Whether events may have this as their target: the path of a module, mostly.
fn is_target(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|char| char.is_alphanumeric() || "_-:.".contains(char))
}

/// From here on what passes the filter is logged, and what the command says goes the same way.
pub(super) fn begin(Filter(targets): Filter, json: bool) -> Result<()> {
    let colours = AutoStream::choice(&std::io::stderr()) != ColorChoice::Never;
    let layer = fmt::layer().with_writer(Lines).with_ansi(colours && !json);
    let layer = if json { layer.json().with_span_list(false).boxed() } else { layer.boxed() };
    // The library's own word of an error that nobody heard: the command's report has that, and more.
    let told_by_us = |metadata: &Metadata<'_>| !(metadata.target() == "insula" && metadata.name() == "uncaught error");
    let subscriber = registry().with(targets.with_target(OWN, Level::TRACE)).with(filter_fn(told_by_us)).with(layer);
    tracing::subscriber::set_global_default(subscriber)?;
    report::speak(if json { Voice::Json } else { Voice::Text { colours } });
    Ok(())
}

/// Where lines of the log go.
#[derive(Clone, Copy, Debug)]
struct Lines;

/// One of them.
struct Line {
    /// Whether it waits for room, and is never lost.
    waits: bool,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { waits: false }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Line {
        Line { waits: metadata.target() == OWN }
    }
}

/// Lines that found no room since the last one that did.
static LOST: AtomicU64 = AtomicU64::new(0);

impl Write for Line {
    /// All of a line comes at once.
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let mut out = StderrLines::new();
        if self.waits {
            tell_lost();
            // Whoever closed our standard error does not want to know.
            let _ = out.write_waiting(line);
            return Ok(line.len());
        }
        let lost = LOST.swap(0, Ordering::SeqCst);
        let told = lost == 0 || out.write(&lost_lines(lost, report::is_json())).is_ok();
        if !told || out.write(line).is_err() {
            LOST.fetch_add(if told { 1 } else { lost + 1 }, Ordering::SeqCst);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Says how many lines are lost that no line after them told of. Where there are some it waits for what is there to be
/// read, so that its line has room.
pub(crate) fn tell_lost() {
    let lost = LOST.swap(0, Ordering::SeqCst);
    if lost > 0 {
        // Whoever closed our standard error does not want to know.
        let _ = StderrLines::new().write_waiting(&lost_lines(lost, report::is_json()));
    }
}

/// That so many lines are lost, as a line of the log.
fn lost_lines(lost: u64, json: bool) -> Vec<u8> {
    let mut now = String::new();
    // Without the time it is said all the same.
    let _ = SystemTime.format_time(&mut fmt::format::Writer::new(&mut now));
    let message = "lines of the log came faster than they were read, and are lost";
    let line = match json {
        true => serde_json::json!({
            "timestamp": now, "level": "WARN", "fields": { "message": message, "lines": lost }, "target": OWN
        })
        .to_string(),
        false => format!("{now}  WARN {OWN}: {message} lines={lost}"),
    };
    (line + "\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_level_or_some_for_targets() {
        for text in ["info", "OFF", "insula=debug", "warn,insula=trace", "insula::cli=off,wasmtime_wasi=trace"] {
            assert!(Filter::parse(text).is_ok(), "{text}");
        }
        for text in ["", "inof", "insula", "insula=", "insula=loud", "=info", "info,", "info;insula=debug"] {
            assert!(Filter::parse(text).unwrap_err().contains("nor TARGET=LEVEL"), "{text}");
        }
    }

    #[test]
    fn what_is_lost_is_a_line_of_the_log() {
        let text = String::from_utf8(lost_lines(3, true)).unwrap();
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&line["level"], &line["fields"]["lines"]), (&"WARN".into(), &3.into()));
        assert!(String::from_utf8(lost_lines(3, false)).unwrap().ends_with("and are lost lines=3\n"));
    }
}
