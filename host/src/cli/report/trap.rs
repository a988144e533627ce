//! The report of an isolate that failed, and that nobody listened to: what, who, where, what it said last, what helps.
//!
//! All of it is shown with annotate-snippets: it is the renderer of rustc's own diagnostics, is kept by the Rust project,
//! and brings one small crate along; the others parse, or bring errors of their own. Whatever a guest, a module or a path
//! says is escaped, cut and counted here before it gets there.

use std::fmt::Write as _;

use annotate_snippets::{AnnotationKind, Group, Level, Message, Origin as Location, Renderer, Snippet};
use insula::{Exit, IsolateId, Module, Uncaught, printable_line};

use super::frames::{self, Backtrace, Trace};
use super::source::{Excerpt, Sources, Spot};
use super::{hint, panic};

/// Characters of a line of other people's text that are shown.
const LINE_CHARS_MAX: usize = 300;
/// Lines of an error's text that are shown.
const MESSAGE_LINES_MAX: usize = 30;
/// Lines of standard error that are shown.
const STDERR_LINES_MAX: usize = 10;

/// How failures are shown.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    /// Which frames.
    pub(crate) backtrace: Backtrace,
    /// Where sources may be.
    pub(crate) sources: Sources,
    /// Whether the last of its standard error is shown: not where that is shown anyway.
    pub(crate) with_stderr: bool,
}

impl Shown {
    /// Says that an isolate failed.
    pub(crate) fn tell(&self, uncaught: &Uncaught) {
        super::say(&self.render(uncaught));
    }

    /// The report, with colours.
    pub(crate) fn render(&self, uncaught: &Uncaught) -> String {
        let stderr = uncaught.stderr.to_string();
        let told = panic::of(uncaught.exit.as_ref(), &stderr);
        let (what, message) = what(uncaught, told.as_ref());
        let title = format!("isolate {} `{}` {what}{}", uncaught.isolate, cut(&uncaught.name), block(&message));
        let place = told.as_ref().map(|told| told.place.as_str()).or(match &uncaught.exit {
            Some(Exit::Panicked { place, .. }) => Some(place.as_str()),
            _ => None,
        });
        let place = place.and_then(Spot::parse);
        let trace = Trace::of(uncaught, place.is_some(), self);
        let place = place.or_else(|| trace.innermost());
        let excerpt = place.as_ref().and_then(|spot| self.sources.excerpt(spot));
        let mut group = Level::ERROR.primary_title(title).elements(Vec::<Message<'_>>::new());
        group = named_place(group, excerpt.as_ref(), place.as_ref(), self);
        for note in self.notes(uncaught, &trace, told.as_ref().map_or(stderr.as_str(), |told| told.before)) {
            group = group.element(Level::NOTE.message(note));
        }
        for help in hint::of(uncaught, &message, &trace) {
            group = group.element(Level::HELP.message(help));
        }
        rendered(group)
    }

    /// Who spawned it, what it runs, where it was, what it said.
    fn notes(&self, uncaught: &Uncaught, trace: &Trace, stderr: &str) -> Vec<String> {
        let mut notes = Vec::new();
        notes.extend(self.spawned(uncaught));
        if let Some(module) = &uncaught.module {
            notes.push(format!("module {}, sha256 {}", cut(&frames::file_name(module.name())), module.digest()));
        }
        notes.extend(trace.text());
        notes.extend(last_lines(stderr).filter(|_| self.with_stderr));
        notes
    }

    fn spawned(&self, uncaught: &Uncaught) -> Option<String> {
        let origin = uncaught.origin.as_ref()?;
        let mut text = format!("spawned by {}", named(origin.isolate, origin.name.as_deref()));
        let module: Option<&Module> = origin.module.as_ref();
        if let Some(place) = module.and_then(|module| frames::spawned_at(&origin.frames, module, self)) {
            let _ = write!(text, ", {place}");
        }
        Some(text)
    }
}

fn named(id: IsolateId, name: Option<&str>) -> String {
    match name {
        Some(name) => format!("isolate {id} `{}`", cut(name)),
        None => format!("isolate {id}, which has ended"),
    }
}

/// What happened, in a word, and what was said about it.
fn what(uncaught: &Uncaught, told: Option<&panic::Told<'_>>) -> (&'static str, String) {
    let said = |text: &str| text.to_owned();
    match (&uncaught.exit, told) {
        (_, Some(told)) => ("panicked", told.message.clone()),
        (None, None) => ("reported an error, and goes on", said(&uncaught.error.message)),
        (Some(Exit::Panicked { message, .. }), None) => ("panicked", said(message)),
        (Some(Exit::Trapped { kind, .. }), None) => ("trapped", said(kind)),
        (Some(Exit::Failed { error }), None) => ("failed", said(&error.message)),
        (Some(Exit::StartFailed { error }), None) => ("failed to start", said(&error.message)),
        (Some(Exit::Limit { which, value }), None) => ("exceeded its limit", format!("{which} {value}")),
        (Some(Exit::HostFault { message }), None) => ("met a fault of the host", said(message)),
        (Some(exit), None) => ("ended", exit.to_string()),
    }
}

/// Lines behind a colon, the first in the line of what they belong to.
fn block(text: &str) -> String {
    let mut lines = text.lines();
    let mut shown = match lines.next() {
        Some(first) => format!(": {}", cut(first)),
        None => return String::new(),
    };
    for (at, line) in lines.enumerate() {
        if at + 1 == MESSAGE_LINES_MAX {
            shown.push_str("\n[...]");
            break;
        }
        let _ = write!(shown, "\n{}", cut(line));
    }
    shown
}

fn last_lines(stderr: &str) -> Option<String> {
    let lines: Vec<&str> = stderr.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(STDERR_LINES_MAX)..];
    let shown = last.iter().fold(String::new(), |text, line| text + "\n| " + &cut(line));
    (!last.is_empty()).then(|| format!("the last of its standard error:{shown}"))
}

/// The lines of source around a place, or its name where they are not at hand.
pub(super) fn named_place<'a>(
    group: Group<'a>,
    excerpt: Option<&'a Excerpt>,
    place: Option<&Spot>,
    shown: &Shown,
) -> Group<'a> {
    match (excerpt, place) {
        (Some(excerpt), _) => group.element(snippet(excerpt)),
        (None, Some(spot)) => {
            let location = Location::path(cut(&shown.sources.shorten(&spot.file))).line(spot.line as usize);
            group.element(match spot.column {
                0 => location,
                column => location.char_column(column as usize),
            })
        }
        (None, None) => group,
    }
}

fn snippet(excerpt: &Excerpt) -> Snippet<'_, annotate_snippets::Annotation<'_>> {
    let marked = AnnotationKind::Primary.span(excerpt.marked.clone());
    let snippet = Snippet::source(excerpt.text.as_str()).line_start(excerpt.first_line).fold(false);
    snippet.path(excerpt.path.as_str()).annotation(marked)
}

pub(super) fn rendered(group: Group<'_>) -> String {
    Renderer::styled().render(&[group])
}

/// Other people's text as a part of a line.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(LINE_CHARS_MAX) {
        Some((end, _)) => format!("{}[...]", printable_line(&text[..end])),
        None => printable_line(text).into_owned(),
    }
}
