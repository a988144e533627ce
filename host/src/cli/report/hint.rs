//! What may help: one sentence for each failure that many people meet, with the flag or the setting that changes it.

use insula::{Exit, Uncaught};

use super::frames::Trace;

/// Words by which a missing grant is known, and what to say then. They are Rust's and insula's own; a guest in another
/// language says it its own way, and gets no hint.
const GRANTS: [(&[&str], &str); 4] = [
    (
        &["needs a grant: Grant::module", "there is no module `"],
        "another module is given by --module NAME=TARGET; those beside the program need no flag",
    ),
    (
        &["failed to find a pre-opened file descriptor", "(os error 44)", "NotFound"],
        "a program sees no file that it was not given: --dir HOST[::GUEST] gives it a folder",
    ),
    (&["(os error 76)", "Capabilities insufficient"], "this file was not given, or not to be written: see --dir"),
    (
        &["environment variable not found", "NotPresent"],
        "a program has no environment variable that it was not given: --env NAME[=VALUE] gives it one",
    ),
];

/// Sentences that may help, for a failure that said this.
pub(super) fn of(uncaught: &Uncaught, message: &str, trace: &Trace) -> Vec<String> {
    let mut hints: Vec<String> = Vec::new();
    let grant = GRANTS.iter().find(|(words, _)| words.iter().any(|word| message.contains(word)));
    hints.extend(grant.map(|(_, hint)| (*hint).to_owned()));
    match &uncaught.exit {
        Some(Exit::Trapped { kind, .. }) if kind == "call stack exhausted" => hints.push(
            "a function calls itself without an end, or too deep: turn it into a loop, or give the work to an isolate \
             of its own; the depth is fixed"
                .to_owned(),
        ),
        Some(Exit::Trapped { kind, .. }) if kind == "out of bounds memory access" => hints.push(
            "where all code is safe Rust, this is mostly a stack that is too small for the values on it: build with \
             RUSTFLAGS=\"-C link-arg=-zstack-size=8388608\""
                .to_owned(),
        ),
        Some(Exit::Limit { which, .. }) if which == "memory" => {
            hints.push(
                "`-W max-memory-size=512MiB` gives main more; a program gives an isolate that it spawns more with `limits`"
                    .to_owned(),
            );
        }
        _ => {}
    }
    if !trace.is_empty() && !trace.has_lines {
        hints.push(
            "for files and lines, build with debug information: in Rust, debug = \"line-tables-only\" and strip = false in the \
             profile of Cargo.toml"
                .to_owned(),
        );
    }
    hints
}
