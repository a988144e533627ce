//! What the command itself says, on standard error but for what it was asked to show. What came from a guest or a path is
//! escaped, and a broken pipe is nobody's panic.
//!
//! - `trap`: the report of an isolate that failed; `frames`, `source`, `hint`, `panic`: its parts.
//! - `stack`: where one is that lives.
//! - `voice`: in which form, where there are logs beside.

mod frames;
mod hint;
mod panic;
mod source;
mod stack;
mod trap;
mod voice;

use std::io::Write;
use std::path::Path;

use anstyle::AnsiColor;
use insula::{Exit, Sleeper, printable, printable_line};

use super::code::{self, Outcome};
pub(crate) use frames::{Backtrace, file_name};
pub(crate) use source::Sources;
pub(crate) use stack::Stack;
pub(crate) use trap::Shown;
pub(crate) use voice::{OWN, Voice, is_json, speak};

/// Isolates that are named where all are asleep; with names of usual length that is a page or two.
const SLEEPERS_MAX: usize = 100;

/// Says what went wrong, and answers the exit code.
pub(crate) fn error(error: &anyhow::Error) -> u8 {
    if let Some(wrong) = error.downcast_ref() {
        return usage(wrong);
    }
    failure(error);
    code::FAILURE
}

/// Says what went wrong.
pub(crate) fn failure(error: &anyhow::Error) {
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
    let (style, text) = (AnsiColor::Red.on_default().bold(), printable(&text));
    if voice::is_json() {
        return tracing::error!(target: OWN, "{text}");
    }
    say(&format!("insula: {style}error{style:#}: {text}"));
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
pub(crate) fn ended(outcome: &Outcome) {
    let Outcome::Ended { ended, .. } = outcome else { return };
    if let Some(sleepers) = &ended.asleep {
        let waiting = listed(sleepers);
        let what = "all isolates are asleep, and nothing can wake any of them";
        let hint = "whoever waits for a message needs somebody left to send it; close a port, or leave its loop, when the last \
                    message has come";
        if voice::is_json() {
            return tracing::error!(target: OWN, asleep = waiting, help = hint, "{what}");
        }
        say(&format!("insula: error: {what}\n{waiting}hint: {hint}"));
    } else if let Exit::Killed { .. } = ended.main {
        let text = format!("main: {}", printable_line(&ended.main.to_string()));
        if voice::is_json() {
            return tracing::error!(target: OWN, reason = ended.main.reason(), "{text}");
        }
        say(&format!("insula: {text}"));
    }
}

/// A line for each, and one for those beyond.
fn listed(sleepers: &[Sleeper]) -> String {
    let lines = sleepers.iter().take(SLEEPERS_MAX).map(|sleeper| format!("  {sleeper}\n"));
    let beyond = sleepers.len().saturating_sub(SLEEPERS_MAX);
    let rest = Some(format!("  and {beyond} more\n")).filter(|_| beyond > 0);
    lines.chain(rest).collect()
}

/// Shows what was asked for, on standard output.
pub(crate) fn show(text: &str) {
    // Whoever does not read it to its end has seen enough.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// A remark about what is done now.
pub(crate) fn note(text: &str) {
    let text = printable(text);
    if voice::is_json() {
        return tracing::info!(target: OWN, "{text}");
    }
    say(&format!("insula: {text}"));
}

/// Where somebody can look at the run.
pub(crate) fn listens(what: &str, url: &str) {
    if voice::is_json() {
        return tracing::info!(target: OWN, url, "{what} can be read");
    }
    say(&format!("insula: {what} at {url}"));
}

/// Other people's text within a line.
pub(crate) fn line(text: &str) -> String {
    printable_line(text).into_owned()
}

/// What is said beside results, with colours.
pub(crate) fn aside(text: &str) {
    say(text);
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
        let text = format!("a fault of insula's own, please report it: {}{place}", printable_line(text));
        if voice::is_json() {
            return tracing::error!(target: OWN, "{text}");
        }
        say(&format!("insula: error: {text}"));
    }));
}

/// All that was said is out when this returns, or nobody reads it.
pub(crate) fn flush() {
    voice::flush();
}

fn say(text: &str) {
    if voice::say(text) {
        return;
    }
    // Whoever closed our standard error does not want to know. Colours are there where terminal, NO_COLOR, CLICOLOR and
    // CLICOLOR_FORCE want them.
    let _ = writeln!(anstream::stderr(), "{text}");
}
