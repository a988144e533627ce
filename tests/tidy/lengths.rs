//! Heads and lengths.

use super::blank;
use super::source::Source;

/// Lines of a file.
const FILE_LINES_MAX: usize = 500;

/// Lines of a function, from its name to its last brace: a screen.
const FUNCTION_LINES_MAX: usize = 60;

/// A file begins with what it is.
pub(super) fn head(source: &Source) -> Vec<String> {
    let first = source.text().lines().next().unwrap_or_default();
    let said = first.strip_prefix("//!").is_some_and(|head| head.trim().len() > 3);
    if said { vec![] } else { vec![source.finding(1, "the file does not begin with //! and what it is")] }
}

/// A file is no longer than one can keep in mind.
pub(super) fn file(source: &Source) -> Vec<String> {
    let lines = source.text().lines().count();
    if lines <= FILE_LINES_MAX { vec![] } else { vec![source.finding(lines, format!("a file of {lines} lines"))] }
}

/// A function fits a screen.
pub(super) fn functions(source: &Source) -> Vec<String> {
    let code = blank::code(source.text());
    let mut findings = Vec::new();
    for at in blank::words(&code, "fn") {
        let name: String =
            code[at + 2..].trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        // Without a name it is a function's type.
        let Some(body) = body(&code[at..]).filter(|_| !name.is_empty()) else { continue };
        let lines = code[at..at + body].lines().count();
        if lines > FUNCTION_LINES_MAX {
            findings.push(source.finding(blank::line(&code, at), format!("{name} has {lines} lines")));
        }
    }
    findings
}

/// The length of a function's text up to the end of its body, if it has one.
fn body(code: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.checked_sub(1)?,
            b';' if depth == 0 => return None,
            b'{' if depth == 0 => return Some(at + blank::block(&code[at..])),
            _ => {}
        }
    }
    None
}

#[test]
fn a_file_without_a_head_is_found() {
    let findings = |text| head(&Source::new("a.rs", text)).len();
    assert_eq!(
        [findings("//! What it is.\n"), findings("//!\nfn a() {}"), findings("fn a() {}"), findings("")],
        [0, 1, 1, 1]
    );
}

#[test]
fn a_long_file_is_found() {
    assert_eq!(file(&Source::new("a.rs", &"\n".repeat(500))), [""; 0]);
    assert_eq!(file(&Source::new("a.rs", &"\n".repeat(501))), ["a.rs:501: a file of 501 lines"]);
}

#[test]
fn a_long_function_is_found() {
    let text = |lines: usize| {
        let body = "    // } \n".repeat(lines - 2);
        format!("type F = fn(u8) -> u8;\nfn short(a: [u8; 2]) {{}}\nfn long() {{\n{body}}}\nfn declared();\n")
    };
    assert_eq!(functions(&Source::new("a.rs", &text(60))), [""; 0]);
    assert_eq!(functions(&Source::new("a.rs", &text(61))), ["a.rs:3: long has 61 lines"]);
}
