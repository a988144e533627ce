//! Every sentence of the semantics has a test that is named after it, and docs/semantics.md says which.
//!
//! `s4_2_kill_immediate_ends_a_busy_loop` is a test of sentence 4.2, `s5_row_killed` of the row Killed in the table of
//! deaths, `s8_...` of a section without numbers. `dart_...` restates a scenario of Dart's suites, `beyond_...` one that
//! Dart has no word for. What a sentence says is in the page, in prose; what does not hold yet, and why, is in
//! [`state`], and nowhere else. The tables of the page are made from these by
//!
//! ```sh
//! UPDATE=1 cargo test -p insula-tests --test insula sentences
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::harness;
use crate::tidy::source::{Source, sources};

pub(crate) mod found;
mod state;

use found::{Found, found};
use state::{SHORT, Short};

/// The page, and what the tables stand between.
const PAGE: &str = "docs/semantics.md";
const BEGIN: &str = "<!-- made by the command above: begin -->\n";
const END: &str = "<!-- made by the command above: end -->\n";

/// Sections, and how many numbered sentences each has; 8 is one without numbers.
const SECTIONS: [(u32, u32); 9] = [(1, 6), (2, 7), (3, 5), (4, 8), (5, 6), (6, 8), (7, 4), (8, 0), (9, 4)];

/// The rows of the table of deaths: as tests name them, and as the page does.
pub(crate) const ROWS: [(&str, &str); 14] = [
    ("returned", "Returned"),
    ("exited", "Exited"),
    ("failed", "Failed"),
    ("panicked", "Panicked"),
    ("trapped", "Trapped"),
    ("not_fatal", "not fatal"),
    ("proc_exit_0", "ProcExit(0)"),
    ("proc_exit_n", "ProcExit(n)"),
    ("killed", "Killed"),
    ("limit", "Limit"),
    ("deadline", "Deadline"),
    ("start_failed", "StartFailed"),
    ("host_fault", "HostFault"),
    ("host_closed", "HostClosed"),
];

/// All sentences, in order: `1.1`, ..., `5`, `5.1`, ..., `5 Returned`, ..., `8`, `9`, ...
fn sentences() -> Vec<String> {
    let mut all = Vec::new();
    for (section, numbered) in SECTIONS {
        if matches!(section, 5 | 8 | 9) {
            all.push(section.to_string());
        }
        all.extend((1..=numbered).map(|number| format!("{section}.{number}")));
        if section == 5 {
            all.extend(ROWS.iter().map(|(_, row)| format!("5 {row}")));
        }
    }
    all
}

/// What each sentence says in a word or two: the page's `**4.2 Kill.**`, and the first cell of a row.
fn titles(page: &str) -> BTreeMap<String, String> {
    let mut titles = BTreeMap::new();
    for line in page.lines() {
        let bold = line.strip_prefix("- **").or(line.strip_prefix("**")).and_then(|line| line.split_once(".**"));
        if let Some((number, title)) = bold.and_then(|(bold, _)| bold.split_once(' ')) {
            assert!(titles.insert(number.to_owned(), title.to_owned()).is_none(), "{number} is there twice");
        }
    }
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    for (row, rest) in rows.filter(|(row, _)| ROWS.iter().any(|(_, title)| title == row)) {
        let cells: Vec<_> = rest.split(" | ").collect();
        if let [error, exit, ..] = cells[..] {
            titles.insert(format!("5 {row}"), format!("error notice: {error}; exit notice: {exit}"));
        }
    }
    titles
}

/// The tests of each sentence.
fn tests_of(found: &[Found]) -> BTreeMap<&str, Vec<&Found>> {
    let mut tests: BTreeMap<&str, Vec<&Found>> = BTreeMap::new();
    for test in found {
        if let Some(sentence) = &test.sentence {
            tests.entry(sentence).or_default().push(test);
        }
    }
    tests
}

/// What is wrong: sentences that nobody tests or that the page does not have, and tests of what is no sentence.
fn findings(page: &str, found: &[Found], short: &[(&str, Short)]) -> Vec<String> {
    let (sentences, titles, tests) = (sentences(), titles(page), tests_of(found));
    let mut findings = Vec::new();
    for sentence in &sentences {
        let excused = short.iter().any(|(number, _)| number == sentence);
        if !tests.contains_key(&**sentence) && !excused {
            findings.push(format!("{sentence} has no test, and is not in the list of what does not hold yet"));
        }
        if !titles.contains_key(sentence) {
            findings.push(format!("{sentence} is not in {PAGE}"));
        }
    }
    let there = short.iter().filter(|(number, short)| matches!(short, Short::NotYet(_)) && tests.contains_key(number));
    findings.extend(there.map(|(number, _)| format!("{number} is said not to be there yet, and has tests")));
    let is_known = |number: &str| sentences.iter().any(|sentence| sentence == number);
    let strangers = tests.iter().filter(|(number, _)| !is_known(number));
    findings.extend(strangers.map(|(number, tests)| format!("{}: there is no sentence {number}", tests[0].name)));
    let excused = short.iter().filter(|(number, _)| !is_known(number));
    findings.extend(excused.map(|(number, _)| format!("{number} does not hold yet, and is no sentence")));
    findings
}

/// The tables: sentence, what it says, tests, state; and scenario, where.
fn tables(page: &str, found: &[Found], short: &[(&str, Short)]) -> String {
    let (titles, tests) = (titles(page), tests_of(found));
    let mut text = "| sentence | what it says | tests | state |\n|---|---|---|---|\n".to_owned();
    for sentence in sentences() {
        let title = titles.get(&sentence).map_or("", String::as_str);
        let names: Vec<_> =
            tests.get(&*sentence).into_iter().flatten().map(|test| format!("`{}`", test.name)).collect();
        let state = short.iter().find(|(number, _)| *number == sentence);
        let state = state.map_or_else(|| "holds".to_owned(), |(_, short)| short.to_string());
        let row = format!("| {sentence} | {title} | {} | {state} |", names.join("<br>"));
        writeln!(text, "{}", row.replace("|  |", "| |")).expect("a string can be written to");
    }
    text.push_str("\n| scenario | where |\n|---|---|\n");
    for Found { name, path, .. } in found.iter().filter(|test| test.is_scenario()) {
        writeln!(text, "| `{name}` | `{path}` |").expect("a string can be written to");
    }
    text
}

/// The page with other tables.
fn with_tables(page: &str, tables: &str) -> String {
    let (before, rest) = page.split_once(BEGIN).expect("the page says where its tables begin");
    let (_, after) = rest.split_once(END).expect("the page says where its tables end");
    format!("{before}{BEGIN}\n{tables}\n{END}{after}")
}

fn page() -> String {
    std::fs::read_to_string(harness::repository().join(PAGE)).expect("the page is in the repository")
}

#[test]
fn every_sentence_has_a_test_or_a_reason() {
    let findings = findings(&page(), &found(sources()), &SHORT);
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn the_table_is_fresh() {
    let page = page();
    let fresh = with_tables(&page, &tables(&page, &found(sources()), &SHORT));
    if page == fresh {
        return;
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(harness::repository().join(PAGE), fresh).expect("the page can be written");
        return;
    }
    panic!(
        "the tables of {PAGE} are not what the tests say: UPDATE=1 cargo test -p insula-tests --test insula sentences"
    );
}

/// A page of all sentences but these, for tests of the rules.
#[cfg(test)]
fn planted(without: &[&str]) -> (String, Vec<Found>) {
    let (mut page, mut tests) = (String::new(), String::new());
    for sentence in sentences().into_iter().filter(|sentence| !without.contains(&&**sentence)) {
        match sentence.split_once(' ') {
            Some((_, row)) => page.push_str(&format!("\n| {row} | no | yes | dropped |\n")),
            None => page.push_str(&format!("**{sentence} A rule.** It holds.\n")),
        }
        let row = |row: &str| ROWS.iter().find(|(_, title)| *title == row).map(|(name, _)| format!("row_{name}"));
        let name = match sentence.split_once(' ') {
            Some((_, title)) => format!("s5_{}", row(title).expect("it is a row")),
            None => format!("s{}_holds", sentence.replace('.', "_")),
        };
        tests.push_str(&format!("#[test]\nfn {name}() {{}}\n"));
    }
    let found = found(&[Source::new("tests/semantics/all.rs", &tests)]);
    (page, found)
}

#[test]
fn a_sentence_without_a_test_is_found() {
    let (page, found) = planted(&[]);
    assert_eq!(findings(&page, &found, &[]), [""; 0]);
    let (_, found) = planted(&["4.2", "5 Killed"]);
    let missing = ["4.2", "5 Killed"]
        .map(|number| format!("{number} has no test, and is not in the list of what does not hold yet"));
    assert_eq!(findings(&page, &found, &[]), missing);
    assert_eq!(findings(&page, &found, &[("4.2", Short::NotYet("why")), ("5 Killed", Short::Partly("why"))]), [""; 0]);
}

#[test]
fn a_sentence_that_the_page_does_not_have_is_found() {
    let (page, _) = planted(&["9.3"]);
    let (_, found) = planted(&[]);
    assert_eq!(findings(&page, &found, &[]), ["9.3 is not in docs/semantics.md"]);
}

#[test]
fn a_test_of_no_sentence_is_found() {
    let (page, mut found) = planted(&[]);
    found.extend(self::found(&[Source::new("tests/a.rs", "#[test]\nfn s9_7_holds() {}\n")]));
    assert_eq!(findings(&page, &found, &[]), ["s9_7_holds: there is no sentence 9.7"]);
    let (page, found) = planted(&[]);
    assert_eq!(
        findings(&page, &found, &[("7.9", Short::NotYet("why"))]),
        ["7.9 does not hold yet, and is no sentence"]
    );
}

#[test]
fn an_excuse_that_is_out_of_date_is_found() {
    let (page, found) = planted(&[]);
    let said = findings(&page, &found, &[("6.6", Short::NotYet("why")), ("9.2", Short::Partly("why"))]);
    assert_eq!(said, ["6.6 is said not to be there yet, and has tests"]);
}

#[test]
fn a_stale_table_is_found() {
    let (page, found) = planted(&[]);
    let page = format!("{page}{BEGIN}stale\n{END}the end\n");
    let fresh = with_tables(&page, &tables(&page, &found, &[("1.1", Short::Partly("a part"))]));
    assert!(fresh.contains("| 1.1 | A rule | `s1_1_holds` | partly: a part |\n"), "{fresh}");
    assert!(fresh.contains("| 5 Killed | error notice: no; exit notice: yes | `s5_row_killed` | holds |\n"), "{fresh}");
    assert!(fresh.ends_with(&format!("{END}the end\n")) && !fresh.contains("stale"), "{fresh}");
}
