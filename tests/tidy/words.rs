//! The project's words: one meaning each, the same in host, guest and prose.

use super::blank;
use super::source::Source;

/// A word that has a better one.
struct Word {
    word: &'static str,
    /// What to write.
    say: &'static str,
    /// A line that holds one of these means something else, and so does a source that uses one ending in `::`.
    unless: &'static [&'static str],
}

const BANNED: [Word; 12] = [
    Word { word: "server", say: "host", unless: &["name server", "hyper::"] },
    Word { word: "client", say: "guest or embedder", unless: &[] },
    Word { word: "runtime", say: "engine, or tokio's runtime in full", unless: &["tokio", "tokio::"] },
    Word { word: "actor", say: "isolate", unless: &[] },
    Word { word: "vat", say: "isolate", unless: &[] },
    Word {
        word: "channel",
        say: "port",
        unless: &["crossbeam", "toolchain", "side channel", "crossbeam_channel::", "mpsc::", "oneshot::"],
    },
    Word { word: "inbox", say: "mailbox", unless: &[] },
    Word { word: "permission", say: "capability or grant", unless: &["fs::", "fsperms", "preopened"] },
    Word { word: "quota", say: "limit", unless: &[] },
    Word { word: "syscall", say: "import", unless: &[] },
    Word { word: "hostcall", say: "import", unless: &[] },
    Word { word: "crash", say: "trap, panic or Exit", unless: &[] },
];

/// Names of modules that say nothing.
const EMPTY_NAMES: [&str; 5] = ["utils", "common", "helpers", "manager", "misc"];

/// Files whose subject these words are.
const EXEMPT: [&str; 1] = ["tests/tidy/"];

/// No banned word, in code or in prose. Identifiers count as words, whatever their case; their parts do not.
pub(super) fn banned(source: &Source) -> Vec<String> {
    if EXEMPT.iter().any(|folder| source.is_in(folder)) {
        return vec![];
    }
    let used = |phrase: &&str| phrase.ends_with("::") && source.is_rust() && source.text().contains(*phrase);
    let meant: Vec<&Word> = BANNED.iter().filter(|word| !word.unless.iter().any(used)).collect();
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(source.text().lines()) {
        let lower = line.to_lowercase();
        for Word { word, say, unless } in &meant {
            let plural = format!("{word}s");
            let found = blank::words(&lower, word).chain(blank::words(&lower, &plural)).next().is_some();
            if found && !unless.iter().any(|phrase| lower.contains(phrase)) {
                findings.push(source.finding(number, format!("{word}; say {say}")));
            }
        }
    }
    findings
}

/// No module that is named for nothing, and no getter that says so.
pub(super) fn names(source: &Source) -> Vec<String> {
    let code = blank::code(source.text());
    let mut findings = Vec::new();
    let path = source.path().trim_end_matches(".rs").split('/');
    findings.extend(
        path.filter(|name| EMPTY_NAMES.contains(name)).map(|name| source.finding(1, format!("{name} says nothing"))),
    );
    for at in blank::words(&code, "mod") {
        let name = identifier(&code[at + 3..]);
        if EMPTY_NAMES.contains(&name) {
            findings.push(source.finding(blank::line(&code, at), format!("a module named {name} says nothing")));
        }
    }
    for at in blank::words(&code, "fn") {
        if let Some(name) = identifier(&code[at + 2..]).strip_prefix("get_") {
            findings.push(source.finding(blank::line(&code, at), format!("get_{name}; say {name}")));
        }
    }
    findings
}

/// No `unwrap` outside of tests: `expect` says why it cannot fail.
pub(super) fn unwrap(source: &Source) -> Vec<String> {
    if source.is_test() || !source.is_rust() {
        return vec![];
    }
    let code = blank::tests(&blank::code(source.text()));
    let found = code.match_indices(".unwrap()");
    found.map(|(at, _)| source.finding(blank::line(&code, at), "unwrap; say with expect why it cannot fail")).collect()
}

/// The identifier that the text begins with, behind spaces.
fn identifier(text: &str) -> &str {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

#[test]
fn banned_words_are_found_in_code_and_prose() {
    let text = "//! The name server.\n// Clients send.\nstruct Actor;\nfn observer() {}\n";
    assert_eq!(
        banned(&Source::new("a.rs", text)),
        ["a.rs:2: client; say guest or embedder", "a.rs:3: actor; say isolate"]
    );
    assert_eq!(banned(&Source::new("a.md", "a runtime\na tokio runtime, tokio::runtime")).len(), 1);
    assert_eq!(banned(&Source::new("a.rs", "use tokio::runtime;\nlet runtime = 1; // a channel")).len(), 1);
    assert_eq!(banned(&Source::new("a.rs", "let (a, b) = mpsc::channel();\n// its channel")), [""; 0]);
}

#[test]
fn empty_names_are_found() {
    let text = "mod utils;\nimpl A { fn get_name(&self) {} fn get(&self) {} }\n// fn get_x()\nmod model;";
    assert_eq!(
        names(&Source::new("a.rs", text)),
        ["a.rs:1: a module named utils says nothing", "a.rs:2: get_name; say name"]
    );
    assert_eq!(names(&Source::new("host/src/common/a.rs", "")), ["host/src/common/a.rs:1: common says nothing"]);
}

#[test]
fn an_unwrap_is_found_outside_of_tests() {
    let text = "fn a() { b.unwrap() }\n// .unwrap()\n#[cfg(test)]\nmod tests { fn c() { d.unwrap() } }\n";
    let found = ["a.rs:1: unwrap; say with expect why it cannot fail"];
    assert_eq!(unwrap(&Source::new("a.rs", text)), found);
    assert_eq!(unwrap(&Source::new("host/src/port/tests.rs", text)), [""; 0]);
}
