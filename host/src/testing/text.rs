//! Lines that are expected and lines that came, and how they differ.

use similar::{ChangeTag, TextDiff};

/// What stands for any text in a line that is expected.
const ANY: &str = "...";

/// Whether a text is what is expected, where `...` stands for any text.
pub(super) fn fits(expected: &str, text: &str) -> bool {
    let mut parts = expected.split(ANY);
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// The lines of a text that is indented as it likes.
pub(super) fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}

/// How lines differ from those that are expected; none where they do not.
pub(super) fn difference<'a>(expected: &'a [&'a str], lines: &'a [&'a str]) -> Option<String> {
    if expected.len() == lines.len() && expected.iter().zip(lines).all(|(pattern, line)| fits(pattern, line)) {
        return None;
    }
    // A line that fits an expected one is shown as that one: as the one in its place, where that is so.
    let as_expected = |(at, line): (usize, &'a &'a str)| {
        let in_place = expected.get(at).filter(|pattern| fits(pattern, line));
        let elsewhere = || expected.iter().find(|pattern| pattern.contains(ANY) && fits(pattern, line));
        *in_place.or_else(elsewhere).unwrap_or(line)
    };
    let known: Vec<&str> = lines.iter().enumerate().map(as_expected).collect();
    let mut text = String::new();
    for change in TextDiff::from_slices(expected, &known).iter_all_changes() {
        let sign = match change.tag() {
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
            ChangeTag::Equal => ' ',
        };
        text.push_str(&format!("\n  {sign} {}", change.value()));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_dots_are_any_text_and_all_else_is_itself() {
        for (expected, text) in
            [("a", "a"), ("...", ""), ("a...", "ab"), ("...b", "ab"), ("a...c...e", "abcde"), ("a...a", "aa")]
        {
            assert!(fits(expected, text), "{expected} {text}");
        }
        for (expected, text) in
            [("a", "ab"), ("a", ""), ("a...", "b"), ("a...a", "a"), ("a...c...e", "aec"), ("..", "ab")]
        {
            assert!(!fits(expected, text), "{expected} {text}");
        }
    }

    #[test]
    fn a_difference_shows_what_is_missing_and_what_came_instead() {
        let came = ["one", "two of 7", "four"];
        assert_eq!(difference(&["one", "two of ...", "four"], &came), None);
        let text = difference(&["one", "two of ...", "three"], &came).unwrap();
        assert_eq!(text, "\n    one\n    two of ...\n  - three\n  + four");
        assert_eq!(difference(&[], &came[..1]).unwrap(), "\n  + one");
        // A line may fit several that are expected.
        assert_eq!(difference(&["...", "two ...", "..."], &came), None);
        assert_eq!(lines("\n   one\n\n  two  \n"), ["one", "two"]);
    }
}
