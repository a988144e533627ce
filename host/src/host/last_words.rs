//! The last standard error of isolates that guests spawned.
//!
//! Whoever the embedder spawned has a handle from the start, which holds it. Of the others it is there while they live, and
//! a handle that comes to the embedder takes hold of it; of the last dead some are kept, since a handle is often under way
//! when its isolate dies. No more: guests may hold handles of any number of dead.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::Weak;

use crate::control::Control;
use crate::stdio::Tail;
use crate::sync::{Arc, Mutex};

/// Of so many dead.
const KEPT_MAX: usize = 64;

/// Those of the last dead.
#[derive(Default)]
pub(super) struct LastWords(Mutex<VecDeque<Arc<Tail>>>);

/// A tail of so many bytes for an isolate that is born. From here on whoever has the control finds it.
pub(super) fn tail(control: &Control, bytes_max: u64) -> Arc<Tail> {
    let tail = Arc::new(Tail::new(usize::try_from(bytes_max).unwrap_or(usize::MAX)));
    let weak: Weak<Tail> = Arc::downgrade(&tail);
    *control.tail.lock() = Some(weak as Weak<dyn Any + Send + Sync>);
    tail
}

impl LastWords {
    /// It died just now, and its output is there still.
    pub(super) fn keep(&self, control: &Control) {
        let is_the_embedder_s = control.lineage.root() == control.id;
        let Some(tail) = Tail::of(control).filter(|tail| !is_the_embedder_s && !tail.is_empty()) else { return };
        let mut kept = self.0.lock();
        let oldest = if kept.len() >= KEPT_MAX { kept.pop_front() } else { None };
        kept.push_back(tail);
        drop(kept);
        drop(oldest);
    }
}
