//! The last standard error of isolates that died.
//!
//! Whoever the embedder spawned has a handle from the start, which holds it. Of the others it is there while they live, and
//! a handle that comes to the embedder takes hold of it; of the last dead some are kept, since a handle is often under way
//! when its isolate dies. No more: guests may hold handles of any number of dead.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::Weak;

use super::Host;
use crate::control::Control;
use crate::exit::IsolateId;
use crate::stdio::{Captured, Tail};
use crate::sync::{Arc, Mutex};

/// Of so many dead that guests spawned.
const KEPT_MAX: usize = 64;

/// Of so many that the embedder did, for whoever looks on and has no handle.
const OF_EMBEDDER_MAX: usize = 16;

/// The last that an isolate wrote to its standard error before it died; see [`Host::last_words`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let host = insula::Host::builder().isolates(1).build()?;
/// for words in host.last_words() {
///     println!("{} {}: {}", words.isolate, words.name, insula::printable(&words.stderr.to_string()));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastWords {
    /// Whose they are.
    pub isolate: IsolateId,
    /// Its debug name.
    pub name: String,
    /// As much as [its limit](crate::Limits::stderr) says.
    pub stderr: Captured,
}

impl Host {
    /// What the host keeps of those that died: of the last 64 that isolates spawned, and of the last 16 that the embedder
    /// did, those that wrote nothing left out; in the order of their deaths, the embedder's first.
    #[must_use]
    pub fn last_words(&self) -> Vec<LastWords> {
        self.inner.last_words.all()
    }
}

/// Those of the last dead.
#[derive(Default)]
pub(super) struct Graveyard(Mutex<Stones>);

#[derive(Default)]
struct Stones {
    of_guests: VecDeque<Stone>,
    of_embedder: VecDeque<Stone>,
}

struct Stone {
    isolate: IsolateId,
    name: String,
    tail: Arc<Tail>,
}

/// A tail of so many bytes for an isolate that is born. From here on whoever has the control finds it.
pub(super) fn tail(control: &Control, bytes_max: u64) -> Arc<Tail> {
    let tail = Arc::new(Tail::new(usize::try_from(bytes_max).unwrap_or(usize::MAX)));
    let weak: Weak<Tail> = Arc::downgrade(&tail);
    *control.tail.lock() = Some(weak as Weak<dyn Any + Send + Sync>);
    tail
}

impl Graveyard {
    /// It died just now, and its output is there still.
    pub(super) fn keep(&self, control: &Control) {
        let Some(tail) = Tail::of(control).filter(|tail| !tail.is_empty()) else { return };
        let stone = Stone { isolate: control.id, name: control.name(), tail };
        let is_the_embedder_s = control.lineage.root() == control.id;
        let mut stones = self.0.lock();
        let (kept, max) = match is_the_embedder_s {
            true => (&mut stones.of_embedder, OF_EMBEDDER_MAX),
            false => (&mut stones.of_guests, KEPT_MAX),
        };
        let oldest = if kept.len() >= max { kept.pop_front() } else { None };
        kept.push_back(stone);
        drop(stones);
        drop(oldest);
    }

    fn all(&self) -> Vec<LastWords> {
        let stones = self.0.lock();
        let words = |stone: &Stone| LastWords {
            isolate: stone.isolate,
            name: stone.name.clone(),
            stderr: stone.tail.captured(),
        };
        stones.of_embedder.iter().chain(&stones.of_guests).map(words).collect()
    }
}
