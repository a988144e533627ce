//! The paths that a piece of code names, in `use` trees and elsewhere.

/// A path, and where it begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) at: usize,
    pub(super) segments: Vec<String>,
}

/// All paths of two segments or more, and single names behind `use`. A tree becomes one path for each leaf.
pub(super) fn paths(code: &str) -> Vec<Path> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < code.len() {
        let name = identifier(&code[at..]);
        if name.is_empty() {
            at += code[at..].chars().next().map_or(1, char::len_utf8);
            continue;
        }
        let mut leaves = Vec::new();
        let end = at + tree(&code[at..], &[], &mut leaves);
        let used = code[..at].trim_end().ends_with("use");
        let leaves = leaves.into_iter().filter(|segments| segments.len() > 1 || used);
        found.extend(leaves.map(|segments| Path { at, segments }));
        at = end;
    }
    found
}

/// Reads the tree that begins here, behind `prefix`, into its leaves; returns its length.
fn tree(code: &str, prefix: &[String], leaves: &mut Vec<Vec<String>>) -> usize {
    let mut segments = prefix.to_vec();
    let mut at = 0;
    loop {
        let name = identifier(&code[at..]);
        segments.push(name.to_owned());
        at += name.len();
        let Some(behind) = code[at..].strip_prefix("::") else { break };
        if behind.starts_with('{') {
            at += 2 + group(behind, &segments, leaves);
            return at;
        }
        if identifier(behind).is_empty() {
            break;
        }
        at += 2;
    }
    leaves.push(segments);
    at
}

/// Reads a group in braces into its leaves; returns its length.
fn group(code: &str, prefix: &[String], leaves: &mut Vec<Vec<String>>) -> usize {
    let mut at = 1;
    while at < code.len() {
        if identifier(&code[at..]).is_empty() {
            if code[at..].starts_with('}') {
                return at + 1;
            }
            at += code[at..].chars().next().map_or(1, char::len_utf8);
        } else {
            at += tree(&code[at..], prefix, leaves);
        }
    }
    at
}

/// The identifier that the text begins with, or nothing.
fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

#[test]
fn trees_become_leaves() {
    let code = "use crate::{port::{self, Mailbox}, limits::*}; use wat as w; fn f() -> a::B<c::D> { e::f::<G>() }";
    let found: Vec<_> = paths(code).into_iter().map(|path| path.segments.join("::")).collect();
    assert_eq!(found, ["crate::port::self", "crate::port::Mailbox", "crate::limits", "wat", "a::B", "c::D", "e::f"]);
}
