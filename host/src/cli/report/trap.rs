//! The report of an isolate that failed, and that nobody listened to: what, who, where, what it said last, what helps.
//!
//! All of it is shown with annotate-snippets: it is the renderer of rustc's own diagnostics, is kept by the Rust project,
//! and brings one small crate along; the others parse, or bring errors of their own. Whatever a guest, a module or a path
//! says is escaped, cut and counted here before it gets there.

use std::fmt::Write as _;

use annotate_snippets::{AnnotationKind, Group, Level, Message, Origin as Location, Renderer, Snippet};
use insula::{Exit, IsolateId, Module, Sha256, Uncaught, printable_line};

use super::frames::{self, Backtrace, Trace};
use super::source::{Excerpt, Sources, Spot};
use super::{OWN, hint, panic, voice};

/// Characters of a line of other people's text that are shown.
const LINE_CHARS_MAX: usize = 300;
/// Lines of an error's text that are shown.
const MESSAGE_LINES_MAX: usize = 30;
/// Lines of standard error that are shown.
const STDERR_LINES_MAX: usize = 10;

/// What is said of a failure.
struct Parts {
    who: String,
    what: &'static str,
    message: String,
    place: Option<Spot>,
    excerpt: Option<Excerpt>,
    spawned: Option<String>,
    module: Option<(String, Sha256)>,
    trace: Trace,
    /// What it wrote to standard error before what is told of that already.
    stderr: String,
    help: Vec<String>,
}

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
        if voice::is_json() {
            return self.log(uncaught);
        }
        super::say(&self.render(uncaught));
    }

    /// The report, with colours.
    pub(crate) fn render(&self, uncaught: &Uncaught) -> String {
        let parts = self.parts(uncaught);
        let mut group = Level::ERROR.primary_title(parts.title()).elements(Vec::<Message<'_>>::new());
        group = named_place(group, parts.excerpt.as_ref(), parts.place.as_ref(), self);
        let last = last_lines(&parts.stderr).filter(|_| self.with_stderr);
        let last = last.map(|lines| format!("the last of its standard error:{lines}"));
        let spawned = parts.spawned.iter().map(|by| format!("spawned by {by}"));
        let module = parts.module.iter().map(|(name, digest)| format!("module {name}, sha256 {digest}"));
        for note in spawned.chain(module).chain(parts.trace.text()).chain(last) {
            group = group.element(Level::NOTE.message(note));
        }
        for help in &parts.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        rendered(group)
    }

    /// The report as an event of the log, its parts as fields.
    fn log(&self, uncaught: &Uncaught) {
        let parts = self.parts(uncaught);
        let place = parts.place.as_ref().map(|spot| cut(&self.sources.shorten(&spot.file)) + &spot.numbers());
        let last = last_lines(&parts.stderr).filter(|_| self.with_stderr);
        let module = parts.module.as_ref().map(|(name, _)| name.as_str());
        let digest = parts.module.as_ref().map(|(_, digest)| digest.to_string());
        tracing::error!(
            target: OWN,
            isolate = uncaught.isolate.number(),
            debug_name = &*cut(&uncaught.name),
            reason = uncaught.exit.as_ref().map(Exit::reason),
            place,
            source = parts.excerpt.as_ref().map(|excerpt| excerpt.text.as_str()),
            spawned_by = parts.spawned.as_deref(),
            module,
            sha256 = digest,
            frames = parts.trace.text(),
            stderr = last.as_deref().map(str::trim_start),
            help = Some(parts.help.join("\n")).filter(|help| !help.is_empty()),
            "{}",
            parts.title()
        );
    }

    fn parts(&self, uncaught: &Uncaught) -> Parts {
        let stderr = uncaught.stderr.to_string();
        let told = panic::of(uncaught.exit.as_ref(), &stderr);
        let (what, message) = what(uncaught, told.as_ref());
        let place = told.as_ref().map(|told| told.place.as_str()).or(match &uncaught.exit {
            Some(Exit::Panicked { place, .. }) => Some(place.as_str()),
            _ => None,
        });
        let place = place.and_then(Spot::parse);
        let trace = Trace::of(uncaught, place.is_some(), self);
        let place = place.or_else(|| trace.innermost());
        let module = uncaught.module.as_ref();
        Parts {
            who: format!("isolate {} `{}`", uncaught.isolate, cut(&uncaught.name)),
            what,
            excerpt: place.as_ref().and_then(|spot| self.sources.excerpt(spot)),
            place,
            spawned: self.spawned(uncaught),
            module: module.map(|module| (cut(&frames::file_name(module.name())), module.digest())),
            help: hint::of(uncaught, &message, &trace),
            message,
            trace,
            stderr: told.map_or(stderr.as_str(), |told| told.before).to_owned(),
        }
    }

    /// By whom it was spawned, and where.
    fn spawned(&self, uncaught: &Uncaught) -> Option<String> {
        let origin = uncaught.origin.as_ref()?;
        let mut text = named(origin.isolate, origin.name.as_deref());
        let module: Option<&Module> = origin.module.as_ref();
        if let Some(place) = module.and_then(|module| frames::spawned_at(&origin.frames, module, self)) {
            let _ = write!(text, ", {place}");
        }
        Some(text)
    }
}

impl Parts {
    fn title(&self) -> String {
        format!("{} {}{}", self.who, self.what, block(&self.message))
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
    (!last.is_empty()).then_some(shown)
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
