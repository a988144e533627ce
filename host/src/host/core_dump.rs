//! Core dumps of isolates that trap, where the embedder wants them.

use std::fmt;

use super::Host;
use super::uncaught::Reporter;
use crate::control::Control;
use crate::exit::IsolateId;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Core dumps that wait to be taken, at most: each is as large as an isolate's memory.
const WAITING_MAX: usize = 2;

/// The state in which an isolate trapped: frames, globals, and linear memory, in the
/// [format of WebAssembly's tools](https://github.com/WebAssembly/tool-conventions/blob/main/Coredump.md). The values of
/// locals are not in it.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::{Host, Spawn};
/// let (dumped, dumps) = std::sync::mpsc::channel();
/// let builder = Host::builder().isolates(1).on_uncaught(|_| ());
/// let host = builder.on_core_dump(1, move |dump| drop(dumped.send(dump.bytes.to_vec()))).build()?;
/// let module = host.load("traps", b"(module (memory 1) (func (export \"run\") unreachable))")?;
/// host.spawn(&module, Spawn::entry("run"))?.join();
/// assert!(dumps.recv()?.starts_with(b"\0asm"));
/// # Ok(())
/// # }
/// ```
#[non_exhaustive]
pub struct CoreDump {
    /// Whose it is.
    pub isolate: IsolateId,
    /// The isolate's debug name.
    pub name: String,
    /// Who spawned it; none is the embedder.
    pub parent: Option<IsolateId>,
    /// The dump: the bytes of a module.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for CoreDump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.bytes.len();
        f.debug_struct("CoreDump").field("isolate", &self.isolate).field("bytes", &bytes).finish_non_exhaustive()
    }
}

/// What an embedder takes core dumps by.
pub(super) type OnCoreDump = dyn Fn(&CoreDump) + Send + Sync;

/// Hands core dumps on to the embedder.
pub(super) struct Dumps {
    told: Arc<OnCoreDump>,
    reporter: Arc<Reporter>,
    /// How many may be made yet.
    left: AtomicUsize,
    waiting: Arc<AtomicUsize>,
    skipped: AtomicU64,
}

impl Host {
    /// How many isolates trapped of which no core dump was made: as many as [`on_core_dump`] wants were made already, or
    /// two waited to be taken.
    ///
    /// [`on_core_dump`]: crate::HostBuilder::on_core_dump
    #[must_use]
    pub fn skipped_core_dumps(&self) -> u64 {
        self.inner.dumps.as_ref().map_or(0, |dumps| dumps.skipped.load(Ordering::SeqCst))
    }
}

impl Dumps {
    pub(super) fn new(at_most: usize, told: Arc<OnCoreDump>, reporter: &Arc<Reporter>) -> Dumps {
        let (left, waiting, skipped) = (AtomicUsize::new(at_most), Arc::default(), AtomicU64::new(0));
        Dumps { told, reporter: Arc::clone(reporter), left, waiting, skipped }
    }

    /// Has one made and taken, unless too many were, or wait.
    pub(super) fn take(&self, control: &Control, make: &mut dyn FnMut() -> Vec<u8>) {
        let parent = control.lineage.spawner();
        let Some(taken) = self.place(parent.is_none()) else {
            self.skipped.fetch_add(1, Ordering::SeqCst);
            return;
        };
        let dump = CoreDump { isolate: control.id, name: control.name(), parent, bytes: make() };
        let told = Arc::clone(&self.told);
        self.reporter.run(Box::new(move || {
            let _taken = taken;
            told(&dump);
        }));
    }

    /// The place of one more. Whom the embedder spawned has one that no other isolate can take.
    fn place(&self, is_first: bool) -> Option<Taken> {
        let kept = usize::from(!is_first);
        let less = |left: usize| left.checked_sub(1).filter(|left| *left >= kept);
        self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).ok()?;
        let taken = Taken(Arc::clone(&self.waiting));
        if self.waiting.fetch_add(1, Ordering::SeqCst) + kept > WAITING_MAX {
            self.left.fetch_add(1, Ordering::SeqCst);
            return None;
        }
        Some(taken)
    }
}

/// Gives the place of one that waited back, whatever the embedder does.
struct Taken(Arc<AtomicUsize>);

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
