//! `run --trace` and `insula trace`: the file, and what is made of it, down to the page in a real browser.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{Ran, output};
use crate::harness::{self, Folder, example};

fn insula<const N: usize>(arguments: [&str; N]) -> Ran {
    let mut command = harness::insula();
    command.args(arguments);
    output(command)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of ours is text")
}

/// The trace of a run of this program.
fn traced(folder: &Folder, target: &Path, code: i32) -> PathBuf {
    let file = folder.path().join("run.json");
    let ran = insula(["run", "--trace", text(&file), text(target)]);
    assert_eq!(ran.code, Some(code), "{ran:?}");
    file
}

fn ping_pong(folder: &Folder) -> PathBuf {
    traced(folder, &example("pingpong"), 0)
}

fn entries(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).expect("the trace is there");
    let whole: Value = serde_json::from_str(&text).expect("it is JSON");
    whole["traceEvents"].as_array().expect("it has entries").clone()
}

fn done(ran: Ran) -> String {
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran.stdout
}

#[test]
fn a_trace_has_a_track_for_each_isolate_and_an_arrow_for_each_message() {
    let folder = Folder::new("trace-arrows");
    let entries = entries(&ping_pong(&folder));
    let of = |ph: &str| entries.iter().filter(|entry| entry["ph"] == *ph).collect::<Vec<_>>();
    let names: Vec<_> =
        of("M").iter().filter(|entry| entry["name"] == "thread_name").map(|entry| &entry["args"]["name"]).collect();
    assert_eq!(names, ["#1 pingpong", "#2 worker"], "{entries:?}");
    let ids = |ph: &str| of(ph).iter().map(|entry| entry["id"].to_string()).collect::<Vec<_>>();
    let (sent, received) = (ids("s"), ids("f"));
    assert_eq!(sent.len(), 3, "a port, ping and pong: {entries:?}");
    assert!(received.iter().all(|id| sent.contains(id)) && received.len() == 3, "{received:?} of {sent:?}");
    // An arrow begins and ends inside a slice, or Perfetto shows none.
    let is_inside = |arrow: &&Value| {
        of("X").iter().any(|slice| {
            let from = slice["ts"].as_f64().unwrap_or(f64::MAX);
            let to = from + slice["dur"].as_f64().unwrap_or(0.0);
            let at = arrow["ts"].as_f64().unwrap_or(-1.0);
            slice["tid"] == arrow["tid"] && slice["cat"] == "run" && from <= at && at <= to
        })
    };
    assert!(of("s").iter().chain(&of("f")).all(is_inside), "{entries:?}");
}

#[test]
fn a_trace_tells_errors_and_ends_and_is_written_although_the_program_fails() {
    let folder = Folder::new("trace-fails");
    folder.file("traps.wat", "(module (func (export \"_start\") unreachable))");
    let file = traced(&folder, &folder.path().join("traps.wat"), 134);
    let marks = |kind: &str| entries(&file).iter().filter(|entry| entry["cat"] == *kind).count();
    assert!(marks("error") >= 1 && marks("end") >= 1 && marks("born") == marks("end"));
}

#[test]
fn trace_stats_counts_by_isolate() {
    let folder = Folder::new("trace-stats");
    let file = ping_pong(&folder);
    let stats: Value =
        serde_json::from_str(&done(insula(["trace", "stats", "--json", text(&file)]))).expect("it is JSON");
    assert_eq!(stats["messages"], 3, "{stats}");
    let isolates = stats["isolates"].as_array().expect("a list");
    let field = |name: &str| isolates.iter().map(|row| row[name].clone()).collect::<Vec<_>>();
    assert_eq!(field("isolate"), ["#1 pingpong", "#2 worker"]);
    assert_eq!((field("sent"), field("received")), (vec![1.into(), 2.into()], vec![2.into(), 1.into()]));
    assert_eq!(field("exit"), ["returned", "returned"]);
    assert!(isolates.iter().all(|row| row["running"].as_f64() > Some(0.0)), "{stats}");
    let table = done(insula(["trace", "stats", text(&file)]));
    assert!(table.starts_with("isolate") && table.contains("\n#2 worker") && table.contains("3 messages"), "{table}");
}

#[test]
fn trace_mermaid_is_a_sequence_diagram() {
    let folder = Folder::new("trace-mermaid");
    let file = ping_pong(&folder);
    let diagram = done(insula(["trace", "mermaid", text(&file)]));
    let lines: Vec<_> = diagram.lines().map(str::trim).collect();
    assert_eq!(lines[..3], ["sequenceDiagram", "participant i1 as #35;1 pingpong", "participant i2 as #35;2 worker"]);
    let at = |start: &str| lines.iter().position(|line| line.starts_with(start));
    assert!(at("i1-->>i2: spawns") < at("i2->>i1") && at("i2->>i1") < at("i1->>i2:"), "{diagram}");
    assert!(at("note over i2: returned").is_some(), "{diagram}");
    let cut = done(insula(["trace", "mermaid", "--limit", "2", text(&file)]));
    assert_eq!(cut.lines().count(), 6, "{cut}");
    assert!(cut.contains("and 4 more"), "{cut}");
}

#[test]
fn what_cannot_be_written_or_is_no_trace_is_named() {
    let folder = Folder::new("trace-refused");
    let nowhere = folder.path().join("nowhere").join("run.json");
    let ran = insula(["run", "--trace", text(&nowhere), text(&example("pingpong"))]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "nothing runs: {ran:?}");
    assert!(ran.stderr.contains("cannot write the trace") && ran.stderr.contains("nowhere"), "{ran:?}");
    folder.file("other.json", "{}");
    let other = folder.path().join("other.json");
    for command in ["show", "stats", "mermaid"] {
        let ran = insula(["trace", command, text(&other)]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stderr.contains("other.json") && ran.stderr.contains("insula run --trace FILE"), "{ran:?}");
        let ran = insula(["trace", command, text(&nowhere)]);
        assert!(ran.code == Some(1) && ran.stderr.contains("nowhere"), "{ran:?}");
    }
}

/// A browser, and why there is none where that is no fault.
fn chromium() -> Option<Command> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&paths)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|path| path.is_file());
    if found.is_none() {
        let remedy = "chromium is missing: apt-get install chromium";
        assert!(std::env::var_os("CI").is_none(), "{remedy}");
        writeln!(std::io::stderr(), "tests: the page of a trace is not looked at: {remedy}").expect("stderr is open");
    }
    found.map(Command::new)
}

/// What the browser has made of a page, as HTML, and the picture that it shows.
fn looked_at(folder: &Folder, page: &Path, view: &str) -> Option<String> {
    let address = format!("file://{}#{view}", text(page));
    let mut browser = chromium()?;
    browser.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]);
    browser.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
    browser.args(["--window-size=1200,800", "--virtual-time-budget=2000", "--dump-dom"]);
    browser.arg(format!("--user-data-dir={}", text(&folder.path().join("profile"))));
    let output = browser.arg(address).output().expect("the browser can be run");
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What the page says of itself.
fn status(dom: &str) -> &str {
    let after = dom.split_once("<p id=\"status\" role=\"status\">").map_or("", |(_, after)| after);
    after.split_once("</p>").map_or("", |(status, _)| status)
}

#[test]
fn the_page_shows_timeline_and_sequence_in_a_browser() {
    let folder = Folder::new("trace-page");
    let file = ping_pong(&folder);
    let ran = insula(["trace", "show", text(&file)]);
    assert!(ran.code == Some(0) && ran.stderr.contains("run.html"), "{ran:?}");
    let page = folder.path().join("run.html");
    let Some(whole) = looked_at(&folder, &page, "") else { return };
    assert!(status(&whole).starts_with("2 of 2 isolates · 3 of 3 messages"), "{}", status(&whole));
    let slices = |dom: &str| -> u32 {
        let drawn = status(dom).split(" · ").find_map(|part| part.strip_suffix(" slices drawn"));
        drawn.and_then(|drawn| drawn.parse().ok()).unwrap_or_else(|| panic!("{}", status(dom)))
    };
    assert!(slices(&whole) >= 4, "{}", status(&whole));

    let one = looked_at(&folder, &page, "filter=worker&search=ports.receive").expect("there was a browser");
    assert!(status(&one).starts_with("1 of 2 isolates · 0 of 3 messages"), "{}", status(&one));
    let found = status(&one).split(" · ").find_map(|part| part.strip_suffix(" found"));
    assert!(found.and_then(|found| found.parse::<u32>().ok()) > Some(0), "{}", status(&one));

    let moment = looked_at(&folder, &page, "from=0&to=0.5").expect("there was a browser");
    assert!(slices(&moment) < slices(&whole), "{}", status(&moment));

    let sequence = looked_at(&folder, &page, "tab=sequence").expect("there was a browser");
    assert_eq!(sequence.matches("class=\"message\"").count(), 3, "{}", status(&sequence));
    assert_eq!(sequence.matches("class=\"birth\"").count(), 1, "{}", status(&sequence));
    assert_eq!(sequence.matches("class=\"life\"").count(), 2, "{}", status(&sequence));
}

#[test]
fn what_a_guest_names_itself_is_no_part_of_the_page() {
    let folder = Folder::new("trace-hostile");
    let name = "</script><script>document.title='hostile'</script><img src=x onerror=document.title='hostile'>";
    folder.file("module.wat", "(module (func (export \"_start\")))");
    let module = folder.path().join(format!("{}.wat", name.replace('/', "_")));
    std::fs::rename(folder.path().join("module.wat"), &module).expect("the folder is ours");
    let file = traced(&folder, &module, 0);
    let page = folder.path().join("page.html");
    done(insula(["trace", "show", text(&file), "--output", text(&page)]));
    let html = std::fs::read_to_string(&page).expect("it is there");
    assert!(!html.contains("<img") && !html.contains("<script>document"), "markup of the guest's is in the page");
    let Some(dom) = looked_at(&folder, &page, "tab=sequence") else { return };
    assert!(status(&dom).starts_with("1 of 1 isolates"), "{}", status(&dom));
    assert!(!dom.contains("<title>hostile"), "what a guest named itself ran");
}
