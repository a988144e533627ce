//! A trace as one page: all of it in one file, which asks nothing of any network.

use serde_json::{Value, json};

use super::file::Trace;

/// The page, with a place for the data in it.
const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Kinds of slices, by the number that the page knows them by.
const KINDS: [&str; 5] = ["run", "wait", "ready", "paused", "send"];

/// The page of this trace.
pub(super) fn page(trace: &Trace) -> String {
    let data = data(trace).to_string();
    // In a script element nothing else has a meaning; what a guest named itself is a string in there.
    let data = data.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
    let parts = [("/*STYLE*/", STYLE), ("/*SCRIPT*/", SCRIPT), ("/*DATA*/", data.as_str())];
    let mut page = String::new();
    let mut rest = PAGE;
    for (place, part) in parts {
        let (before, after) = rest.split_once(place).expect("the page has these places, in this order");
        page.push_str(before);
        page.push_str(part);
        rest = after;
    }
    page + rest
}

/// Lists instead of records: half of the size, for a page that may have a million of them.
fn data(trace: &Trace) -> Value {
    let mut names: Vec<&str> = Vec::new();
    let mut name = |name| {
        names.iter().position(|known| *known == name).unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        })
    };
    let slices = trace.slices.iter().map(|slice| {
        let kind = KINDS.iter().position(|kind| *kind == slice.kind).unwrap_or_default();
        json!([slice.track, slice.at, slice.took, kind, name(slice.name.as_str())])
    });
    let slices: Vec<Value> = slices.collect();
    let messages = trace.messages.iter().map(|one| json!([one.from, one.to, one.sent, one.received, one.bytes]));
    let messages: Vec<Value> = messages.collect();
    let marks = trace.marks.iter().map(|mark| {
        json!([mark.track, mark.at, mark.kind, mark.name, insula::printable_line(&mark.text), mark.parent])
    });
    let marks: Vec<Value> = marks.collect();
    let tracks: Vec<Value> =
        trace.tracks.keys().map(|track| json!([track, insula::printable_line(&trace.name(*track))])).collect();
    let program = insula::printable_line(&trace.program);
    json!({
        "program": program, "missed": trace.missed, "kinds": KINDS, "names": names,
        "tracks": tracks, "slices": slices, "messages": messages, "marks": marks,
    })
}
