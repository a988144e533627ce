//! What a Store holds.

use std::any::Any;
use std::cell::Cell;
use std::pin::Pin;

use insula_wire::{Kind, RemoteError, Status};
use wasmtime::{Memory, ResourceLimiter};

use super::Recent;
use crate::control::{Control, Flags, Links};
use crate::event::Recorder;
use crate::exit::Exit;
use crate::limits::Limits;
use crate::outfit::Wasi;
use crate::port::{Message, Object, Port, Wanted};
use crate::spawn::{HostFunction, Spawner};
use crate::sync::Arc;
use crate::trace_context::TraceContext;
use crate::warning::Watched;
use crate::world::{NEVER, Nanos, World};

/// The data of one isolate's Store.
pub(crate) struct State {
    pub(crate) control: Arc<Control>,
    pub(crate) place: Arc<Place>,
    pub(crate) limits: Limits,
    /// Its module says itself when an entry that is fetching its message is called.
    pub(crate) says_entered: bool,
    /// When it was born.
    pub(crate) admitted: Nanos,
    /// When the isolate's deadline comes.
    pub(crate) ends: Nanos,
    pub(crate) memory: Option<Memory>,
    pub(crate) wasi: Wasi,
    /// Text and place of a panic that was reported, and whether nothing was called since: only a trap that follows at
    /// once is that panic (semantics 7.4).
    pub(crate) panic: Option<(String, String)>,
    pub(crate) panicking: Cell<bool>,
    /// The limit that a growth was refused for.
    pub(crate) refused: Option<(&'static str, u64)>,
    pub(crate) last_error: String,
    /// Where in a trace it is, if it is in one: what it sends carries that.
    pub(crate) within: Within,
    /// The faults that a test has it meet.
    #[cfg(feature = "testing")]
    pub(crate) script: Option<crate::faults::Script>,
    /// The ports that it received from and sent to last.
    pub(crate) receives: Recent<Wanted, 2>,
    pub(crate) sends: Recent<Arc<Port>, 4>,
}

/// Where in a trace an isolate is.
#[derive(Default)]
pub(crate) struct Within {
    /// Whether it is in one, which is looked at for each message.
    is_any: Cell<bool>,
    context: Cell<Option<TraceContext>>,
}

impl Within {
    /// There, or in none.
    pub(crate) fn new(context: Option<TraceContext>) -> Within {
        Within { is_any: Cell::new(context.is_some()), context: Cell::new(context) }
    }

    fn set(&self, context: Option<TraceContext>) {
        self.is_any.set(context.is_some());
        self.context.set(context);
    }

    #[inline]
    pub(crate) fn context(&self) -> Option<TraceContext> {
        if self.is_any.get() { self.context.get() } else { None }
    }
}

/// Where an isolate lives: what it shares with others of its host.
pub(crate) struct Place {
    pub(crate) links: Arc<Links>,
    /// What its isolates run; of whoever may name that.
    pub(crate) module: Arc<dyn Any + Send + Sync>,
    /// The namespace that its isolates may use.
    pub(crate) namespace: Option<String>,
    /// What its isolates may call of the embedder's, if that is anything.
    pub(crate) functions: Option<Arc<[HostFunction]>>,
    pub(crate) world: Arc<World>,
    pub(crate) spawner: Box<dyn Spawner>,
    /// Told of errors that no listener hears.
    pub(crate) uncaught: Box<TellUncaught>,
    /// Adds file and line to the text of a stack.
    pub(crate) resolve: Box<dyn Fn(String) -> Resolving + Send + Sync>,
    /// Has a module that the host offers ready to be spawned.
    pub(crate) fetch: Box<dyn Fn(String) -> Fetching + Send + Sync>,
    /// Takes the core dump of who traps, if it is wanted, which what it is given makes.
    pub(crate) dump: Option<Box<TakeDump>>,
    pub(crate) fine_clock: bool,
    /// Whether it is kept where in their code its isolates spawn others.
    pub(crate) spawn_frames: bool,
}

/// What tells of an error that no listener hears, and of the end that it is, if it is one.
pub(crate) type TellUncaught = dyn Fn(&Control, RemoteError, Option<&Exit>) + Send + Sync;

/// What takes a core dump.
pub(crate) type TakeDump = dyn Fn(&Control, &mut dyn FnMut() -> Vec<u8>) + Send + Sync;

/// The text of a stack with file and line, once it is there: parsing debug sections is no work for a worker.
pub(crate) type Resolving = Pin<Box<dyn Future<Output = String> + Send>>;

/// A module that is read and compiled, or why it is not.
pub(crate) type Fetching = Pin<Box<dyn Future<Output = Result<(), (String, Status)>> + Send>>;

/// The step of a coarse clock.
const COARSE_NANOS: u64 = 1_000_000;

impl State {
    /// The guest calls for something: it does not panic now.
    pub(crate) fn called(&self) {
        self.panicking.set(false);
    }

    /// The time, as this isolate may know it.
    pub(crate) fn now(&self) -> Nanos {
        self.called();
        let now = self.place.world.now();
        if self.place.fine_clock { now } else { now - now % COARSE_NANOS }
    }

    /// An instant of this isolate's clock as one of the world's, never earlier.
    pub(crate) fn instant(&self, instant: u64) -> Nanos {
        if self.place.fine_clock || instant == NEVER {
            instant
        } else {
            instant.checked_next_multiple_of(COARSE_NANOS).unwrap_or(NEVER)
        }
    }

    /// Whether no deadline will end it.
    pub(crate) fn has_no_end(&self) -> bool {
        self.ends == NEVER && self.limits.run_deadline.is_none()
    }

    /// The receive port that a handle names.
    pub(crate) fn receive_port(&self, handle: u32) -> Result<Arc<Port>, Status> {
        self.called();
        match self.control.table.lock().find(handle)? {
            Object::Receive(port) => Ok(Arc::clone(port)),
            Object::Own(_) | Object::Send(_) | Object::Capability(_) | Object::Control(_) | Object::Blob(_) => {
                Err(Status::WrongKind)
            }
        }
    }

    /// The port that a SendPort's handle names.
    pub(crate) fn send_port(&self, handle: u32) -> Result<Arc<Port>, Status> {
        self.called();
        match self.control.table.lock().find(handle)? {
            Object::Send(right) => Ok(Arc::clone(right.port())),
            Object::Own(port) => Ok(Arc::clone(port)),
            Object::Receive(_) | Object::Capability(_) | Object::Control(_) | Object::Blob(_) => Err(Status::WrongKind),
        }
    }

    /// Has the receive port that a handle names among the recent ones.
    pub(crate) fn recall_receive_port(&mut self, handle: u32) -> Result<(), Status> {
        if self.receives.get(handle).is_none() {
            let port = self.receive_port(handle)?;
            self.receives.put(handle, Wanted::Port(port));
        }
        Ok(())
    }

    /// Has the port that a SendPort's handle names among the recent ones.
    pub(crate) fn recall_send_port(&mut self, handle: u32) -> Result<(), Status> {
        if self.sends.get(handle).is_none() {
            let port = self.send_port(handle)?;
            self.sends.put(handle, port);
        }
        Ok(())
    }

    /// A message of this isolate's was accepted, the how-manieth of its receiver's mailbox.
    #[inline]
    pub(super) fn sent(&self, at: Option<Nanos>, port: &Port, message: u64, cost: u64) {
        self.control.meter.sends(cost);
        if let Some(at) = at {
            self.sent_observed(at, port, message, cost);
        }
    }

    #[cold]
    fn sent_observed(&self, at: Nanos, port: &Port, message: u64, cost: u64) {
        self.place.links.recorder.sent(at, self.control.id.0, port.mailbox().owner(), message, cost);
    }

    /// When it sends there, if anybody observes: before its message can be received.
    #[inline]
    pub(super) fn sends(&self, port: &Port) -> Option<Nanos> {
        if Recorder::any_has_all() { self.sends_observed(port) } else { None }
    }

    #[cold]
    fn sends_observed(&self, port: &Port) -> Option<Nanos> {
        if !self.place.links.recorder.has_all() {
            return None;
        }
        let now = self.place.world.now();
        port.mailbox().observe(now);
        Some(now)
    }

    /// It took a message, the how-manieth of its mailbox; first of all in this turn, if it has waited for it.
    #[inline]
    pub(super) fn received(&self, number: u64, message: &Message, has_waited: bool) {
        let in_trace = self.within.is_any.get() || message.attachments.is_traced();
        if in_trace || Recorder::any_has_all() {
            self.received_observed(number, message, has_waited, in_trace);
        }
    }

    #[cold]
    fn received_observed(&self, number: u64, message: &Message, has_waited: bool, in_trace: bool) {
        let recorder = &*self.place.links.recorder;
        let observed = recorder.has_all();
        if !observed && !in_trace {
            return;
        }
        // A turn began when the poll did, which somebody has looked at the clock for; unless it was sent since.
        let began = self.control.meter.polled_since();
        let world = &self.place.world;
        let is_first = has_waited && message.kind == Kind::Data && self.control.mailbox.observed() <= began;
        let now = if is_first { world.right_after(began) } else { looked_at(world) };
        if observed {
            recorder.received(now, self.control.id.0, number, message.cost(), message.kind);
        }
        // In no trace it stays in none.
        if in_trace || recorder.has_spans() {
            self.goes_on(message, now);
        }
    }

    /// Goes on where this message was sent. A notice is no message of anybody's: where it has no context, what was under way
    /// goes on.
    #[cold]
    #[inline(never)]
    fn goes_on(&self, message: &Message, now: Nanos) {
        let under_way = || self.within.context().filter(|_| message.kind != Kind::Data);
        self.enter(message.attachments.trace_context().or_else(under_way), now);
    }

    /// Goes on where a message was sent, in a span of its own if anybody observes spans.
    #[cold]
    pub(crate) fn enter(&self, sent: Option<TraceContext>, at: Nanos) {
        let Place { links, world, .. } = &*self.place;
        if !links.recorder.has_spans() {
            // What was begun for who observed goes no further.
            return self.within.set(sent.filter(|sent| !sent.is_begun_here()));
        }
        let number = world.span_number();
        let begun = || {
            let trace_id = u128::from(world.span_number()) << 64 | u128::from(world.span_number());
            TraceContext::root(trace_id, number)
        };
        let context = sent.map_or_else(begun, |sent| sent.within(number));
        self.within.set(Some(context));
        links.recorder.entered(at, self.control.id, context, sent.map(|sent| sent.span_id()));
    }

    /// Says why the call did not succeed, for `report.last-error`.
    pub(crate) fn because(&mut self, text: impl Into<String>, status: Status) -> Status {
        self.last_error = text.into();
        status
    }
}

/// The time, where it is seldom asked for.
#[cold]
#[inline(never)]
fn looked_at(world: &World) -> Nanos {
    world.now()
}

impl ResourceLimiter for State {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if self.control.flags.any(Flags::LEFT_BEHIND) {
            return Ok(false); // its accounts are closed
        }
        if desired as u64 > self.limits.memory_bytes_max {
            self.refused = Some(("memory", self.limits.memory_bytes_max));
            return Ok(false);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        if let Err(exceeded) = self.control.grow(current as u64, desired as u64) {
            self.refused = Some((exceeded.which, exceeded.value));
            return Ok(false);
        }
        if let Some(alarm) = &self.control.alarm {
            alarm.look(Watched::Memory, desired as u64, self.limits.memory_bytes_max);
        }
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = desired as u64 <= self.limits.table_elements_max;
        if !allowed {
            self.refused = Some(("table-elements", self.limits.table_elements_max));
        }
        Ok(allowed && maximum.is_none_or(|maximum| desired <= maximum))
    }
}
