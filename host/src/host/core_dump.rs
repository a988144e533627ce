//! Core dumps of isolates that trap, where the embedder wants them.

use std::fmt;

use super::uncaught::Reporter;
use crate::control::Control;
use crate::exit::IsolateId;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Core dumps that wait to be taken, at most: each is as large as an isolate's memory.
const WAITING_MAX: usize = 2;

/// The state in which an isolate trapped: frames with their locals, globals, and linear memory, in the
/// [format of WebAssembly's tools](https://github.com/WebAssembly/tool-conventions/blob/main/Coredump.md).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::{Host, Spawn};
/// let (dumped, dumps) = std::sync::mpsc::channel();
/// let builder = Host::builder().isolates(1).on_uncaught(|_| ());
/// let host = builder.on_core_dump(move |dump| drop(dumped.send(dump.bytes.to_vec()))).build()?;
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
    /// How many there were, since the one before, for which others that waited left no room.
    pub skipped: u64,
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
    waiting: Arc<AtomicUsize>,
    skipped: AtomicU64,
}

impl Dumps {
    pub(super) fn new(told: Arc<OnCoreDump>, reporter: &Arc<Reporter>) -> Dumps {
        let (waiting, skipped) = (Arc::default(), AtomicU64::new(0));
        Dumps { told, reporter: Arc::clone(reporter), waiting, skipped }
    }

    /// Has one made and taken, unless too many wait.
    pub(super) fn take(&self, control: &Control, make: &mut dyn FnMut() -> Vec<u8>) {
        if self.waiting.fetch_add(1, Ordering::SeqCst) >= WAITING_MAX {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            self.skipped.fetch_add(1, Ordering::SeqCst);
            return;
        }
        let dump = CoreDump {
            isolate: control.id,
            name: control.name(),
            parent: control.lineage.spawner(),
            bytes: make(),
            skipped: self.skipped.swap(0, Ordering::SeqCst),
        };
        let told = Arc::clone(&self.told);
        let taken = Taken(Arc::clone(&self.waiting));
        self.reporter.run(Box::new(move || {
            let _taken = taken;
            told(&dump);
        }));
    }
}

/// Gives the place of one that waited back, whatever the embedder does.
struct Taken(Arc<AtomicUsize>);

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
