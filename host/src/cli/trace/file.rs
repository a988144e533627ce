//! The file of a trace: JSON, as Chromium's trace viewer and Perfetto read it. A track for each isolate and one for the
//! host, slices for what it did, arrows for messages, marks for births, errors and ends.
//!
//! Times are microseconds since the host was built. Reading takes only what [`write()`] writes.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use insula::{Event, Happened, IsolateId, Notice, Then};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::report;

/// What the file says of itself, by which a reader knows it.
const KIND: &str = "insula trace 1";

/// An entry of the file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Entry {
    ph: String,
    pid: u32,
    tid: u64,
    ts: f64,
    #[serde(skip_serializing_if = "is_zero")]
    dur: f64,
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    cat: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<String>,
    #[serde(skip_serializing_if = "Value::is_null")]
    args: Value,
}

fn is_zero(number: &f64) -> bool {
    *number == 0.0
}

/// Length of a slice that has none, so that it is seen: a send of the host's.
const MOMENT_MICROS: f64 = 0.1;

/// Writes these events, which are in the order of time.
pub(super) fn write(out: &mut impl Write, program: &str, events: &[Event], missed: u64) -> Result<()> {
    let head = json!({ "kind": KIND, "program": program, "missed": missed });
    write!(out, "{{\"displayTimeUnit\":\"ns\",\"otherData\":{head},\"traceEvents\":[")?;
    let mut writer = Writer { out, first: true, rests: HashMap::new(), host_is_named: false };
    for event in events {
        writer.event(event)?;
    }
    let end = events.iter().map(end_of).max().unwrap_or_default();
    writer.close(end)?;
    write!(out, "\n]}}\n")?;
    Ok(())
}

/// When an event was over.
fn end_of(event: &Event) -> Duration {
    match event.what {
        Happened::Ran { took, .. } => event.at + took,
        _ => event.at,
    }
}

struct Writer<'a, W> {
    out: &'a mut W,
    first: bool,
    /// Since when an isolate does not run, and why.
    rests: HashMap<u64, (Duration, Then)>,
    host_is_named: bool,
}

impl<W: Write> Writer<'_, W> {
    fn put(&mut self, entry: &Entry) -> Result<()> {
        self.out.write_all(if self.first { b"\n" } else { b",\n" })?;
        self.first = false;
        serde_json::to_writer(&mut *self.out, entry)?;
        Ok(())
    }

    fn event(&mut self, event: &Event) -> Result<()> {
        let track = event.isolate.map_or(0, number);
        if track == 0 && !std::mem::replace(&mut self.host_is_named, true) {
            self.track(0, "host")?;
        }
        match &event.what {
            Happened::Born { name, module, parent } => self.born(event.at, track, name, module, *parent),
            Happened::Ran { took, thread, then } => self.ran(event.at, track, *took, *thread, *then),
            Happened::Sent { to, message, bytes } => self.sent(event.at, track, *to, *message, *bytes),
            Happened::Received { message, bytes, notice } => {
                let args = json!({ "bytes": bytes });
                match notice {
                    Some(notice) => self.mark(event.at, track, "notice", notice_name(*notice), args),
                    None => self.arrow("f", event.at, track, arrow(track, *message), args),
                }
            }
            Happened::Uncaught { message } => {
                self.mark(event.at, track, "error", "uncaught error", json!({ "error": message }))
            }
            Happened::Ended { exit } => {
                self.rests.remove(&track);
                self.mark(event.at, track, "end", "end", json!({ "exit": exit.to_string() }))
            }
            _ => Ok(()),
        }
    }

    fn born(&mut self, at: Duration, track: u64, name: &str, module: &str, parent: Option<IsolateId>) -> Result<()> {
        self.track(track, &format!("#{track} {name}"))?;
        // Until it runs it waits to be run.
        self.rests.entry(track).or_insert((at, Then::Preempted));
        let args = json!({ "module": module, "parent": parent.map_or(0, number) });
        self.mark(at, track, "born", "born", args)
    }

    fn track(&mut self, track: u64, name: &str) -> Result<()> {
        for (what, args) in
            [("thread_name", json!({ "name": name })), ("thread_sort_index", json!({ "sort_index": track }))]
        {
            self.put(&Entry { ph: "M".into(), pid: 1, tid: track, name: what.into(), args, ..Entry::default() })?;
        }
        Ok(())
    }

    fn ran(&mut self, at: Duration, track: u64, took: Duration, thread: u32, then: Then) -> Result<()> {
        self.rested(at, track)?;
        self.rests.insert(track, (at + took, then));
        self.slice(at, took, track, "run", "running".to_owned(), json!({ "thread": thread }))
    }

    /// What it did until now, since it last ran.
    fn rested(&mut self, at: Duration, track: u64) -> Result<()> {
        let Some((since, then)) = self.rests.remove(&track) else { return Ok(()) };
        let (kind, name) = match then {
            Then::Waits { call } => ("wait", call.map_or("waiting".to_owned(), |call| format!("waiting: {call}"))),
            Then::Preempted => ("ready", "ready".to_owned()),
            Then::Paused => ("paused", "paused".to_owned()),
            _ => return Ok(()),
        };
        self.slice(since, at.saturating_sub(since), track, kind, name, Value::Null)
    }

    fn slice(&mut self, at: Duration, took: Duration, tid: u64, cat: &str, name: String, args: Value) -> Result<()> {
        let (ts, dur) = (micros(at), micros(took));
        self.put(&Entry { ph: "X".into(), pid: 1, tid, ts, dur, name, cat: cat.into(), args, ..Entry::default() })
    }

    fn sent(&mut self, at: Duration, track: u64, to: Option<IsolateId>, message: u64, bytes: u64) -> Result<()> {
        let args = json!({ "bytes": bytes, "to": to.map_or(0, number) });
        if track == 0 {
            // An arrow begins at a slice.
            let (ph, ts, dur, cat) = ("X".into(), micros(at), MOMENT_MICROS, "send".into());
            self.put(&Entry { ph, pid: 1, ts, dur, name: "send".into(), cat, ..Entry::default() })?;
        }
        match to {
            Some(to) => self.arrow("s", at, track, arrow(number(to), message), args),
            None => self.mark(at, track, "send", "to the host", args),
        }
    }

    fn arrow(&mut self, ph: &str, at: Duration, tid: u64, id: String, args: Value) -> Result<()> {
        let bp = (ph == "f").then(|| "e".to_owned());
        let (ts, name, cat) = (micros(at), "message".into(), "message".into());
        self.put(&Entry { ph: ph.into(), pid: 1, tid, ts, name, cat, id: Some(id), bp, args, ..Entry::default() })
    }

    fn mark(&mut self, at: Duration, tid: u64, cat: &str, name: &str, args: Value) -> Result<()> {
        let (ts, s) = (micros(at), Some("t".to_owned()));
        self.put(&Entry {
            ph: "i".into(),
            pid: 1,
            tid,
            ts,
            name: name.into(),
            cat: cat.into(),
            s,
            args,
            ..Entry::default()
        })
    }

    /// What those do at the end that have not ended.
    fn close(&mut self, end: Duration) -> Result<()> {
        let mut resting: Vec<u64> = self.rests.keys().copied().collect();
        resting.sort_unstable();
        resting.into_iter().try_for_each(|track| self.rested(end, track))
    }
}

fn micros(time: Duration) -> f64 {
    // Whole nanoseconds, exact for more than a month.
    time.as_nanos() as f64 / 1_000.0
}

fn number(isolate: IsolateId) -> u64 {
    isolate.number()
}

fn arrow(receiver: u64, message: u64) -> String {
    format!("{receiver}-{message}")
}

fn notice_name(notice: Notice) -> &'static str {
    match notice {
        Notice::Exit => "exit notice",
        Notice::Error => "error notice",
        _ => "ping",
    }
}

/// What a file tells.
#[derive(Debug, Default, Serialize)]
pub(super) struct Trace {
    pub(super) program: String,
    pub(super) missed: u64,
    /// By number; 0 is the host.
    pub(super) tracks: BTreeMap<u64, String>,
    /// In the order of their begin.
    pub(super) slices: Vec<Slice>,
    pub(super) messages: Vec<Message>,
    pub(super) marks: Vec<Mark>,
}

/// Something that lasted. Times are microseconds.
#[derive(Debug, Serialize)]
pub(super) struct Slice {
    pub(super) track: u64,
    pub(super) at: f64,
    pub(super) took: f64,
    pub(super) kind: String,
    pub(super) name: String,
}

/// A message, from its send to where it was received, if it was.
#[derive(Debug, Serialize)]
pub(super) struct Message {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) sent: f64,
    pub(super) received: Option<f64>,
    pub(super) bytes: u64,
}

/// Something that happened at one moment.
#[derive(Debug, Serialize)]
pub(super) struct Mark {
    pub(super) track: u64,
    pub(super) at: f64,
    pub(super) kind: String,
    pub(super) name: String,
    /// Why, or from where.
    pub(super) text: String,
    /// Of a birth.
    pub(super) parent: u64,
}

#[derive(Deserialize)]
struct Whole {
    #[serde(rename = "otherData", default)]
    head: Value,
    #[serde(rename = "traceEvents", default)]
    entries: Vec<Entry>,
}

impl Trace {
    /// Reads a file that [`write()`] wrote.
    pub(super) fn read(path: &Path) -> Result<Trace> {
        let named = report::path(path);
        let file = File::open(path).with_context(|| named.clone())?;
        let hint = "a trace is a file that `insula run --trace FILE` wrote";
        let whole: Whole =
            serde_json::from_reader(BufReader::new(file)).with_context(|| format!("{named} is no trace ({hint})"))?;
        if whole.head["kind"] != KIND {
            bail!("{named} is no trace of insula's, or of another version's: {hint}");
        }
        let program = whole.head["program"].as_str().unwrap_or_default().to_owned();
        let mut trace =
            Trace { program, missed: whole.head["missed"].as_u64().unwrap_or_default(), ..Trace::default() };
        let mut open = HashMap::new();
        // Both ends of an arrow may be of one moment: where it begins is read before where it ends.
        let (ends, others): (Vec<_>, Vec<_>) = whole.entries.into_iter().partition(|entry| entry.ph == "f");
        others.into_iter().chain(ends).for_each(|entry| trace.take(entry, &mut open));
        trace.slices.sort_by(|a, b| a.at.total_cmp(&b.at));
        Ok(trace)
    }

    fn take(&mut self, entry: Entry, open: &mut HashMap<String, usize>) {
        let Entry { ph, tid: track, ts: at, dur: took, name, cat: kind, id, args, .. } = entry;
        let number = |key: &str| args[key].as_u64().unwrap_or_default();
        match (ph.as_str(), id) {
            ("M", _) if name == "thread_name" => {
                self.tracks.insert(track, args["name"].as_str().unwrap_or_default().to_owned());
            }
            ("X", _) => self.slices.push(Slice { track, at, took, kind, name }),
            ("s", Some(id)) => {
                open.insert(id, self.messages.len());
                let (to, bytes) = (number("to"), number("bytes"));
                self.messages.push(Message { from: track, to, sent: at, received: None, bytes });
            }
            ("f", Some(id)) => {
                if let Some(message) = open.remove(&id).and_then(|message| self.messages.get_mut(message)) {
                    message.received = Some(at);
                }
            }
            ("i", _) => {
                if kind == "send" {
                    let bytes = number("bytes");
                    self.messages.push(Message { from: track, to: 0, sent: at, received: None, bytes });
                    self.tracks.entry(0).or_insert_with(|| "host".to_owned());
                    return;
                }
                let text = ["exit", "error", "module"].iter().find_map(|key| args[*key].as_str());
                let text = text.unwrap_or_default().to_owned();
                self.marks.push(Mark { track, at, kind, name, text, parent: number("parent") });
            }
            _ => {}
        }
    }

    /// The name of a track.
    pub(super) fn name(&self, track: u64) -> String {
        self.tracks.get(&track).cloned().unwrap_or_else(|| format!("#{track}"))
    }
}

#[cfg(test)]
#[path = "file/tests.rs"]
mod tests;
