//! The embedder's handle of an isolate.

use std::future::poll_fn;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use insula_wire::Priority;

use crate::control::{Control, Hold};
use crate::exit::{Exit, IsolateId, Killer};
use crate::port::CapabilityId;
use crate::stdio::Tail;
use crate::sync::Arc;

/// An isolate that the embedder spawned, with all authority over it. Plain data: clone and share it.
///
/// Dropping the handle ends nothing.
#[derive(Clone)]
pub struct Isolate {
    control: Arc<Control>,
    tail: Arc<Tail>,
    hold: Hold,
}

/// A token of the embedder's that is equal to itself only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Capability(pub(crate) CapabilityId);

impl std::fmt::Debug for Isolate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Isolate({} {})", self.id(), self.debug_name())
    }
}

impl Isolate {
    pub(crate) fn new(control: Arc<Control>, tail: Arc<Tail>, hold: Hold) -> Isolate {
        Isolate { control, tail, hold }
    }

    pub(crate) fn control(&self) -> &Arc<Control> {
        &self.control
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

    /// Blocks the calling thread until it ended. Any number of callers may ask; all get the same.
    #[must_use]
    pub fn join(&self) -> Exit {
        struct Unpark(Thread);
        impl Wake for Unpark {
            fn wake(self: std::sync::Arc<Self>) {
                self.0.unpark();
            }
        }
        let waker = Waker::from(std::sync::Arc::new(Unpark(std::thread::current())));
        loop {
            if let Some(exit) = self.control.poll_exit(&waker) {
                return exit;
            }
            std::thread::park();
        }
    }

    /// As [`Isolate::join`], as a future. Dropping it loses nothing.
    pub async fn ended(&self) -> Exit {
        let poll = |cx: &mut Context<'_>| self.control.poll_exit(cx.waker()).map_or(Poll::Pending, Poll::Ready);
        poll_fn(poll).await
    }

    /// The last 4 KiB of its standard error.
    #[must_use]
    pub fn stderr_tail(&self) -> String {
        self.tail.text()
    }

    /// Holds its messages and timers back once its turn has ended, until [`Isolate::resume`] gets what this returns.
    pub fn pause(&self) -> Capability {
        let token = Capability(CapabilityId(self.hold.links().world.number()));
        self.pause_with(&token);
        token
    }

    /// As [`Isolate::pause`], with a token of the caller's; the same one twice is one pause.
    pub fn pause_with(&self, token: &Capability) {
        self.control.pause(token.0);
    }

    /// Takes one pause back.
    pub fn resume(&self, token: &Capability) {
        self.control.resume(token.0);
    }

    /// Lets an isolate that was spawned paused begin.
    pub fn resume_initial(&self) {
        self.control.resume(self.control.pause_capability);
    }

    /// Ends it: as soon as technically possible, or at the end of its turn. Of no effect on the dead.
    pub fn kill(&self, priority: Priority) {
        let killed = Exit::Killed { by: Killer::Embedder };
        match priority {
            Priority::Immediate => self.control.end_now(killed),
            Priority::BeforeNextEvent => self.control.end_after_turn(killed),
        }
    }

    /// Ends it and all its descendants at once, also when it is dead itself.
    pub fn kill_tree(&self) {
        let killed = Exit::Killed { by: Killer::Embedder };
        self.control.lineage.end_tree(killed.clone());
        self.control.end_now(killed.clone());
        let descendants = self.hold.links().registry.descendants(self.control.id);
        descendants.iter().for_each(|child| child.end_now(killed.clone()));
    }

    /// Asks it to end by itself: its `stop_requested` becomes true.
    pub fn request_stop(&self) {
        self.control.request_stop();
    }

    /// Whether the first uncaught error ends it.
    pub fn set_errors_fatal(&self, fatal: bool) {
        self.control.set_errors_fatal(fatal);
    }

    /// Wall time that it spent on a CPU so far.
    #[must_use]
    pub fn cpu_time(&self) -> std::time::Duration {
        std::time::Duration::from_nanos(self.control.meter.cpu_nanos())
    }

    /// Messages and bytes that its mailbox holds, with the room that is reserved for notices.
    #[must_use]
    pub fn mailbox_load(&self) -> (u64, u64) {
        self.control.mailbox.load()
    }

    /// Objects that its handle table holds.
    #[must_use]
    pub fn handles(&self) -> usize {
        self.control.table.lock().len()
    }
}
