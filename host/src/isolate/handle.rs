//! The embedder's handle of an isolate.

use insula_wire::Priority;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::control::{Control, Hold, Links};
use crate::exit::{Exit, IsolateId, Killer};
use crate::port::{Attachment, CapabilityId, codec};
use crate::stdio::{Captured, Printed, Tail};
use crate::sync::Arc;
use crate::usage::Usage;

/// A handle of an isolate: its control port, and what authority over it comes along.
///
/// It is a value: clone it, compare it, send it to isolates of its host, receive it from them. An embedder has all
/// authority over what it spawned, and over others as much as their handles carry. A request without the authority that
/// it needs is ignored (semantics 3). Dropping the handle ends nothing.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::{Exit, Host, Priority, Spawn};
/// let host = Host::builder().isolates(1).build()?;
/// let module = host.load("loop", b"(module (func (export \"go\") (loop (br 0))))")?;
/// let isolate = host.spawn(&module, Spawn::entry("go"))?;
/// isolate.clone().without_terminate().kill(Priority::Immediate); // ignored
/// isolate.kill(Priority::Immediate);
/// assert!(matches!(isolate.join(), Exit::Killed { .. }));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Isolate {
    control: Arc<Control>,
    pause: Option<Capability>,
    terminate: Option<Capability>,
    printed: Option<Printed>,
    hold: Hold,
}

/// A token that is equal to itself only; [`Host::capability`](crate::Host::capability) makes one.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let host = insula::Host::builder().isolates(1).build()?;
/// let (key, other) = (host.capability(), host.capability());
/// assert!(key == key.clone() && key != other);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Capability {
    host: u64,
    id: CapabilityId,
}

impl Capability {
    pub(crate) fn new(links: &Links) -> Capability {
        Capability { host: links.number, id: CapabilityId(links.world.number()) }
    }
}

impl std::fmt::Debug for Isolate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Isolate({} {})", self.id(), self.debug_name())
    }
}

impl Isolate {
    /// All authority over what the embedder spawned.
    pub(crate) fn new(control: Arc<Control>, printed: Printed, hold: Hold) -> Isolate {
        Isolate::with(control, Some(printed), hold)
    }

    /// All authority.
    pub(super) fn with(control: Arc<Control>, printed: Option<Printed>, hold: Hold) -> Isolate {
        let host = hold.links().number;
        let pause = Some(Capability { host, id: control.pause_capability });
        let terminate = Some(Capability { host, id: control.terminate_capability });
        Isolate { control, pause, terminate, printed, hold }
    }

    pub(crate) fn control(&self) -> &Arc<Control> {
        &self.control
    }

    pub(crate) fn links(&self) -> &Arc<Links> {
        self.hold.links()
    }

    /// The capability that pausing needs.
    #[must_use]
    pub fn pause_capability(&self) -> Option<&Capability> {
        self.pause.as_ref()
    }

    /// The capability that killing needs.
    #[must_use]
    pub fn terminate_capability(&self) -> Option<&Capability> {
        self.terminate.as_ref()
    }

    /// The same isolate, not to be paused through this handle.
    #[must_use]
    pub fn without_pause(self) -> Isolate {
        Isolate { pause: None, ..self }
    }

    /// The same isolate, not to be killed through this handle.
    #[must_use]
    pub fn without_terminate(self) -> Isolate {
        Isolate { terminate: None, ..self }
    }

    /// The same isolate, with a pause capability that came another way. A foreign one has no effect.
    #[must_use]
    pub fn with_pause(self, capability: Capability) -> Isolate {
        Isolate { pause: Some(capability), ..self }
    }

    /// The same isolate, with a terminate capability that came another way. A foreign one has no effect.
    #[must_use]
    pub fn with_terminate(self, capability: Capability) -> Isolate {
        Isolate { terminate: Some(capability), ..self }
    }

    fn may_pause(&self) -> bool {
        self.is_ours(self.pause) == Some(self.control.pause_capability)
    }

    pub(super) fn may_terminate(&self) -> bool {
        self.is_ours(self.terminate) == Some(self.control.terminate_capability)
    }

    /// A capability of the isolate's own host.
    fn is_ours(&self, capability: Option<Capability>) -> Option<CapabilityId> {
        capability.filter(|capability| capability.host == self.hold.links().number).map(|capability| capability.id)
    }

    /// Its number, unique within its host.
    #[must_use]
    pub fn id(&self) -> IsolateId {
        self.control.id
    }

    /// What reports call it.
    #[must_use]
    pub fn debug_name(&self) -> String {
        self.control.name()
    }

    /// How it ended, if it did.
    #[must_use]
    pub fn exit(&self) -> Option<Exit> {
        self.control.exit()
    }

    /// The last of its standard error, as much as [its limit](crate::Limits::stderr) says.
    ///
    /// Of an isolate that a guest spawned, too, if this handle came while it lived, or shortly after: of those that died
    /// already, the host keeps it of the last 64.
    #[must_use]
    pub fn stderr_tail(&self) -> String {
        self.printed.as_ref().map(|printed| printed.tail.captured().to_string()).unwrap_or_default()
    }

    /// As [`Isolate::stderr_tail`], what came after so many bytes: for whoever looks again and again. Those that it says were
    /// cut are all that came before what it has, seen or not.
    #[must_use]
    pub fn stderr_since(&self, seen: u64) -> Captured {
        self.printed.as_ref().map(|printed| printed.tail.since(seen)).unwrap_or_default()
    }

    /// What is captured of its standard output, and of that of the isolates that it spawned; nothing unless it was
    /// spawned with [`Output::Capture`](crate::Output::Capture), and by the embedder.
    ///
    /// It is what was printed so far: all that the isolate itself printed, once it has ended.
    #[must_use]
    pub fn stdout(&self) -> Captured {
        self.captured(|printed| printed.stdout.as_deref())
    }

    /// As [`Isolate::stdout`], of its standard error.
    #[must_use]
    pub fn stderr(&self) -> Captured {
        self.captured(|printed| printed.stderr.as_deref())
    }

    fn captured(&self, which: impl Fn(&Printed) -> Option<&Tail>) -> Captured {
        self.printed.as_ref().and_then(which).map(Tail::captured).unwrap_or_default()
    }

    /// Holds its messages and timers back once its turn has ended, until [`Isolate::resume`] gets what this returns.
    /// Needs the pause capability.
    #[must_use = "the isolate stays paused until it is resumed with what this returns"]
    pub fn pause(&self) -> Capability {
        let token = Capability::new(self.hold.links());
        self.pause_with(&token);
        token
    }

    /// As [`Isolate::pause`], with a token of the caller's; the same one twice is one pause.
    pub fn pause_with(&self, token: &Capability) {
        if let Some(token) = self.is_ours(Some(*token)).filter(|_| self.may_pause()) {
            // A set that is full of pauses is paused.
            let _ = self.control.pause(token);
        }
    }

    /// Takes one pause back.
    pub fn resume(&self, token: &Capability) {
        if let Some(token) = self.is_ours(Some(*token)) {
            self.control.resume(token);
        }
    }

    /// Lets an isolate begin that was spawned paused. Needs the pause capability, which is that pause.
    pub fn resume_birth(&self) {
        if let Some(token) = &self.pause {
            self.resume(token);
        }
    }

    /// Ends it: as soon as technically possible, or at the end of its turn. Of no effect on the dead. Needs the terminate
    /// capability, as all that follows. One of a [trusted](crate::Host::load_trusted) module that is in the middle of its
    /// code ends where it waits next.
    pub fn kill(&self, priority: Priority) {
        if !self.may_terminate() {
            return;
        }
        let killed = Exit::Killed { by: Killer::Embedder };
        match priority {
            Priority::Immediate => self.control.end_now(killed),
            Priority::BeforeNextEvent => self.control.end_after_turn(killed),
        }
    }

    /// Ends it and all its descendants at once, also when it is dead itself.
    pub fn kill_tree(&self) {
        if !self.may_terminate() {
            return;
        }
        let killed = Exit::Killed { by: Killer::Embedder };
        self.control.lineage.end_tree(killed.clone());
        let mut tree = self.hold.links().registry.descendants(self.control.id);
        tree.push(Arc::clone(&self.control));
        Control::end_together(&tree, &killed);
    }

    /// Asks it to end by itself: its `stop_requested` becomes true.
    pub fn request_stop(&self) {
        if self.may_terminate() {
            self.control.request_stop();
        }
    }

    /// Whether the first uncaught error ends it.
    pub fn set_errors_fatal(&self, fatal: bool) {
        if self.may_terminate() {
            self.control.set_errors_fatal(fatal);
        }
    }

    /// What it used so far, and what it has now.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.control.usage(self.links().world.now())
    }

    /// Wall time that it spent on a CPU so far.
    #[must_use]
    pub fn cpu_time(&self) -> std::time::Duration {
        std::time::Duration::from_nanos(self.control.meter.cpu_nanos_at(self.links().world.now()))
    }

    /// Messages and bytes that its mailbox holds, with the room that is reserved for notices.
    #[must_use]
    pub fn mailbox_load(&self) -> (u64, u64) {
        self.control.mailbox.load()
    }

    /// Bytes of the blobs that it holds.
    #[must_use]
    pub fn blob_bytes(&self) -> u64 {
        self.control.table.lock().blob_bytes()
    }

    /// Objects that its handle table holds.
    #[must_use]
    pub fn handles(&self) -> usize {
        self.control.table.lock().len()
    }
}

impl PartialEq for Isolate {
    fn eq(&self, other: &Isolate) -> bool {
        Arc::ptr_eq(&self.control, &other.control) && (self.pause, self.terminate) == (other.pause, other.terminate)
    }
}

impl Eq for Isolate {}

impl std::hash::Hash for Isolate {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.id().hash(state);
    }
}

/// An isolate in a message, as guests have it too.
#[derive(Serialize, Deserialize)]
struct Parts {
    control: ControlPort,
    pause: Option<Capability>,
    terminate: Option<Capability>,
}

struct ControlPort(Arc<Control>, Hold);

impl Serialize for Isolate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let control = ControlPort(Arc::clone(&self.control), self.hold.clone());
        Parts { control, pause: self.pause, terminate: self.terminate }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Isolate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Isolate, D::Error> {
        let Parts { control: ControlPort(control, hold), pause, terminate } = Parts::deserialize(deserializer)?;
        let printed = Tail::of(&control).map(|tail| Printed { tail, stdout: None, stderr: None });
        Ok(Isolate { control, pause, terminate, printed, hold })
    }
}

impl Serialize for ControlPort {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let position = codec::attach(Attachment::Control(self.0.reference()), self.1.links().number);
        serializer.serialize_u8(position.ok_or_else(|| S::Error::custom(ELSEWHERE))?)
    }
}

impl<'de> Deserialize<'de> for ControlPort {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ControlPort, D::Error> {
        match (codec::detach(u8::deserialize(deserializer)?), Links::of_message()) {
            (Some(Attachment::Control(control)), Some(links)) => {
                Ok(ControlPort(Control::of(&control), Hold::new(&links)))
            }
            _ => Err(D::Error::custom("there is no isolate at this position of the message")),
        }
    }
}

impl Serialize for Capability {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let position = codec::attach(Attachment::Capability(self.id), self.host);
        serializer.serialize_u8(position.ok_or_else(|| S::Error::custom(ELSEWHERE))?)
    }
}

impl<'de> Deserialize<'de> for Capability {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Capability, D::Error> {
        match (codec::detach(u8::deserialize(deserializer)?), Links::of_message()) {
            (Some(Attachment::Capability(id)), Some(links)) => Ok(Capability { host: links.number, id }),
            _ => Err(D::Error::custom("there is no capability at this position of the message")),
        }
    }
}

const ELSEWHERE: &str = "it travels in messages of its host only, at most 255 in one";
