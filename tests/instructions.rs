//! No hot path grows unseen: how many instructions each takes is written down in `instructions.txt`, and compared.
//!
//! Times depend on the machine and on who else uses it, so none is asserted. Instructions do not: five runs agree within
//! a percent. The program `hotpaths` walks one path under callgrind, a few times and many times; the difference is
//! what the walks took, without whatever comes first. What got cheaper is a finding too, so that the next growth is
//! measured from there. After a change that was meant:
//!
//! ```sh
//! UPDATE=1 cargo test -p insula-tests --test insula instructions
//! ```
//!
//! The table is of the dev profile, since a release build of wasmtime is minutes more; a run in another profile, or on
//! another kind of machine, is not compared. Nor is one without valgrind, but where `CI` is set that is a failure.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::thread;

use insula_hotpaths::HotPath;

use crate::harness::{self, Folder};

/// The table.
const TABLE: &str = "tests/instructions.txt";

/// What it says of itself.
const HEAD: &str = "# Instructions of one walk along each hot path (tests/hotpaths), by callgrind.\n\
                    # Of the dev profile on x86_64 Linux, and of no other. Made by\n\
                    # UPDATE=1 cargo test -p insula-tests --test insula instructions\n";

/// How far a count may be from the table's, in percent of that.
const TOLERANCE_PERCENT: u64 = 3;

/// Walks of the two parts that are compared.
const FEW: u32 = 500;
const MANY: u32 = 1_500;

/// The program that walks.
const HOTPATHS: &str = env!("CARGO_BIN_EXE_hotpaths");

/// Instructions by the name of the path.
type Counts = BTreeMap<String, u64>;

/// Why nothing is compared, if so.
fn excuse() -> Option<String> {
    let folder = Path::new(HOTPATHS).parent().and_then(Path::file_name);
    if folder != Some("debug".as_ref()) {
        return Some(format!("{TABLE} is of the dev profile"));
    }
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        return Some(format!("{TABLE} is of x86_64 Linux"));
    }
    let found = Command::new("valgrind").arg("--version").output().is_ok_and(|said| said.status.success());
    if found {
        return None;
    }
    let remedy = "valgrind is missing: apt-get install valgrind";
    assert!(std::env::var_os("CI").is_none(), "{remedy}");
    Some(remedy.to_owned())
}

/// Instructions of one walk.
fn instructions(folder: &Folder, path: &str) -> u64 {
    let out = folder.path().join(path);
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--dump-after=insula_hotpaths::mark"]);
    valgrind.arg(format!("--callgrind-out-file={}", out.display()));
    valgrind.args([HOTPATHS, path, &FEW.to_string(), &MANY.to_string()]).env("RUST_BACKTRACE", "0");
    let done = valgrind.output().expect("valgrind can be run");
    assert!(done.status.success(), "{path} under valgrind:\n{}", String::from_utf8_lossy(&done.stderr));
    // Part 1 is the first few walks, with the start of the program.
    let [few, many] = [2, 3].map(|part| collected(&out.with_extension(part.to_string())));
    many.saturating_sub(few) / u64::from(MANY - FEW)
}

/// The sum of a part.
fn collected(part: &Path) -> u64 {
    let text = std::fs::read_to_string(part).expect("callgrind writes a part at each mark");
    let totals = text.lines().find_map(|line| line.strip_prefix("totals: "));
    totals.and_then(|totals| totals.trim().parse().ok()).expect("callgrind says the sum")
}

/// Instructions of one walk along each path, two paths at a time.
fn counted() -> Vec<(&'static str, u64)> {
    let folder = Folder::new("instructions");
    let (inner, outer) = insula_hotpaths::ALL.split_at(insula_hotpaths::ALL.len() / 2);
    let count = |path: &HotPath| (path.name, instructions(&folder, path.name));
    thread::scope(|scope| {
        let inner = scope.spawn(|| inner.iter().map(count).collect::<Vec<_>>());
        let outer: Vec<_> = outer.iter().map(count).collect();
        inner.join().expect("the paths can be counted").into_iter().chain(outer).collect()
    })
}

/// The table's text as counts.
fn parsed(text: &str) -> Counts {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let cells = lines.map(|line| line.split_once(' ').unwrap_or((line, "")));
    cells.map(|(path, count)| (path.to_owned(), count.trim().parse().expect("a line is a path and a number"))).collect()
}

/// Counts as the table's text, in the order of the paths.
fn table(counts: &[(&str, u64)]) -> String {
    let mut text = HEAD.to_owned();
    for (path, count) in counts {
        writeln!(text, "{path:<12} {count:>6}").expect("a string can be written to");
    }
    text
}

/// What is not as the table says.
fn findings(table: &Counts, counted: &[(&str, u64)]) -> Vec<String> {
    let mut findings = Vec::new();
    for (path, count) in counted {
        let Some(was) = table.get(*path) else {
            findings.push(format!("{path}: not in the table; it takes {count}"));
            continue;
        };
        if count.abs_diff(*was) * 100 > was * TOLERANCE_PERCENT {
            let percent = count.abs_diff(*was) as f64 * 100.0 / *was as f64;
            let how = if count > was { "more" } else { "less" };
            findings.push(format!("{path}: {count} instead of {was}, {percent:.1} % {how}"));
        }
    }
    let gone = table.keys().filter(|path| !counted.iter().any(|(counted, _)| counted == path));
    findings.extend(gone.map(|path| format!("{path}: in the table, and no path")));
    findings
}

#[test]
fn no_hot_path_grows_unseen() {
    if let Some(excuse) = excuse() {
        // Straight to stderr: a test's own output is captured.
        writeln!(std::io::stderr(), "tests: instructions are not compared: {excuse}").expect("stderr is open");
        return;
    }
    let counted = counted();
    let file = harness::repository().join(TABLE);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(file, table(&counted)).expect("the table can be written");
        return;
    }
    let findings = findings(&parsed(&std::fs::read_to_string(file).expect("the table can be read")), &counted);
    assert!(
        findings.is_empty(),
        "instructions of hot paths are not what {TABLE} says; if that is meant, write them down with \
         `UPDATE=1 cargo test -p insula-tests --test insula instructions`\n{}",
        findings.join("\n")
    );
}

#[test]
fn a_path_that_grows_or_shrinks_is_found() {
    let was = parsed(&table(&[("mailbox", 1_000), ("spawn", 40_000)]));
    assert_eq!(findings(&was, &[("mailbox", 1_030), ("spawn", 38_800)]), [""; 0]);
    assert_eq!(
        findings(&was, &[("mailbox", 1_031), ("spawn", 38_000)]),
        ["mailbox: 1031 instead of 1000, 3.1 % more", "spawn: 38000 instead of 40000, 5.0 % less"]
    );
}

#[test]
fn a_path_without_a_line_and_a_line_without_a_path_are_found() {
    let found = findings(&parsed("# a head\nmailbox 1000\n"), &[("table", 7)]);
    assert_eq!(found, ["table: not in the table; it takes 7", "mailbox: in the table, and no path"]);
}
