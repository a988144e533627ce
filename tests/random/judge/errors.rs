//! Every error is told, once to each who listens, and reported where nobody does.

use super::ends::{is_killable, is_terminal};
use super::view::{Step, View};
use crate::random::language::{Act, Op, error_text};
use crate::random::run::Heard;

/// An error that an isolate said it would have.
struct Announced<'a> {
    who: u32,
    step: &'a Step<'a>,
    text: String,
    /// Whether the text says whose it is.
    is_labelled: bool,
}

fn announced<'v>(view: &'v View<'_>) -> Vec<Announced<'v>> {
    let found = view.steps().filter_map(|(who, step)| {
        let (text, is_labelled) = match step.act {
            Act::Report { number } | Act::Fail { number } | Act::Panic { number } => (error_text(who, *number), true),
            Act::Trap => ("unreachable".to_owned(), false),
            Act::ProcExit { code } if *code != 0 => (format!("exit code {code}"), false),
            _ => return None,
        };
        Some(Announced { who, step, text, is_labelled })
    });
    found.collect()
}

/// Where in a log an error's text is.
fn places(view: &View<'_>, log: u32, text: &str) -> Vec<usize> {
    let is_it = |heard: &Heard| matches!(heard, Heard::Error(told) if told.starts_with(text));
    view.log(log).iter().enumerate().filter(|(_, heard)| is_it(heard)).map(|(at, _)| at).collect()
}

/// Where `by` first asked to be told of the errors of `who`.
fn asked_at(view: &View<'_>, by: u32, who: u32) -> Option<usize> {
    if by == who {
        return Some(0);
    }
    let mut steps = view.life(by).steps.iter();
    steps.find(|step| matches!(step.act, Act::ListenErrors { whom } if *whom == who)).map(|step| step.at)
}

/// Whether an isolate hears its own errors at this place of its log; nobody else can change that.
fn hears_itself(view: &View<'_>, who: u32, at: usize) -> bool {
    let last = view.life(who).steps.iter().rev().filter(|step| step.at < at).find_map(|step| match step.act {
        Act::ListenErrors { whom } if *whom == who => Some(true),
        Act::ForgetErrors { whom } if *whom == who => Some(false),
        _ => None,
    });
    last.unwrap_or(true)
}

pub(super) fn told_once_and_never_silent(view: &View<'_>, complaints: &mut Vec<String>) {
    let all = announced(view);
    for label in view.labels() {
        for heard in view.log(label) {
            let Heard::Error(text) = heard else { continue };
            if !all.iter().any(|error| text.starts_with(&error.text)) {
                complaints.push(format!("no error is invented: log {label} was told {text:?}"));
            }
        }
    }
    for error in &all {
        let Announced { who, step, text, .. } = error;
        let sources = |log: u32| {
            let same = all.iter().filter(|other| other.text == *text);
            same.filter(|other| asked_at(view, log, other.who).is_some()).count()
        };
        let mut told = 0;
        for log in view.labels() {
            let places = places(view, log, text);
            if places.len() > sources(log) {
                complaints.push(format!("an error is told once, and to those who asked: {text:?} in log {log}"));
            }
            let early = places.iter().any(|place| asked_at(view, log, *who).is_some_and(|asked| *place < asked));
            if early && error.is_labelled {
                complaints.push(format!("an error is told to those who asked before it: {text:?} in log {log}"));
            }
            told += places.len();
        }
        let uncaught = view.run.uncaught.iter().filter(|(whose, told)| whose == who && told.starts_with(text)).count();
        let what = format!("isolate {who}'s error {text:?} was told {told} times and reported {uncaught} times");
        if uncaught > 1 || (error.is_labelled && told > 0 && uncaught > 0) {
            complaints.push(format!("an error is told or reported, never both: {what}"));
        }
        // The exit code of main is what the run answers.
        let is_code_of_main = *who == 0 && matches!(step.act, Act::ProcExit { .. });
        if is_certain(view, *who, step) {
            if told + uncaught == 0 && !is_code_of_main {
                complaints.push(format!("no error is silent: {what}"));
            }
            own_log(view, *who, step, text, complaints);
        }
    }
}

/// An isolate's own log has its error after it was announced, where it listens to itself.
fn own_log(view: &View<'_>, who: u32, step: &Step<'_>, text: &str, complaints: &mut Vec<String>) {
    let end = step.outcome.map_or(view.log(who).len(), |(done, _)| done);
    let told = places(view, who, text).iter().any(|place| (step.at..end).contains(place));
    if told != hears_itself(view, who, step.at) && matches!(step.act, Act::Report { .. } | Act::Fail { .. }) {
        complaints.push(format!("who listens is told, who does not is not: log {who} and {text:?}"));
    }
}

/// Whether an error that was announced did happen: the isolate went on after it, or nothing else can have ended it.
fn is_certain(view: &View<'_>, who: u32, step: &Step<'_>) -> bool {
    let is_last = view.life(who).steps.last().is_some_and(|last| last.at == step.at);
    let went_on = !is_last || step.outcome.is_some() || view.life(who).taken.iter().any(|taken| taken.at > step.at);
    went_on || !is_killable(view, who)
}

/// An error that ends an isolate comes before its exit, and one that does not end it does not.
pub(super) fn before_the_exit(view: &View<'_>, complaints: &mut Vec<String>) {
    for who in view.labels() {
        let life = view.life(who);
        for step in life.steps.iter().filter(|step| matches!(step.act, Act::Report { .. })) {
            match is_fatal(view, who, step.at) {
                Some(true) if step.outcome.is_some() => {
                    complaints.push(format!("a fatal error ends the isolate: {who} went on after {:?}", step.act));
                }
                Some(false) if step.outcome.is_none() && !is_killable(view, who) => {
                    complaints.push(format!("an error that is not fatal ends nobody: {who} ended of {:?}", step.act));
                }
                Some(_) | None => {}
            }
        }
        for (at, step) in life.steps.iter().enumerate() {
            if is_terminal(step.act) && (step.outcome.is_some() || life.steps.len() > at + 1) {
                complaints.push(format!("no code of the dead runs: {who} went on after {:?}", step.act));
            }
        }
    }
}

/// Whether errors are fatal to an isolate at this place of its log; nothing where others had a say in that.
pub(super) fn is_fatal(view: &View<'_>, who: u32, at: usize) -> Option<bool> {
    let others = view
        .steps()
        .any(|(by, step)| by != who && matches!(step.act, Act::SetFatal { whom, allowed: true, .. } if *whom == who));
    if others {
        return None;
    }
    let born = view.run.program.scripts.iter().flatten().find_map(|op| match op {
        Op::Spawn(birth) if birth.child == who => Some(birth.fatal),
        _ => None,
    });
    let own = view.life(who).steps.iter().rev().filter(|step| step.at < at).find_map(|step| match step.act {
        Act::SetFatal { whom, fatal, .. } if *whom == who => Some(*fatal),
        _ => None,
    });
    own.or(born).or(Some(true))
}
