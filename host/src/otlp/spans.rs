//! From events to spans: a life is one, and within it each message that is taken.
//!
//! A message's span ends where its isolate waits for the next one: at the end of the turn that took it, or of a later one
//! if it waited for something else meanwhile. Turns are told when they are over, so a span is finished when all is in
//! that was told together.

use std::time::{Duration, SystemTime};

use opentelemetry::trace::{Event as Moment, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use crate::event::{Event, Happened, Notice, Then};
use crate::exit::{Exit, IsolateId};
use crate::hash::NumberMap;
use crate::host::Host;
use crate::printable::printable_line;
use crate::trace_context::TraceContext;

/// What a span tells of within it, at most; of what is beyond, the number.
const MOMENTS_MAX: usize = 128;

/// Isolates that are followed at a time.
const LIVES_MAX: usize = 100_000;

/// Spans of the isolates of one host.
pub(super) struct Spans {
    /// When the host was built.
    began: SystemTime,
    scope: InstrumentationScope,
    lives: NumberMap<u64, Life>,
    /// Whose messages' spans may be over.
    idle: Vec<u64>,
    done: Vec<SpanData>,
    missed: u64,
    latest: Duration,
}

/// An isolate.
#[derive(Default)]
struct Life {
    name: String,
    module: String,
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
        let world = &host.inner().links().world;
        Spans {
            began: world.time_of_day(0),
            scope: InstrumentationScope::builder("insula").with_version(env!("CARGO_PKG_VERSION")).build(),
            lives: NumberMap::default(),
            idle: Vec::new(),
            done: Vec::new(),
            missed: 0,
            latest: Duration::ZERO,
        }
    }

    /// Takes one more event in.
    pub(super) fn see(&mut self, event: &Event) {
        self.latest = self.latest.max(event.at);
        let Some(isolate) = event.isolate else {
            if let Happened::Missed { events } = event.what {
                self.missed += events;
            }
            return;
        };
        let number = isolate.number();
        match &event.what {
            Happened::Born { name, module, parent } if self.lives.len() < LIVES_MAX => {
                let (name, module) = (printable_line(name).into_owned(), printable_line(module).into_owned());
                self.lives.insert(number, Life { name, module, parent: *parent, ..Life::default() });
            }
            Happened::Entered { context, parent } => self.entered(number, event.at, *context, *parent),
            Happened::Received { message, notice, .. } => {
                self.with(number, |life| life.taken = Some((*message, *notice)));
            }
            Happened::Sent { to, message, .. } => {
                let at = self.time(event.at);
                let to = to.map_or(0, IsolateId::number);
                let what = || vec![number_of("insula.to", to), number_of("messaging.message.id", *message)];
                self.with(number, |life| life.moment("sent", at, what));
            }
            Happened::Ran { took, then: Then::Waits { call: Some("ports.receive" | "ports.receive-any") }, .. } => {
                self.waits(number, event.at, event.at + *took);
            }
            Happened::Uncaught { message } => {
                let at = self.time(event.at);
                let text = printable_line(message).into_owned();
                self.with(number, |life| {
                    life.moment("exception", at, || vec![KeyValue::new("exception.message", text)]);
                });
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

    /// How many events came too fast to be told, since this was asked last.
    pub(super) fn missed(&mut self) -> u64 {
        std::mem::take(&mut self.missed)
    }

    /// Those that are open are over with what was seen last, and say so.
    pub(super) fn close(&mut self) {
        for (_, mut life) in std::mem::take(&mut self.lives) {
            let open = life.message.take().into_iter().chain(life.life.take());
            for mut open in open.collect::<Vec<_>>() {
                let at = self.time(self.latest);
                open.moments.events.push(Moment::new("insula.observed no longer", at, Vec::new(), 0));
                self.finish(&life, open, Some(self.latest), Status::Unset);
            }
        }
    }

    fn with(&mut self, number: u64, change: impl FnOnce(&mut Life)) {
        if let Some(life) = self.lives.get_mut(&number) {
            change(life);
        }
    }

    fn entered(&mut self, number: u64, at: Duration, context: TraceContext, parent: Option<u64>) {
        // One that was born before anybody looked has a name all the same: its number.
        if !self.lives.contains_key(&number) && self.lives.len() < LIVES_MAX {
            self.lives.insert(number, Life { name: format!("#{number}"), ..Life::default() });
        }
        let Some(mut life) = self.lives.remove(&number) else { return };
        let of_message = life.taken.take();
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
            false => Status::error(printable_line(&exit.to_string()).into_owned()),
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
    /// Something happened within the span that is open.
    fn moment(&mut self, name: &'static str, at: SystemTime, what: impl FnOnce() -> Vec<KeyValue>) {
        let Some(open) = self.message.as_mut().or(self.life.as_mut()) else { return };
        match open.moments.events.len() < MOMENTS_MAX {
            true => open.moments.events.push(Moment::new(name, at, what(), 0)),
            false => open.moments.dropped_count = open.moments.dropped_count.saturating_add(1),
        }
    }

    fn attributes(&self, of_message: Option<(u64, Option<Notice>)>) -> Vec<KeyValue> {
        let mut attributes = vec![
            KeyValue::new("insula.isolate.name", self.name.clone()),
            KeyValue::new("insula.module", self.module.clone()),
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

fn number_of(key: &'static str, number: u64) -> KeyValue {
    KeyValue::new(key, i64::try_from(number).unwrap_or(i64::MAX))
}

fn span_context(context: TraceContext) -> SpanContext {
    let trace = TraceId::from_bytes(context.trace_id().to_be_bytes());
    let span = SpanId::from_bytes(context.span_id().to_be_bytes());
    SpanContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::NONE)
}
