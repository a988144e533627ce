//! The help: every command has a page with examples, and everything on it is tried by a test.
//!
//! The list of commands and flags is the binary's own, read off its pages, so that a flag which nobody tried is found by
//! whoever adds it.

use super::golden::golden;
use super::insula;
use crate::tidy::source::{Source, sources};

/// A command, as the words of its path, and the page of it.
struct Page {
    path: Vec<String>,
    text: String,
}

/// The page that is shown for a command.
fn page(path: &[String]) -> Page {
    let ran = insula(["help"].into_iter().chain(path.iter().map(String::as_str)));
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    Page { path: path.to_vec(), text: ran.stdout }
}

/// All pages, from the root's on.
fn pages() -> Vec<Page> {
    let (mut pages, mut left) = (Vec::new(), vec![Vec::new()]);
    while let Some(path) = left.pop() {
        let page = page(&path);
        let below = commands(&page.text);
        left.extend(below.into_iter().map(|name| [&path[..], &[name]].concat()));
        pages.push(page);
    }
    pages
}

/// The commands that a page lists.
fn commands(page: &str) -> Vec<String> {
    let lines = page.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let first = lines.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    first.filter(|name| !name.is_empty() && *name != "help").map(str::to_owned).collect()
}

/// The flags that a page lists, each in its forms. What is indented further is what a flag is said to do.
fn flags(page: &str) -> Vec<Vec<String>> {
    let indented = |line: &&str| line.trim_start().starts_with('-') && line.len() - line.trim_start().len() <= 6;
    let forms = |line: &str| {
        let words = line.split_whitespace().take_while(|word| word.starts_with('-'));
        words.map(|word| flag(word).to_owned()).collect()
    };
    page.lines().filter(indented).map(forms).collect()
}

/// A flag without what follows it: a value, or the next form.
fn flag(word: &str) -> &str {
    let end = word.find(|char: char| !char.is_ascii_alphanumeric() && char != '-').unwrap_or(word.len());
    &word[..end]
}

/// Whether a test's text has the flag, and not only one that begins so.
fn has(text: &str, flag: &str) -> bool {
    let part = |char: char| char.is_ascii_alphanumeric() || char == '-';
    text.match_indices(flag).any(|(at, _)| {
        !text[..at].chars().next_back().is_some_and(part) && !text[at + flag.len()..].chars().next().is_some_and(part)
    })
}

/// Whether tests are of this command: they name each word of it, or call what runs `insula run`.
fn is_of(text: &str, path: &[String]) -> bool {
    path.iter().all(|word| text.contains(&format!("\"{word}\"")) || (word == "run" && text.contains("run([")))
}

/// What the pages list and no test names.
fn untried(pages: &[Page], tests: &[&Source]) -> Vec<String> {
    let mut untried = Vec::new();
    for Page { path, text } in pages {
        let tests: Vec<&str> = tests.iter().map(|test| test.text()).filter(|text| is_of(text, path)).collect();
        let shown = path.join(" ");
        if tests.is_empty() {
            untried.push(format!("insula {shown}"));
        }
        for forms in flags(text) {
            if !forms.iter().any(|form| tests.iter().any(|text| has(text, form))) {
                untried.push(format!("insula {shown} {}", forms.join(", ")));
            }
        }
    }
    untried
}

/// The tests of the command line; these here try `-h` and `-V` only.
fn tests() -> Vec<&'static Source> {
    sources().iter().filter(|source| source.is_in("tests/cli/") && source.is_rust()).collect()
}

#[test]
fn every_command_and_every_flag_is_tried() {
    let mut pages = pages();
    assert!(pages.len() > 8, "only {} pages were found", pages.len());
    for page in &mut pages {
        // Tried for every command, below.
        let lines = page.text.lines().filter(|line| !line.contains("-h, --help") && !line.contains("-V, --version"));
        page.text = lines.collect::<Vec<_>>().join("\n");
    }
    let tests: Vec<_> = tests().into_iter().filter(|test| !test.path().ends_with("/helped.rs")).collect();
    let untried = untried(&pages, &tests);
    assert!(
        untried.is_empty(),
        "no file of tests/cli names the command, in quotes, together with what it can do:\n{}",
        untried.join("\n")
    );
}

#[test]
fn every_page_has_examples_and_is_what_was_looked_at() {
    for Page { path, text } in pages() {
        assert!(text.contains("\nExamples:\n  insula "), "insula help {} has no examples:\n{text}", path.join(" "));
        let lines = text.lines().filter(|line| line.chars().count() > 100);
        assert_eq!(lines.collect::<Vec<_>>(), [""; 0], "too long for a terminal");
        golden(&["help"].into_iter().chain(path.iter().map(String::as_str)).collect::<Vec<_>>().join("-"), &text);
    }
}

#[test]
fn help_is_the_same_by_every_way() {
    for Page { path, text } in pages() {
        let ran = insula(path.iter().map(String::as_str).chain(["--help"]));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), text.as_str()), "insula {} --help", path.join(" "));
        assert_eq!(insula(path.iter().map(String::as_str).chain(["-h"])).code, Some(0));
    }
    let version = format!("insula {}\n", env!("CARGO_PKG_VERSION"));
    for flag in ["-V", "--version"] {
        let ran = insula([flag]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), version.as_str()));
    }
}

#[test]
fn what_nobody_tried_is_found() {
    let text = "Commands:\n  show  Shows\n  help  Helps\n\nOptions:\n  -o, --out <OUT>  Where, as\n                   --never said\n      --all[=X]\n";
    assert_eq!(commands(text), ["show"]);
    let pages = [Page { path: vec!["trace".to_owned()], text: text.to_owned() }];
    let found = |test: &str| untried(&pages, &[&Source::new("tests/cli/trace.rs", test)]);
    assert_eq!(found("[\"trace\", \"--all=1\", \"-o\"]"), [""; 0]);
    assert_eq!(found("[\"trace\", \"--all-of-it\", \"--out\"]"), ["insula trace --all"]);
    assert_eq!(found("[\"trail\", \"--all\"]").len(), 3);
}
