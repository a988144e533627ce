//! From events to spans: a life is one, and within it each message that is taken.
//!
//! A message's span ends where its isolate waits for the next one: at the end of the turn that took it, or of a later one
//! if it waited for something else meanwhile. Turns are told when they are over, so a span is finished when all is in
//! that was told together.

use std::sync::Arc as Shared;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{Event as Moment, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue, StringValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use crate::control::Links;
use crate::event::{Event, Happened, Notice, Then};
use crate::exit::{Exit, IsolateId};
use crate::hash::NumberMap;
use crate::host::Host;
use crate::printable::printable_line;
use crate::sync::Weak;
use crate::trace_context::TraceContext;

/// What a span tells of within it, at most; of what is beyond, the number.
const MOMENTS_MAX: usize = 32;

/// As many of all spans that are open.
const OPEN_MOMENTS_MAX: usize = 200_000;

/// Isolates that are followed at a time.
const LIVES_MAX: usize = 100_000;

/// Bytes of a name, and of an error's text, as they are sent: what is escaped is longer.
const NAME_BYTES_MAX: usize = 256;
const TEXT_BYTES_MAX: usize = 1 << 10;

/// What a span takes, and something that it tells of, about, beside its texts.
const SPAN_BYTES: usize = 600;
const MOMENT_BYTES: usize = 250;

/// Spans of the isolates of one host.
pub(super) struct Spans {
    /// When the host was built.
    began: SystemTime,
    scope: InstrumentationScope,
    lives: NumberMap<u64, Life>,
    /// Whose messages' spans may be over.
    idle: Vec<u64>,
    done: Vec<SpanData>,
    /// Moments of spans that are open.
    open_moments: usize,
    /// Who lives.
    links: Weak<Links>,
    missed: u64,
    /// Spans for which there was no room.
    lost: u64,
    latest: Duration,
}

/// An isolate.
struct Life {
    name: Shared<str>,
    module: Shared<str>,
    parent: Option<IsolateId>,
    life: Option<Open>,
    /// Of the message that it took last.
    message: Option<Open>,
    /// A message that was taken, of which no span is told yet.
    taken: Option<(u64, Option<Notice>)>,
    /// The last turn that ended where it waits for a message: when it began, and ended.
    waited: Option<(Duration, Duration)>,
}

/// A span that is open.
struct Open {
    context: TraceContext,
    parent: Option<u64>,
    from: Duration,
    /// When it waited for the next message, if it did.
    idle: Option<Duration>,
    of_message: Option<(u64, Option<Notice>)>,
    moments: SpanEvents,
}

impl Spans {
    /// Those of this host, of which there are none yet.
    pub(super) fn of(host: &Host) -> Spans {
        let links = host.inner().links();
        Spans {
            began: links.world.time_of_day(0),
            scope: InstrumentationScope::builder("insula").with_version(env!("CARGO_PKG_VERSION")).build(),
            lives: NumberMap::default(),
            idle: Vec::new(),
            done: Vec::new(),
            open_moments: 0,
            links: crate::sync::Arc::downgrade(links),
            missed: 0,
            lost: 0,
            latest: Duration::ZERO,
        }
    }

    /// Takes one more event in.
    pub(super) fn see(&mut self, event: &Event) {
        self.latest = self.latest.max(event.at);
        let Some(isolate) = event.isolate else {
            if let Happened::Missed { events } = event.what {
                self.missed += events;
                self.forget_the_dead();
            }
            return;
        };
        let number = isolate.number();
        match &event.what {
            Happened::Born { name, module, parent } if self.lives.len() < LIVES_MAX => {
                self.lives.insert(number, Life::new(name, module, *parent));
            }
            Happened::Entered { context, parent } => self.entered(number, event.at, *context, *parent),
            Happened::Received { message, notice, .. } => {
                if let Some(life) = self.known(number) {
                    life.taken = Some((*message, *notice));
                }
            }
            Happened::Sent { to, message, .. } => {
                let at = self.time(event.at);
                let to = to.map_or(0, IsolateId::number);
                let what = || vec![number_of("insula.to", to), number_of("messaging.message.id", *message)];
                self.moment(number, "sent", at, what);
            }
            Happened::Ran { took, then: Then::Waits { call: Some("ports.receive" | "ports.receive-any") }, .. } => {
                self.waits(number, event.at, event.at + *took);
            }
            Happened::Uncaught { message } => {
                let at = self.time(event.at);
                let text = || vec![KeyValue::new("exception.message", cut(message, TEXT_BYTES_MAX))];
                self.moment(number, "exception", at, text);
            }
            Happened::Ended { exit } => self.ended(number, event.at, exit),
            _ => {}
        }
    }

    /// The spans that are over.
    pub(super) fn take(&mut self) -> Vec<SpanData> {
        for number in std::mem::take(&mut self.idle) {
            let Some(mut life) = self.lives.remove(&number) else { continue };
            if let Some(open) = life.message.take_if(|open| open.idle.is_some()) {
                self.finish(&life, open, None, Status::Unset);
            }
            self.lives.insert(number, life);
        }
        std::mem::take(&mut self.done)
    }

    /// How many events came too fast to be told, since this was asked last, and for how many spans there was no room.
    pub(super) fn missed(&mut self) -> (u64, u64) {
        (std::mem::take(&mut self.missed), std::mem::take(&mut self.lost))
    }

    /// Those that are open are over with what was seen last, and say so.
    pub(super) fn close(&mut self) {
        for (_, mut life) in std::mem::take(&mut self.lives) {
            let open = life.message.take().into_iter().chain(life.life.take());
            for mut open in open.collect::<Vec<_>>() {
                let at = self.time(self.latest);
                open.moments.events.push(Moment::new("insula.observed no longer", at, Vec::new(), 0));
                self.open_moments += 1;
                self.finish(&life, open, Some(self.latest), Status::Unset);
            }
        }
    }

    /// Where ends were missed, who is followed may be dead: their spans end now, and nobody knows how they ended.
    fn forget_the_dead(&mut self) {
        let Some(links) = self.links.upgrade() else { return };
        let dead = self.lives.keys().filter(|number| links.registry.find(IsolateId(**number)).is_none());
        for number in dead.copied().collect::<Vec<_>>() {
            // Its end may be among what is told yet, and then finds nobody.
            let Some(mut life) = self.lives.remove(&number) else { continue };
            let open = life.message.take().into_iter().chain(life.life.take());
            for open in open.collect::<Vec<_>>() {
                self.finish(&life, open, Some(self.latest), Status::Unset);
            }
        }
    }

    /// The isolate of this number. One that was born before anybody looked has a name all the same: its number.
    fn known(&mut self, number: u64) -> Option<&mut Life> {
        if !self.lives.contains_key(&number) {
            if self.lives.len() >= LIVES_MAX {
                return None;
            }
            self.lives.insert(number, Life::new(&format!("#{number}"), "", None));
        }
        self.lives.get_mut(&number)
    }

    /// Something happened within the span that is open.
    fn moment(&mut self, number: u64, name: &'static str, at: SystemTime, what: impl FnOnce() -> Vec<KeyValue>) {
        let Some(life) = self.lives.get_mut(&number) else { return };
        let Some(open) = life.message.as_mut().or(life.life.as_mut()) else { return };
        if open.moments.events.len() < MOMENTS_MAX && self.open_moments < OPEN_MOMENTS_MAX {
            self.open_moments += 1;
            open.moments.events.push(Moment::new(name, at, what(), 0));
        } else {
            open.moments.dropped_count = open.moments.dropped_count.saturating_add(1);
        }
    }

    fn entered(&mut self, number: u64, at: Duration, context: TraceContext, parent: Option<u64>) {
        if self.known(number).is_none() {
            self.lost += 1;
            return;
        }
        let Some(mut life) = self.lives.remove(&number) else { return };
        // Where its life is told already it is a message, also if what was told of that one was missed.
        let of_message = life.taken.take().or(life.life.as_ref().map(|_| (0, None)));
        let mut open = Open { context, parent, from: at, idle: None, of_message, moments: SpanEvents::default() };
        if of_message.is_none() {
            life.life = Some(open);
        } else {
            if let Some((_, ended)) = life.waited.filter(|(began, ended)| (*began..=*ended).contains(&at)) {
                open.idle = Some(ended);
                self.idle.push(number);
            }
            if let Some(before) = life.message.replace(open) {
                self.finish(&life, before, Some(at), Status::Unset);
            }
        }
        self.lives.insert(number, life);
    }

    /// It waits for a message since then, after a turn that began before.
    fn waits(&mut self, number: u64, began: Duration, ended: Duration) {
        let Some(life) = self.lives.get_mut(&number) else { return };
        life.waited = Some((began, ended));
        if let Some(open) = life.message.as_mut().filter(|open| open.from <= ended && open.idle.is_none()) {
            open.idle = Some(ended);
            self.idle.push(number);
        }
    }

    fn ended(&mut self, number: u64, at: Duration, exit: &Exit) {
        let Some(mut life) = self.lives.remove(&number) else { return };
        let status = || match exit.is_ok() {
            true => Status::Unset,
            false => Status::error(cut(&exit.to_string(), TEXT_BYTES_MAX)),
        };
        if let Some(open) = life.message.take() {
            let status = if open.idle.is_none() { status() } else { Status::Unset };
            self.finish(&life, open, Some(at), status);
        }
        if let Some(open) = life.life.take() {
            self.finish(&life, open, Some(at), status());
        }
    }

    /// A span is over, at the latest then.
    fn finish(&mut self, life: &Life, open: Open, at: Option<Duration>, status: Status) {
        self.open_moments = self.open_moments.saturating_sub(open.moments.events.len());
        if !open.context.is_sampled() {
            return;
        }
        let ended = open.idle.into_iter().chain(at).min().unwrap_or(open.from).max(open.from);
        let (kind, verb) = match open.of_message {
            Some(_) => (SpanKind::Consumer, "process"),
            None => (SpanKind::Internal, "isolate"),
        };
        self.done.push(SpanData {
            span_context: span_context(open.context),
            parent_span_id: open.parent.map_or(SpanId::INVALID, |parent| SpanId::from_bytes(parent.to_be_bytes())),
            parent_span_is_remote: false,
            span_kind: kind,
            name: format!("{verb} {}", life.name).into(),
            start_time: self.time(open.from),
            end_time: self.time(ended),
            attributes: life.attributes(open.of_message),
            dropped_attributes_count: 0,
            events: open.moments,
            links: SpanLinks::default(),
            status,
            instrumentation_scope: self.scope.clone(),
        });
    }

    fn time(&self, at: Duration) -> SystemTime {
        self.began + at
    }
}

impl Life {
    fn new(name: &str, module: &str, parent: Option<IsolateId>) -> Life {
        let [name, module] = [name, module].map(|text| cut(text, NAME_BYTES_MAX).into());
        Life { name, module, parent, life: None, message: None, taken: None, waited: None }
    }

    fn attributes(&self, of_message: Option<(u64, Option<Notice>)>) -> Vec<KeyValue> {
        let mut attributes = vec![
            KeyValue::new("insula.isolate.name", StringValue::from(Shared::clone(&self.name))),
            KeyValue::new("insula.module", StringValue::from(Shared::clone(&self.module))),
        ];
        let Some((message, notice)) = of_message else {
            attributes.push(number_of("insula.parent", self.parent.map_or(0, IsolateId::number)));
            return attributes;
        };
        attributes.push(KeyValue::new("messaging.system", "insula"));
        attributes.push(KeyValue::new("messaging.operation.type", "process"));
        attributes.push(number_of("messaging.message.id", message));
        let notice = notice.map(|notice| match notice {
            Notice::Exit => "exit",
            Notice::Error => "error",
            Notice::Ping => "ping",
        });
        attributes.extend(notice.map(|notice| KeyValue::new("insula.notice", notice)));
        attributes
    }
}

/// A text of a guest's, escaped, and no longer than this.
fn cut(text: &str, bytes_max: usize) -> String {
    // What is cut away need not be escaped before.
    let text = printable_line(&text[..text.floor_char_boundary(bytes_max)]);
    text[..text.floor_char_boundary(bytes_max)].to_owned()
}

/// The room that a span takes, about.
pub(super) fn weight(span: &SpanData) -> usize {
    let texts =
        |moment: &Moment| moment.attributes.iter().map(|attribute| attribute.value.as_str().len()).sum::<usize>();
    let moments: usize = span.events.iter().map(|moment| MOMENT_BYTES + texts(moment)).sum();
    let status = match &span.status {
        Status::Error { description } => description.len(),
        _ => 0,
    };
    SPAN_BYTES + 3 * span.name.len() + moments + status
}

fn number_of(key: &'static str, number: u64) -> KeyValue {
    KeyValue::new(key, i64::try_from(number).unwrap_or(i64::MAX))
}

fn span_context(context: TraceContext) -> SpanContext {
    let trace = TraceId::from_bytes(context.trace_id().to_be_bytes());
    let span = SpanId::from_bytes(context.span_id().to_be_bytes());
    SpanContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(isolate: Option<u64>, at: u64, what: Happened) -> Event {
        Event { at: Duration::from_millis(at), isolate: isolate.map(IsolateId), what }
    }

    fn born(number: u64, name: &str) -> Event {
        event(Some(number), 1, Happened::Born { name: name.to_owned(), module: "m".to_owned(), parent: None })
    }

    fn entered(number: u64, at: u64, span: u64) -> Event {
        let context = TraceContext::new(7, span, true).unwrap();
        event(Some(number), at, Happened::Entered { context, parent: None })
    }

    fn names(spans: &[SpanData]) -> Vec<&str> {
        spans.iter().map(|span| &*span.name).collect()
    }

    #[test]
    fn who_is_dead_is_followed_no_more_where_ends_were_missed() {
        let host = Host::builder().isolates(1).build().unwrap();
        let mut spans = Spans::of(&host);
        // Numbers that this host never gave.
        for (number, name) in [(1_001, "one"), (1_002, "two")] {
            spans.see(&born(number, name));
            spans.see(&entered(number, 1, number));
        }
        assert!(spans.take().is_empty());
        spans.see(&event(None, 9, Happened::Missed { events: 5 }));
        let done = spans.take();
        assert_eq!(done.len(), 2, "{:?}", names(&done));
        assert_eq!((spans.missed(), spans.lives.len()), ((5, 0), 0));
    }

    #[test]
    fn texts_and_moments_have_a_bound() {
        let host = Host::builder().isolates(1).build().unwrap();
        let mut spans = Spans::of(&host);
        spans.see(&born(1, &"\u{1}".repeat(2_000)));
        spans.see(&entered(1, 1, 1));
        for at in 0..1_000 {
            let message = "\u{2}".repeat(5_000);
            spans.see(&event(Some(1), at, Happened::Uncaught { message }));
        }
        spans.see(&event(Some(1), 2_000, Happened::Ended { exit: Exit::Returned }));
        let done = spans.take();
        assert_eq!(done.len(), 1);
        assert!(done[0].name.len() < 300 && weight(&done[0]) < 64 << 10, "{}", weight(&done[0]));
        assert_eq!(done[0].events.len() + done[0].events.dropped_count as usize, 1_000);
        assert_eq!(spans.open_moments, 0);
    }

    #[test]
    fn a_message_whose_receipt_was_missed_is_no_second_life() {
        let host = Host::builder().isolates(1).build().unwrap();
        let mut spans = Spans::of(&host);
        spans.see(&born(1, "one"));
        [entered(1, 1, 1), entered(1, 5, 2)].iter().for_each(|event| spans.see(event));
        spans.see(&event(Some(1), 9, Happened::Ended { exit: Exit::Returned }));
        let mut done = spans.take();
        done.sort_by_key(|span| span.name.clone());
        assert_eq!(names(&done), ["isolate one", "process one"]);
    }
}
