//! The scheduler with a seed, where a test has the clock in its hands.
//!
//! Isolates run while somebody waits for them. Slices are so long that only a guest in a loop without an end uses one up:
//! so nothing depends on how fast the machine is. One in a loop does not count as at work, and runs when nobody else does.

use std::collections::VecDeque;
use std::sync::PoisonError;

use super::super::task::{After, Task, empty_graves};
use super::super::{TICK, did_something_else};
use super::Shared;
use crate::sync::atomic::Ordering::SeqCst;
use crate::sync::{Arc, Mutex};
use crate::world::Chance;
use crate::world::stage::Stage;

/// What a stage adds to the scheduler.
pub(super) struct Staged {
    stage: Arc<Stage>,
    /// Tasks that loop, as it seems.
    loopers: Mutex<VecDeque<Arc<Task>>>,
    /// Ticks for one of the slices that are counted.
    ticks_per_slice: u64,
}

/// Slices, as [`super::super::slice_is_over`] counts them, in the patience of a stage: two strikes make a hog.
const SLICES_IN_PATIENCE: u128 = 4;

impl Staged {
    pub(super) fn new(stage: &Arc<Stage>) -> Staged {
        let ticks = stage.patience().as_nanos() / TICK.as_nanos() / SLICES_IN_PATIENCE;
        let ticks_per_slice = u64::try_from(ticks).unwrap_or(u64::MAX).max(1);
        Staged { stage: Arc::clone(stage), loopers: Mutex::default(), ticks_per_slice }
    }

    pub(super) fn slices(&self, ticks: u64) -> u64 {
        ticks / self.ticks_per_slice
    }

    /// A task is ready.
    pub(super) fn begins(&self) {
        self.stage.begin();
    }

    /// One that runs is to end, or ended: until then it is at work, also in a loop.
    pub(super) fn dying(&self, more: bool) {
        if more { self.stage.begin() } else { self.stage.end(true) }
    }

    pub(super) fn close(&self) {
        self.stage.close();
        let left = std::mem::take(&mut *self.loopers.lock());
        drop(left);
    }

    /// A task to run next, and whether it counts as at work. None when the scheduler closes.
    fn draw(&self, shared: &Shared, chance: &mut Chance) -> Option<(Arc<Task>, bool)> {
        did_something_else();
        let mut ready = shared.lock();
        while ready.is_empty() && self.loopers.lock().is_empty() && !shared.closing.load(SeqCst) {
            ready = shared.bell.wait(ready).unwrap_or_else(PoisonError::into_inner);
        }
        drop(ready);
        self.stage.await_audience();
        if shared.closing.load(SeqCst) {
            return None;
        }
        let mut ready = shared.lock();
        if ready.is_empty() {
            drop(ready);
            return self.loopers.lock().pop_front().map(|task| (task, false));
        }
        let drawn = chance.below(ready.len() as u64);
        ready.remove(drawn as usize).map(|task| (task, true))
    }
}

/// What the thread does.
pub(super) fn work(shared: &Shared, staged: &Staged, mut chance: Chance) {
    while !shared.closing.load(SeqCst) {
        let Some((task, counts)) = staged.draw(shared, &mut chance) else { continue };
        // Ticks come all the time that somebody runs: how else would one be found to loop?
        let (after, of_turn) = match shared.poll(task) {
            After::Gone => (None, true),
            After::Again(task) => (Some(task), true),
            After::Preempted { task, hog: true } => {
                staged.loopers.lock().push_back(task);
                (None, false)
            }
            After::Preempted { task, hog: false } => (Some(task), false),
        };
        after.into_iter().for_each(|task| shared.push(task));
        empty_graves(false);
        if counts {
            staged.stage.end(of_turn);
        }
    }
}
