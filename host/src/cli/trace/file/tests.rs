//! What is written is read back, and is what Chromium's format says.

use insula::Host;

use super::*;

/// Events as a host tells them, of two isolates and the embedder. They cannot be made outside of the library but by a host.
fn events() -> Vec<Event> {
    let (told, events) = std::sync::mpsc::channel();
    let host = Host::builder().isolates(4).threads(1).build().expect("there is room");
    let observation = host.observe(move |batch| batch.iter().for_each(|event| drop(told.send(event.clone()))));
    let module =
        host.load("page", b"(module (func (export \"run\")) (func (export \"trap\") unreachable))").expect("a module");
    for entry in ["run", "trap"] {
        drop(host.spawn(&module, insula::Spawn::entry(entry)).expect("an entry").join());
    }
    drop(observation);
    events.iter().collect()
}
fn written(missed: u64) -> String {
    let mut out = Vec::new();
    let mut events = events();
    events.sort_by_key(|event| event.at);
    write(&mut out, "page", &events, missed).expect("memory takes it");
    String::from_utf8(out).expect("JSON is text")
}

fn read(text: &str) -> Result<Trace> {
    let folder =
        std::env::temp_dir().join(format!("insula-trace-{}-{:?}", std::process::id(), std::thread::current().id()));
    std::fs::write(&folder, text)?;
    let trace = Trace::read(&folder);
    std::fs::remove_file(&folder)?;
    trace
}

#[test]
fn what_is_written_is_read_back() {
    let trace = read(&written(3)).expect("it is a trace");
    assert_eq!((trace.program.as_str(), trace.missed), ("page", 3));
    assert_eq!(trace.tracks.values().collect::<Vec<_>>(), ["#1 run", "#2 trap"]);
    let ran = trace.slices.iter().filter(|slice| slice.kind == "run").map(|slice| slice.track);
    assert_eq!(ran.collect::<Vec<_>>(), [1, 2]);
    let marks: Vec<_> = trace.marks.iter().map(|mark| (mark.track, mark.kind.as_str())).collect();
    for mark in [(1, "born"), (1, "end"), (2, "born"), (2, "error"), (2, "end")] {
        assert!(marks.contains(&mark), "{marks:?}");
    }
    assert!(trace.slices.windows(2).all(|pair| pair[0].at <= pair[1].at));
}

#[test]
fn every_entry_has_what_the_format_asks_for() {
    let whole: Value = serde_json::from_str(&written(0)).expect("it is JSON");
    let entries = whole["traceEvents"].as_array().expect("there are entries");
    assert!(entries.len() > 8, "{entries:?}");
    for entry in entries {
        assert!(entry["ph"].is_string() && entry["pid"].is_u64() && entry["tid"].is_u64(), "{entry}");
        let needed: &[&str] = match entry["ph"].as_str() {
            Some("M") => &["name", "args"],
            Some("X") => &["name", "ts", "cat"],
            Some("i") => &["name", "ts", "s"],
            Some("s" | "f") => &["name", "ts", "id", "cat"],
            other => panic!("{other:?}"),
        };
        assert!(needed.iter().all(|key| !entry[*key].is_null()), "{entry}");
    }
}

#[test]
fn what_is_no_trace_is_refused_by_name() {
    for text in ["", "{}", "[1]", "{\"traceEvents\":[]}", "{\"otherData\":{\"kind\":\"insula trace 9\"}}"] {
        let error = format!("{:#}", read(text).expect_err(text));
        assert!(error.contains("insula run --trace FILE"), "{error}");
    }
}
