//! How libtest is asked for one test, and what its answer means.
//!
//! Its standard output is a frame around what the test prints: `running 1 test`, the name, what was printed, a word, a
//! summary. A test that ends the isolate leaves the frame without its end. Measured with Rust 1.95: a test that should
//! panic is listed as any other, and skipped on wasm, with ` - should panic` behind its name.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::super::report;

/// A test that libtest lists.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) ignored: bool,
}

/// What libtest said of a test that it ran.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    Passed,
    Ignored(Option<String>),
    Failed,
    /// Nothing: the program ended before the test did.
    Nothing,
}

/// Why libtest skips a test that should panic.
const SHOULD_PANIC: &str = "should panic, which libtest cannot test on wasm";

/// An option of libtest's that no other program has, as its code has it.
const MARK: &[u8] = b"force-run-in-process";

/// A longer file is no test binary of anybody's.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Whether a module has libtest in it.
pub(super) fn is_in(file: &Path) -> Result<bool> {
    let named = || report::path(file);
    let mut bytes = Vec::new();
    let file = std::fs::File::open(file).with_context(named)?;
    if !file.metadata().with_context(named)?.is_file() {
        bail!("{}: not a file", named());
    }
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).with_context(named)?;
    Ok(bytes.windows(MARK.len()).any(|window| window == MARK))
}

/// The arguments that have it list its tests, or the ignored ones of them.
pub(super) fn list(ignored: bool) -> Vec<String> {
    let words = ["--list", "--format", "terse"].into_iter().chain(ignored.then_some("--ignored"));
    words.map(str::to_owned).collect()
}

/// The arguments that have it run one test; what that prints is not kept from us.
pub(super) fn only(name: &str, also_ignored: bool) -> Vec<String> {
    let words = ["--exact", name, "--nocapture", "--test-threads=1", "--color=never"].into_iter();
    words.chain(also_ignored.then_some("--include-ignored")).map(str::to_owned).collect()
}

/// The names in a list.
pub(super) fn names(list: &str) -> Result<Vec<&str>> {
    let name = |line| -> Option<&str> {
        let (name, kind) = str::rsplit_once(line, ": ")?;
        matches!(kind, "test" | "benchmark").then_some(name)
    };
    list.lines().map(|line| name(line).with_context(|| format!("`{line}` is no line of a list of tests"))).collect()
}

/// What it says before a test.
fn head(name: &str) -> String {
    format!("\nrunning 1 test\ntest {name}")
}

/// The rest of what it said, with what it says before a test.
pub(super) fn headed(name: &str, rest: &str) -> String {
    format!("{} ... {rest}", head(name))
}

/// What it said of a test, and what the test printed itself.
pub(super) fn read<'a>(name: &str, stdout: &'a str) -> (Said, &'a str) {
    let frame = head(name);
    let Some(rest) = stdout.strip_prefix(&frame) else { return (Said::Nothing, stdout) };
    let should_panic = rest.strip_prefix(" - should panic");
    let rest = should_panic.unwrap_or(rest);
    let rest = rest.strip_prefix(" ... ").unwrap_or(rest);
    let Some((inner, summary)) = rest.rsplit_once("\n\ntest result: ") else { return (Said::Nothing, rest) };
    let counts = |words: &str| summary.contains(words);
    if counts("; 1 ignored;") {
        let said = inner.strip_prefix("ignored").unwrap_or_default().strip_prefix(", ");
        let reason = should_panic.map(|_| SHOULD_PANIC).or(said);
        return (Said::Ignored(reason.map(str::to_owned)), "");
    }
    if counts("FAILED. 0 passed; 1 failed;") {
        let printed = inner.rsplit_once("FAILED\n\nfailures:\n").map_or(inner, |(printed, _)| printed);
        // It names the test once in a block of its own, before the list.
        let printed = printed.split("FAILED\n\nfailures:\n").next().unwrap_or(printed);
        return (Said::Failed, printed);
    }
    match inner.strip_suffix("ok") {
        Some(printed) if counts("ok. 1 passed;") => (Said::Passed, printed),
        _ => (Said::Nothing, rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUMMARY: &str = "0 measured; 7 filtered out; finished in 0.00s\n\n";

    #[test]
    fn a_test_s_own_words_are_told_from_the_frame() {
        let passed = format!(
            "\nrunning 1 test\ntest a::b ... hello\nok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; {SUMMARY}"
        );
        assert_eq!(read("a::b", &passed), (Said::Passed, "hello\n"));
        // Of what was printed too much of to be kept, the end says how it was.
        let cut = format!(
            "[9 bytes before this are not kept]\nlo\nok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; {SUMMARY}"
        );
        let headed = headed("a::b", &cut);
        assert_eq!(read("a::b", &headed), (Said::Passed, "[9 bytes before this are not kept]\nlo\n"));
        let failed = format!(
            "\nrunning 1 test\ntest a ... oh\nFAILED\n\nfailures:\n\nfailures:\n    a\n\ntest result: FAILED. 0 passed; 1 failed; 0 ignored; {SUMMARY}"
        );
        assert_eq!(read("a", &failed), (Said::Failed, "oh\n"));
        assert_eq!(read("a", "\nrunning 1 test\ntest a ... half"), (Said::Nothing, "half"));
        assert_eq!(read("a", "something else"), (Said::Nothing, "something else"));
    }

    #[test]
    fn ignored_tests_have_their_reason() {
        let end = format!("\n\ntest result: ok. 0 passed; 0 failed; 1 ignored; {SUMMARY}");
        for (line, reason) in [
            ("a ... ignored", None),
            ("a ... ignored, slow", Some("slow")),
            ("a - should panic ... ignored", Some(SHOULD_PANIC)),
        ] {
            let said = Said::Ignored(reason.map(str::to_owned));
            assert_eq!(read("a", &format!("\nrunning 1 test\ntest {line}{end}")), (said, ""));
        }
    }

    #[test]
    fn a_test_that_only_prints_that_it_passed_has_not() {
        let forged = "\nrunning 1 test\ntest a ... ok\n\ntest result: ok. 7 passed";
        assert_eq!(read("a", forged).0, Said::Nothing);
    }

    #[test]
    fn a_list_is_names() {
        assert_eq!(names("a::b: test\nc: benchmark\n").unwrap(), ["a::b", "c"]);
        assert!(names("a::b: test\nusage: of something\n").is_err());
        assert!(names("").unwrap().is_empty());
    }
}
