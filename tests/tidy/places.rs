//! What may stand in few places, or in none.

use super::blank;
use super::source::Source;

/// The only files with a word that the compiler cannot check behind, and why they need it.
const UNSAFE: [(&str, &str); 6] = [
    ("host/src/cache.rs", "bytes of a compiled module become code"),
    ("host/src/host/precompiled.rs", "an embedder may answer for such bytes, and must be told what for"),
    ("host/src/cli/alarm.rs", "what interrupts anything must be known to be allowed to"),
    ("host/src/cli/precompiled.rs", "the user may answer for such bytes, by --allow-precompiled"),
    ("guest/src/sys.rs", "imports are foreign functions"),
    ("tests/compare/minimal.rs", "what `insula run` is measured beside loads compiled code, and checks nothing"),
];

/// The only files of the host that read a clock, and why.
const CLOCKS: [(&str, &str); 3] = [
    ("host/src/world.rs", "everybody else asks it, so that time can be a seed's"),
    ("host/src/cli/", "the command line has only real time"),
    ("host/src/main.rs", "the command line has only real time"),
];

/// Findings for every place in the code where one of the patterns is.
fn patterns(source: &Source, patterns: &[&str], say: &str) -> Vec<String> {
    let code = blank::code(source.text());
    let found = patterns.iter().flat_map(|pattern| code.match_indices(pattern));
    let mut lines: Vec<_> = found.map(|(at, pattern)| (blank::line(&code, at), pattern)).collect();
    lines.sort_unstable();
    lines.iter().map(|(line, pattern)| source.finding(*line, format!("{pattern}: {say}"))).collect()
}

/// Whether the list names this file, or a folder that it is in.
fn listed(source: &Source, list: &[(&str, &str)]) -> bool {
    list.iter().any(|(path, _)| source.path() == *path || (path.ends_with('/') && source.is_in(path)))
}

/// `unsafe` stands in few files; elsewhere not even a comment needs the word. In tests only code counts.
pub(super) fn unsafes(source: &Source) -> Vec<String> {
    if listed(source, &UNSAFE) {
        return vec![];
    }
    let text = if source.is_in("tests/") { blank::code(source.text()) } else { source.text().to_owned() };
    let found = blank::words(&text, "unsafe");
    found.map(|at| source.finding(blank::line(&text, at), "unsafe has its places")).collect()
}

/// The host reads no clock and draws nothing outside of its world: a run must be repeatable from a seed.
pub(super) fn clocks(source: &Source) -> Vec<String> {
    if listed(source, &CLOCKS) || source.is_test() {
        return vec![];
    }
    let words =
        ["Instant::now", "clock_gettime", "SystemTime::now", "UNIX_EPOCH", "RandomState", "getrandom::", "rand::"];
    patterns(source, &words, "world.rs is the only source of time and chance")
}

/// A test runs, always.
pub(super) fn ignored(source: &Source) -> Vec<String> {
    patterns(source, &["#[ignore"], "a test that does not run tests nothing")
}

/// A test waits on an event, or steps the clock.
pub(super) fn sleeps(source: &Source) -> Vec<String> {
    patterns(source, &["thread::sleep", "time::sleep", "sleep_ms("], "tests wait on an event")
}

/// What is not finished is not in the code.
pub(super) fn unfinished(source: &Source) -> Vec<String> {
    let mut findings = patterns(source, &["todo!(", "unimplemented!(", "dbg!("], "finish it");
    if !source.is_in("tests/tidy/") {
        let notes = ["TODO", "FIXME", "XXX"].iter().flat_map(|word| blank::words(source.text(), word));
        findings.extend(notes.map(|at| source.finding(blank::line(source.text(), at), "a note to oneself")));
    }
    findings
}

/// Nothing in the repository knows where it was written.
pub(super) fn machine(source: &Source) -> Vec<String> {
    // In pieces, so that this file is clean itself.
    let paths = [concat!("/wo", "rk/"), concat!("../sha", "red"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
    let lines = (1..).zip(source.text().lines());
    let found = lines.filter(|(_, line)| paths.iter().any(|path| line.contains(path)));
    found.map(|(number, _)| source.finding(number, "a path of one machine")).collect()
}

#[test]
fn another_place_is_found() {
    let text = "fn a() { unsafe { b() } }\n";
    assert_eq!(unsafes(&Source::new("host/src/port.rs", text)), ["host/src/port.rs:1: unsafe has its places"]);
    assert_eq!(unsafes(&Source::new("host/src/port.rs", "// unsafe\n")).len(), 1);
    assert_eq!(unsafes(&Source::new("tests/a.rs", "// unsafe\nlet a = \"unsafe\";")), [""; 0]);
    assert_eq!(unsafes(&Source::new("guest/src/sys.rs", text)), [""; 0]);
    assert_eq!(unsafes(&Source::new("tests/compare/main.rs", text)).len(), 1);
    assert_eq!(unsafes(&Source::new("guest/src/lib.rs", "#![deny(unsafe_code)]")), [""; 0]);
}

#[test]
fn a_clock_is_found() {
    let text = "fn a() { Instant::now(); }";
    assert_eq!(clocks(&Source::new("host/src/abi/clock.rs", text)).len(), 1);
    assert_eq!(clocks(&Source::new("host/src/log.rs", "let now = clock_gettime(ClockId::Monotonic);")).len(), 1);
    assert_eq!(clocks(&Source::new("host/src/world.rs", text)), [""; 0]);
    assert_eq!(clocks(&Source::new("host/src/cli/run.rs", text)), [""; 0]);
}

#[test]
fn a_test_that_does_not_run_or_sleeps_is_found() {
    assert_eq!(
        ignored(&Source::new("a.rs", "#[test]\n#[ignore = \"slow\"]\nfn a() {}"))[0].split(": ").next(),
        Some("a.rs:2")
    );
    assert_eq!(sleeps(&Source::new("tests/a.rs", "std::thread::sleep(d);")).len(), 1);
    assert_eq!(sleeps(&Source::new("tests/a.rs", "// thread::sleep")), [""; 0]);
}

#[test]
fn what_is_not_finished_is_found() {
    let text = "fn a() { todo!() }\n// TODO: b\nfn c() { dbg!(d); }";
    assert_eq!(
        unfinished(&Source::new("a.rs", text)),
        ["a.rs:1: todo!(: finish it", "a.rs:3: dbg!(: finish it", "a.rs:2: a note to oneself"]
    );
}

#[test]
fn a_path_of_one_machine_is_found() {
    assert_eq!(machine(&Source::new("a.md", concat!("see\n/ho", "me/x"))), ["a.md:2: a path of one machine"]);
    assert_eq!(machine(&Source::new("a.md", "--dir data::/data")), [""; 0]);
}
