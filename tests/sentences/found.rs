//! Tests by what their names say they are of.

use super::ROWS;
use crate::tidy::blank;
use crate::tidy::source::Source;

/// A test that is named after a sentence or a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) name: String,
    /// The file that it is in.
    pub(super) path: String,
    /// `4.2`, `5 Killed`, `8`; none for a scenario.
    pub(super) sentence: Option<String>,
}

impl Found {
    pub(super) fn is_scenario(&self) -> bool {
        ["dart_", "beyond_"].iter().any(|origin| self.name.starts_with(origin))
    }
}

/// All of them, of the host's own tests and of those of this package, by name.
pub(super) fn found(sources: &[Source]) -> Vec<Found> {
    let tests = |source: &&Source| {
        source.is_rust()
            && (source.is_in("host/src/") || source.is_in("tests/"))
            && !["tests/guests/", "tests/sentences", "tests/tidy"].iter().any(|not| source.is_in(not))
    };
    let mut found = Vec::new();
    for source in sources.iter().filter(tests) {
        for name in tests_in(source.text()) {
            let (sentence, path) = (sentence(&name), source.path().to_owned());
            let test = Found { name, path, sentence };
            if test.sentence.is_some() || test.is_scenario() {
                found.push(test);
            }
        }
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

/// The names of the functions that are tests.
pub(crate) fn tests_in(text: &str) -> Vec<String> {
    let code = blank::code(text);
    let (mut names, mut is_test) = (Vec::new(), false);
    for line in code.lines().map(str::trim) {
        if line == "#[test]" {
            is_test = true;
        } else if let Some(function) = line.strip_prefix("fn ") {
            if is_test {
                names.extend(function.split_once('(').map(|(name, _)| name.to_owned()));
            }
            is_test = false;
        } else if !line.is_empty() && !line.starts_with("#[") {
            is_test = false;
        }
    }
    names
}

/// The sentence that a test's name begins with.
fn sentence(name: &str) -> Option<String> {
    let (section, rest) = name.strip_prefix('s')?.split_once('_')?;
    section.parse::<u32>().ok()?;
    if let Some(row) = rest.strip_prefix("row_") {
        let rows = ROWS.iter().filter(|(key, _)| row == *key || row.starts_with(&format!("{key}_")));
        // The longest: `proc_exit_0` is no `proc_exit`.
        let row = rows.max_by_key(|(key, _)| key.len()).map_or(row, |(_, title)| title);
        return Some(format!("{section} {row}"));
    }
    match rest.split_once('_') {
        Some((number, _)) if number.parse::<u32>().is_ok() => Some(format!("{section}.{number}")),
        _ => Some(section.to_owned()),
    }
}

#[test]
fn a_name_says_its_sentence() {
    assert_eq!(sentence("s4_2_kill_ends_a_busy_loop").as_deref(), Some("4.2"));
    assert_eq!(sentence("s8_nothing_is_given").as_deref(), Some("8"));
    assert_eq!(sentence("s5_row_killed_by_itself").as_deref(), Some("5 Killed"));
    assert_eq!(sentence("s5_row_proc_exit_0").as_deref(), Some("5 ProcExit(0)"));
    assert_eq!(sentence("s5_row_forgotten").as_deref(), Some("5 forgotten"));
    assert_eq!((sentence("sends_a_message"), sentence("dart_pause")), (None, None));
}

#[test]
fn only_tests_count() {
    let text = "#[test]\nfn s1_1_a() {}\nfn s1_2_b() {}\n// #[test]\nfn s1_3_c() {}\n\
                #[test]\n#[should_panic]\nfn dart_d() {}\nlet a = \"\n#[test]\nfn s1_4_e() {}\n\";\n";
    assert_eq!(tests_in(text), ["s1_1_a", "dart_d"]);
    let names = |path| found(&[Source::new(path, text)]).into_iter().map(|test| test.name).collect::<Vec<_>>();
    assert_eq!(names("host/src/a.rs"), ["dart_d", "s1_1_a"]);
    assert_eq!(names("tests/guests/a.rs"), [""; 0]);
}
