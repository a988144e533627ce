//! What the command itself says, all of it on standard error. What came from a guest or a path is escaped, and a broken
//! pipe is nobody's panic.

//!
//! - `trap`: the report of an isolate that failed; `frames`, `source`, `hint`, `panic`: its parts.

mod frames;
mod hint;
mod panic;
mod source;
mod trap;

use std::io::Write;
use std::path::Path;

use insula::{Ended, Exit, printable, printable_line};

use super::code;
pub(crate) use frames::{Backtrace, file_name};
pub(crate) use source::Sources;
pub(crate) use trap::Shown;

/// Says what went wrong, and answers the exit code.
pub(crate) fn error(error: &anyhow::Error) -> u8 {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        // Some errors say their cause themselves.
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    say(&format!("insula: error: {}", printable(&text)));
    code::FAILURE
}

/// Shows help, the version, or what is wrong with the command line; answers the exit code.
pub(crate) fn usage(usage: &clap::Error) -> u8 {
    let plain = usage.render().to_string();
    let shown = printable(&plain);
    if shown == plain {
        // With colours, where there are any.
        let _ = usage.print();
    } else {
        say(shown.trim_end());
    }
    if usage.use_stderr() { code::USAGE } else { 0 }
}

/// Says what the library did not: errors that nobody listened for were told when they happened.
pub(crate) fn ended(ended: &Ended) {
    if let Some(sleepers) = &ended.asleep {
        let waiting: String = sleepers.iter().map(|sleeper| format!("  {sleeper}\n")).collect();
        say(&format!(
            "insula: error: all isolates are asleep, and nothing can wake any of them\n{waiting}hint: whoever waits for a \
             message needs somebody left to send it; close a port, or leave its loop, when the last message has come"
        ));
    } else if let Exit::Killed { .. } = ended.main {
        say(&format!("insula: main: {}", printable_line(&ended.main.to_string())));
    }
}

/// A remark about what is done now.
pub(crate) fn note(text: &str) {
    say(&format!("insula: {}", printable(text)));
}

/// Other people's text within a line.
pub(crate) fn line(text: &str) -> String {
    printable_line(text).into_owned()
}

/// What is said beside results, with colours.
pub(crate) fn aside(text: &str) {
    say_styled(text);
}

/// The panic that ended a guest, where it told of that on standard error: what it said, and what it had written before.
pub(crate) fn told_panic<'a>(exit: &Exit, stderr: &'a str) -> Option<(String, &'a str)> {
    panic::of(Some(exit), stderr).map(|told| (told.message, told.before))
}

/// A path for a message.
pub(crate) fn path(path: &Path) -> String {
    format!("`{}`", printable_line(&path.display().to_string()))
}

/// A panic of ours is one line as well, whatever `RUST_BACKTRACE` says: it is our fault, and no use to a caller.
pub(crate) fn no_backtraces_of_ours() {
    std::panic::set_hook(Box::new(|panic| {
        let text = panic.payload_as_str().unwrap_or("no text");
        let place = panic.location().map(|place| format!(" at {place}")).unwrap_or_default();
        say(&format!("insula: error: a fault of insula's own, please report it: {}{place}", printable_line(text)));
    }));
}

/// With colours, where whoever reads wants them: `NO_COLOR`, `CLICOLOR`, `CLICOLOR_FORCE`, and a terminal.
fn say_styled(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

fn say(text: &str) {
    // Whoever closed our standard error does not want to know.
    let _ = writeln!(std::io::stderr(), "{text}");
}
